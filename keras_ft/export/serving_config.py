"""`keras-ft export … --serving-config FOLDER`: what a deployment of the model needs.

`serving/` in the repository is such a folder: that of the quickstart's model.
"""

import os
import string
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

import keras_ft
from keras_ft.errors import RequestError
from keras_ft.export.batch_limits import BatchLimits
from keras_ft.export.export import check_dtype
from keras_ft.paths import AnyPath, is_remote, write_whole
from keras_ft.run_folder import RunFolder
from keras_ft.shown import to_stderr

TEMPLATES = Path(__file__).with_name("deployment")
MODELS_CONFIG, BATCHING_CONFIG = "config/models.config", "config/batching.config"
MOUNTED_AT = "/models"  # where the containers have MODELS
HEADER = """\
# The models that are served, as the containers see them: MODELS is at /models. Each is served in its latest version
# unless a model_version_policy says otherwise. The servers of compose.yaml read this file again every 30 seconds.
"""


class Template(string.Template):
    """A file with `@{name}` where something is filled in: `$` is what Compose, Grafana and Prometheus have."""

    delimiter = "@"
    idpattern = "(?!)"  # never without braces
    braceidpattern = "[a-z_]+"


@contextmanager
def serving_config(
    folder: str | None, run: AnyPath, to: AnyPath, dtype: str, tell: Callable[[str], None] = to_stderr
) -> Iterator[None]:
    """Write the files of a deployment once the model was exported; what is in the way is found before.

    Args:
        folder: where; `None` writes nothing.
        run, to, dtype: of the export.
        tell: is given a line for the user.

    Raises:
        RequestError: a file there is another one than would be written, `models.config` cannot be added to, or an
            argument is wrong.
    """
    if folder is None:
        yield
        return
    if is_remote(folder):
        raise RequestError(f"--serving-config {folder} should be a local folder")
    check_dtype(dtype)
    files = deployment(Path(folder), to, BatchLimits.of_recipe(RunFolder.opened(run).read_recipe(), dtype))
    yield
    for name, text in files.items():
        (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
        write_whole(Path(folder) / name, text)
    tell(f"{folder} holds what a deployment needs: docker compose --file {folder}/compose.yaml up --detach")


def deployment(folder: Path, to: AnyPath, limits: BatchLimits) -> dict[str, str]:
    """The files of a deployment by their names in the folder, where others of ours may be already.

    Args:
        folder: where they will be.
        to: `MODELS/NAME`.
        limits: the model's.

    Raises:
        RequestError: a file there is another one than would be written, or `models.config` cannot be added to.
    """
    there = BatchLimits.read(_read(folder / BATCHING_CONFIG) or "")
    wanted = rendered(folder, to, limits.with_those_of(there) if there else limits)
    untouched = rendered(folder, to, there) if there else wanted
    for name, text in wanted.items():
        found = _read(folder / name)
        if found not in (None, text, untouched[name]):
            raise RequestError(
                f"{folder / name} is not what would be written; move it away, or give another --serving-config"
            )
    return {**wanted, MODELS_CONFIG: with_model(folder / MODELS_CONFIG, to)}


def rendered(folder: Path, to: AnyPath, limits: BatchLimits) -> dict[str, str]:
    """All files but `models.config`, filled in."""
    models = "./models" if is_remote(to) else os.path.relpath(Path(to).resolve().parent, folder.resolve())
    settings = {
        **limits.settings(),
        "models": models if models.startswith(".") else f"./{models}",
        "version": keras_ft.__version__,
    }
    sources = sorted(path for path in TEMPLATES.rglob("*") if path.is_file())
    return {
        path.relative_to(TEMPLATES).as_posix(): Template(path.read_text(encoding="utf-8")).substitute(settings)
        for path in sources
    }


def with_model(path: Path, to: AnyPath) -> str:
    """`models.config` with a model added, unless it is there.

    Args:
        path: the file, there or not yet; what it says of other models is kept.
        to: `MODELS/NAME`.

    Raises:
        RequestError: it is no such file, or has the name for another model.
    """
    written = _read(path)
    try:
        config = text_format.Parse(written or "", ModelServerConfig())
    except text_format.ParseError as error:
        raise RequestError(f"{path}:{error}; it should be a ModelServerConfig in text format") from None
    if config.WhichOneof("config") == "custom_model_config":
        raise RequestError(f"{path} has a custom_model_config; a model can be added to a model_config_list")
    name = os.path.basename(os.fspath(to).rstrip("/")) if is_remote(to) else Path(to).resolve().name
    base_path = os.fspath(to).rstrip("/") if is_remote(to) else f"{MOUNTED_AT}/{name}"
    for model in config.model_config_list.config:
        if model.name == name:
            if model.base_path != base_path:
                raise RequestError(
                    f"{path} has {name} at {model.base_path}, not {base_path}; give another name or change that"
                )
            return written or ""
    config.model_config_list.config.add(name=name, base_path=base_path, model_platform="tensorflow")
    return HEADER + text_format.MessageToString(config)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"{path} cannot be read ({error}); give another --serving-config") from None
