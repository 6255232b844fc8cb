"""The tasks that write, from recipe to report, as a user runs them."""

import json
import os
import signal

import keras
import numpy as np
import pytest

from keras_ft.errors import RequestError
from keras_ft.evaluation.comparison.compare import compare
from keras_ft.evaluation.evaluate_run import evaluate_run
from keras_ft.evaluation.predictions import Predictions
from keras_ft.inspection.inspect import inspect
from keras_ft.recipe_file import load_recipe
from keras_ft.tasks.backbone import load_backbone
from keras_ft.tasks.model import load_model
from keras_ft.training.train import train
from tests.tiny import SENTENCES, write_jsonl
from tests.tiny_language import write_language_recipe

ALONE = "{name: causal_lm, blocks: false}"


def quietly(line: str) -> None:
    """Nobody reads it."""


def run(folder, kind: str, out: str = "run", **changes):
    train(load_recipe(write_language_recipe(folder, kind, **changes)), folder / out, tell=quietly)
    return folder / out


@pytest.fixture(scope="module", params=["causal_lm", "text2text", "dialogue"])
def finished(request, tmp_path_factory):
    return run(tmp_path_factory.mktemp(request.param), request.param)


def test_a_run_measures_loss_and_perplexity_of_what_it_predicted(finished):
    metrics = json.loads((finished / "metrics.json").read_text())
    for split in ("validation", "test"):
        columns = Predictions.read(finished / "predictions" / f"{split}.npz").columns
        loss = np.average(columns["loss"], weights=columns["predicted"])
        measured = {name: metrics[split][name] for name in ("loss", "perplexity")}
        assert measured == pytest.approx({"loss": loss, "perplexity": np.exp(loss)}, rel=1e-5)
        assert ("bleu" in metrics[split]) == ("causal_lm" not in str(finished))
        assert 0 < metrics[split]["loss"] < np.log(450)
    texts = json.loads((finished / "predictions" / "test_mistakes.json").read_text())
    assert len(texts) == len(columns["row"])
    assert any(sentence[:20] in text for found in texts for text in found["texts"].values() for sentence in SENTENCES)


def test_an_evaluation_of_the_same_file_is_that_of_the_run(finished, tmp_path):
    metrics = json.loads((finished / "metrics.json").read_text())
    report = tmp_path / "report.html"
    assert evaluate_run(finished, str(finished.parent / "test.jsonl"), report) == pytest.approx(
        metrics["test"], rel=1e-5
    )
    assert "Hardest texts" in report.read_text(encoding="utf-8")
    assert "Hardest texts" in (finished / "report.html").read_text(encoding="utf-8")


def test_a_run_is_rebuilt_with_its_special_tokens_prompts_and_generation(finished):
    trained = load_model(finished / "model")
    samples = json.loads((finished / "model" / "samples.json").read_text())
    assert trained.task.text_columns == tuple(samples)
    assert trained.task.generation.max_new_tokens == 64
    assert trained.model.backbone.vocabulary_size == len(trained.pretrained.tokenizer.vocabulary)
    speakers = {"<|user|>", "<|bot|>"} & set(trained.pretrained.tokenizer.vocabulary.tokens)
    assert len(speakers) == (2 if trained.task.name == "dialogue" else 0)


def test_an_interrupted_run_goes_on_and_ends_as_one_never_interrupted(finished, tmp_path):
    class Interrupt(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if logs["step"] == 3:
                os.kill(os.getpid(), signal.SIGINT)

    recipe, told = load_recipe(finished.parent / "recipe.yaml"), []
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "run", [Interrupt()], quietly)
    train(recipe, tmp_path / "run", tell=told.append)
    assert any(line.startswith("Resuming from step") for line in told)
    ours, theirs = (load_model(folder / "model").model.get_weights() for folder in (tmp_path / "run", finished))
    assert all(np.array_equal(mine, its) for mine, its in zip(ours, theirs, strict=True))


def test_a_better_run_is_called_so(finished):
    longer = {"train": "{epochs: 6, batch_size: 8, learning_rate: 3.0e-3}"}
    better = run(finished.parent, json.loads((finished / "metrics.json").read_text())["task"], "better", **longer)
    verdicts = compare([finished, better]).verdicts()
    assert any("better is significantly better than run in loss (-" in line for line in verdicts)
    assert any("in perplexity" in line for line in verdicts)


def test_an_inspection_finds_nothing_wrong_and_cuts_no_blocks(finished):
    recipe = load_recipe(finished.parent / "recipe.yaml")
    found = inspect(recipe, load_backbone(recipe), quietly)
    kinds = {finding.kind for finding in found.findings}
    problems = {finding.kind for finding in found.findings if finding.severity == "problem"}
    assert problems == {"overlap"}  # of test with train, as these rows are
    assert found.splits["train"]["labels"]["count"] == 0
    assert ("truncated" in kinds) == (recipe.task.name != "causal_lm")


