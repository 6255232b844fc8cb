"""`keras-ft quickstart`: fine-tunes, exports, serves and asks, on the data in the repository."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from keras_ft.errors import RequestError
from keras_ft.export.export import export
from keras_ft.export.version import version_folder
from keras_ft.paths import AnyPath
from keras_ft.recipe_file import load_recipe
from keras_ft.serving.background import BackgroundServer
from keras_ft.serving.client import Client
from keras_ft.training.train import train

RECIPE = Path("pipelines/intent/recipe.yaml")
QUESTIONS = [
    "I still have not received my new card, what should I do?",
    "Why was I charged a fee when I took money out of the ATM?",
    "How do I change my PIN?",
    "My phone was stolen, please help!",
    "Can I top up with Apple Pay?",
]


def quickstart(out: AnyPath, models: AnyPath, overrides: list[str], tell: Callable[[str], None]) -> dict[str, Any]:
    """Train the intent recipe, export it, serve it over REST and ask a few questions.

    Args:
        out: the run folder.
        models: `MODELS/NAME` of the export.
        overrides: settings of the recipe, as for `train`.
        tell: is given a line for the user.

    Returns:
        `metrics` of the run, the exported `version` folder, and `answers` that came through the REST API.
    """
    recipe = load_recipe(_find_recipe(), overrides)
    version_folder(models)  # refuse a wrong name now rather than after training
    metrics = train(recipe, out, tell=tell)
    if "test" in metrics:
        tell(f"Test accuracy {metrics['test']['accuracy']:.4f}")
    tell("Exporting and verifying …")
    version, _ = export(out, models)
    tell(f"Serving {version} …")
    with BackgroundServer([models]) as server:
        name = Path(version).absolute().parent.name
        tell(f"POST {server.url}/v1/models/{name}:predict")
        answers = Client(server.url).predict(name, instances=QUESTIONS)
    answered = [{"text": text, **answer} for text, answer in zip(QUESTIONS, answers, strict=True)]
    return {"metrics": metrics, "version": version, "answers": answered}


def _find_recipe() -> Path:
    clone = Path(__file__).resolve().parents[1]
    for folder in (Path.cwd(), clone):
        if (folder / RECIPE).is_file():
            return folder / RECIPE
    raise RequestError(f"quickstart needs {RECIPE}; run it inside a clone of the repository")
