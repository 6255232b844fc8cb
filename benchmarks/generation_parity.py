"""Whether keras_ft writes what transformers' `generate` writes, token for token, in Python, exported, and over REST.

    python benchmarks/generation_parity.py --torch PYTHON_WITH_TORCH

Both have the random weights of `generation.py`, in float32, and continue 100 prompts of 1 to 60 tokens by 16, greedily
and with 4 beams. transformers gets the prompts one by one. Texts are compared as `tokenizers` decodes ids, and as ids
where Python has them. Takes ten minutes on two cores; exits with 1 where a text differs.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import texts
import typer
from generation_model import QUICK, SIZES, VOCABULARY, trained_model, write_model, write_prompts
from report import RESULTS, Bar, machine, publish

NEW_TOKENS = 16
WAYS = {"greedy": {}, "beams": {"num_beams": 4}}
LENGTHS = (32, 1, 7, 60, 2, 19, 45, 11, 3, 26)
BATCH_SIZE = 10

Answer = Callable[[list[str]], list[str]]
Given = dict[str, Any]


def main(
    torch: Annotated[str, typer.Option(help="a Python that has torch and transformers")],
    count: Annotated[int, typer.Option(help="how many prompts")] = 100,
    quick: Annotated[bool, typer.Option("--quick", help="a small model, 10 prompts; writes no result")] = False,
) -> None:
    """Compare, print, and write results/generation_parity.json."""
    before = machine()
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with tempfile.TemporaryDirectory() as scratch:
        folder = write_model(Path(scratch) / "hugging-face", QUICK if quick else SIZES)
        path = write_prompts(Path(scratch) / "prompts.jsonl", LENGTHS, 10 if quick else count)
        prompts, expected = texts.read_file(path), transformers_ids(torch, folder, path)
        rows = []
        for way, options in WAYS.items():
            rows += compare(folder, Path(scratch) / "models" / way, options, prompts, expected[way])
        title = f"Texts of {len(prompts)} prompts beside those of transformers"
        bars = [Bar("texts that differ", 0, sum(row["differ"] for row in rows), at_most=True)]
        publish("generation_parity", title, rows, bars, before, Path(scratch) if quick else RESULTS)


def transformers_ids(torch: str, folder: Path, prompts: Path) -> dict[str, list[list[int]]]:
    """The ids of every text by way."""
    ways = {way: {"max_new_tokens": NEW_TOKENS, **options} for way, options in WAYS.items()}
    command = [torch, str(Path(__file__).with_name("generation_parity_torch.py")), str(folder), str(prompts)]
    done = subprocess.run(command, input=json.dumps(ways), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    return json.loads(done.stdout)


def compare(folder: Path, export: Path, options: Given, prompts: list[Given], expected: list[list[int]]) -> list[Given]:
    """A row for each place where texts are written, in batches and one by one."""
    from keras_ft.evaluation.predictor import Predictor
    from keras_ft.export.saved_model import write_saved_model

    trained = trained_model(folder, max_new_tokens=NEW_TOKENS, **options)
    predictor = Predictor(trained)
    write_saved_model(trained, export / "1", "float32", None)
    given, wanted = [prompt["text"] for prompt in prompts], decoded(expected)
    rows = [_row(export.name, "Python, token ids", BATCH_SIZE, ids_of(trained, prompts), expected)]
    with served(export) as over_rest:
        places = {
            "Python": lambda batch: [text.decode("utf-8") for text in predictor({"prompt": batch})["text"]],
            "export, Session": in_session(export / "1"),
            "REST": over_rest,
        }
        for place, answer in places.items():
            for batch_size in (BATCH_SIZE, 1):
                rows.append(_row(export.name, place, batch_size, in_batches(answer, given, batch_size), wanted))
    return rows


def ids_of(trained: Any, prompts: list[Given]) -> list[list[int]]:
    """The ids that generation itself gives, in batches."""
    import tensorflow as tf

    from keras_ft.generation.beam import search
    from keras_ft.generation.sample import write
    from keras_ft.generation.settings import Settings
    from keras_ft.generation.writer import Writer
    from keras_ft.tasks.language import end_id

    options, view = trained.task.generation, trained.model.view("float32").backbone
    writer = Writer(view, end_id(trained.pretrained.tokenizer), options)

    prompt_ids = tf.RaggedTensorSpec([None, None], tf.int32, row_splits_dtype=tf.int32)

    @tf.function(input_signature=[prompt_ids], autograph=False)
    def written(ids: tf.RaggedTensor) -> tf.RaggedTensor:
        settings = Settings.of(options, ids.nrows())
        found = search(writer, ids, settings) if options.num_beams > 1 else write(writer, ids, settings, draws=False)
        return found.ids

    def answer(batch: list[list[int]]) -> list[list[int]]:
        return written(tf.ragged.constant(batch, tf.int32, row_splits_dtype=tf.int32)).to_list()

    return in_batches(answer, [prompt["ids"] for prompt in prompts], BATCH_SIZE)


def in_session(version: Path) -> Answer:
    """The export through a Session."""
    from keras_ft.serving.models.session_model import SessionModel

    model = SessionModel(version)

    def answer(batch: list[str]) -> list[str]:
        found = model.predict("serving_default", {"prompt": np.array([text.encode() for text in batch], object)})
        return [text.decode("utf-8") for text in found["text"]]

    return answer


@contextmanager
def served(export: Path) -> Iterator[Answer]:
    """The export over REST."""
    from keras_ft.serving.background import BackgroundServer
    from keras_ft.serving.client import Client

    with BackgroundServer([export]) as server:
        client = Client(server.url, timeout=600.0)

        def answer(batch: list[str]) -> list[str]:
            found = client.predict(export.name, instances=[{"prompt": text} for text in batch])
            return [one["text"] for one in found]

        yield answer


def in_batches(answer: Callable[[list], list], given: list, batch_size: int) -> list:
    """The answers to all of them."""
    return [one for start in range(0, len(given), batch_size) for one in answer(given[start : start + batch_size])]


def decoded(ids: list[list[int]]) -> list[str]:
    """Texts as `tokenizers` has them."""
    from tokenizers import Tokenizer, decoders, models

    tokenizer = Tokenizer(models.BPE.from_file(str(VOCABULARY / "encoder.json"), str(VOCABULARY / "vocab.bpe")))
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer.decode_batch(ids, skip_special_tokens=False)


def _row(way: str, place: str, batch_size: int, found: list, wanted: list) -> Given:
    return {
        "way": way,
        "place": place,
        "batch": batch_size,
        "texts": len(wanted),
        "distinct": len(set(map(str, wanted))),
        "differ": sum(one != other for one, other in zip(found, wanted, strict=True)),
    }


if __name__ == "__main__":
    typer.run(main)