def test_lengths_are_those_of_what_the_model_reads(tmp_path):
    write_language_recipe(tmp_path, "text2text", task="{name: text2text, template: title}")
    recipe = load_recipe(tmp_path / "recipe.yaml", ["data.max_length=64"])
    found = inspect(recipe, load_backbone(recipe), quietly)
    trained = load_model(run(tmp_path, "text2text", task="{name: text2text, template: title}") / "model")
    columns = {"source": [SENTENCES[0]], "target": [SENTENCES[0].split(" ")[0]]}
    trained.task.max_length = 10**6
    ids = trained.task.features(trained.pretrained.tokenizer, columns).ids
    assert int(ids.row_lengths()[0]) <= found.splits["train"]["length"]["max"]
    assert found.splits["train"]["length"]["min"] > 8  # the template alone


def test_documents_alone_are_examples_of_their_own(tmp_path):
    folder = run(tmp_path, "causal_lm", task=ALONE)
    found = Predictions.read(folder / "predictions" / "test.npz").columns
    assert len(found["row"]) == len(SENTENCES)
    assert found["predicted"].tolist() == (found["tokens"] - 1).tolist()


def test_a_text_file_is_one_text(tmp_path):
    path = write_language_recipe(tmp_path, "causal_lm", data="{train: play.txt, validation: play.txt, max_length: 16}")
    text = "".join(f"A:\n\n{sentence}\n" for sentence in SENTENCES)
    (tmp_path / "play.txt").write_text(text, encoding="utf-8")
    train(load_recipe(path), tmp_path / "run", tell=quietly)
    trained = load_model(tmp_path / "run" / "model")
    tokens = trained.pretrained.tokenizer.tokenize([text]).values.shape[0]
    columns = Predictions.read(tmp_path / "run" / "predictions" / "validation.npz").columns
    assert int(columns["predicted"].sum()) == tokens  # each once, from end-of-text on
    kept = json.loads((tmp_path / "run" / "predictions" / "validation_mistakes.json").read_text())
    blocks = {found["row"]: found["texts"]["text"] for found in kept}
    assert any(blocks[0][:20] == text[:20] for _ in kept)


@pytest.mark.parametrize(
    ("task", "row", "message"),
    [
        ("text2text", {"source": "a"}, "train.jsonl line 1 has no 'target'; its columns are 'source'"),
        ("text2text", {"source": "a", "target": 3}, "'target' is a number (3), not a string; put it in quotes"),
        ("text2text", {"source": " ", "target": "b"}, "train.jsonl line 1 has no 'source': it is empty"),
        ("dialogue", {"turns": "a"}, "'turns' is a string (a), not a list of strings"),
        ("dialogue", {"turns": ["a", 3]}, "'turns' item 2 is a number (3), not a string"),
        ("dialogue", {"turns": ["a", ""]}, "train.jsonl line 1: the dialogue has no reply"),
        ("dialogue", {"turns": []}, "the dialogue has no reply"),
        ("causal_lm", {"text": ["a"]}, "'text' is a list"),
    ],
)
def test_wrong_rows_are_refused_in_one_line(tmp_path, task, row, message):
    recipe = load_recipe(write_language_recipe(tmp_path, task, rows=[row, row, row]))
    with pytest.raises(RequestError) as error:
        train(recipe, tmp_path / "run", tell=quietly)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    found = inspect(recipe, load_backbone(recipe), quietly)
    assert {finding.kind for finding in found.findings if finding.severity == "problem"} >= {"refused"}


def test_a_csv_holds_no_dialogues(tmp_path):
    (tmp_path / "a.csv").write_text("turns\n\"['a', 'b']\"\n", encoding="utf-8")
    path = write_language_recipe(tmp_path, "dialogue", data="{train: a.csv, max_length: 16}")
    with pytest.raises(RequestError, match=r"not a list of strings; .jsonl and .parquet hold lists"):
        train(load_recipe(path), tmp_path / "run", tell=quietly)


def test_backbones_of_another_family_are_refused(tmp_path):
    from tests.tiny import write_hugging_face

    write_hugging_face(tmp_path / "bert")
    path = write_language_recipe(tmp_path, "dialogue", backbone="bert")
    with pytest.raises(RequestError, match="task dialogue needs a gpt2 backbone"):
        train(load_recipe(path), tmp_path / "run", tell=quietly)


def test_too_little_text_is_refused(tmp_path):
    path = write_language_recipe(tmp_path, "causal_lm", rows=[{"text": "a"}])
    write_jsonl(tmp_path / "validation.jsonl", [{"text": "b"}])
    recipe = load_recipe(path, ["data.validation=validation.jsonl", "data.max_length=8"])
    train(recipe, tmp_path / "run", tell=quietly)  # one token behind end-of-text can be learned
    with pytest.raises(RequestError, match="1 examples cannot be split; name a file as data.validation"):
        train(load_recipe(path), tmp_path / "split", tell=quietly)
