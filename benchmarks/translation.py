"""How much of a translation run's score is translation: beside it, what copying the input and an untrained model score.

    python pipelines/translation/prepare.py cmn.txt
    keras-ft train pipelines/translation/recipe.yaml --out runs/translation
    keras-ft train pipelines/translation/recipe.yaml --out runs/untrained --set train.epochs=null --set train.steps=1
    python benchmarks/translation.py runs/translation --untrained runs/untrained

Reads the texts that both runs generated for their test sets; seconds, besides the training.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from report import Bar, machine, publish

from keras_ft.evaluation.text_metrics import bleu_tokenizer, text_metrics
from keras_ft.evaluation.texts import GeneratedText, read_texts

WELL_ABOVE = 5.0  # points of BLEU


def main(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run folder.")],
    untrained: Annotated[Path | None, typer.Option(help="A run of the same recipe after one step.")] = None,
) -> None:
    """Measure, print, and write results/translation.json."""
    before = machine()
    records = texts_of(run)
    references = [record.reference for record in records]
    rows = [
        row("the run", [record.text for record in records], references),
        row("copying the input", [record.source for record in records], references),
    ]
    if untrained is not None:
        others = texts_of(untrained)
        if [record.reference for record in others] != references:
            sys.exit(f"{untrained} was tested on other examples than {run}")
        rows.append(row("untrained", [record.text for record in others], references))
    best = max(other["BLEU"] for other in rows[1:])
    bar = Bar("BLEU above what needs no translation", WELL_ABOVE, rows[0]["BLEU"] - best)
    title = f"{len(records):,} test texts, sacrebleu's tokenizer {bleu_tokenizer(references)}"
    publish("translation", title, rows, [bar], before)


def texts_of(run: Path) -> list[GeneratedText]:
    """What a run generated for its test set."""
    records = read_texts(run / "predictions" / "test_texts.jsonl")
    if not records:
        sys.exit(f"{run} has no predictions/test_texts.jsonl: it is no finished run of a text-to-text task with a test")
    return records


def row(what: str, texts: Sequence[str], references: Sequence[str]) -> dict[str, Any]:
    """A row of the table, whatever the texts are from."""
    found = text_metrics(texts, references)
    return {"texts": what, "BLEU": found["bleu"], "chrF": found["chrf"], "ROUGE-L": found["rougeL"]}


if __name__ == "__main__":
    typer.run(main)
