"""What a token costs behind few others and behind many, and how much memory they take.

    python benchmarks/generation_growth.py

An export of a GPT-2 of 82 million parameters in float32 continues prompts of 32 tokens greedily by 64 and by 896
tokens, through the signature `sample` at a temperature of 0. Takes 8 minutes on two cores.
"""

import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
from contender import Contender
from generation_model import PROMPT, QUICK, SIZES, trained_model, write_model, write_prompts
from report import RESULTS, Bar, machine, publish

FEW, MANY = 64, 896
BETWEEN = {FEW: (32, 96), MANY: (768, 896)}  # what one more token costs there: the slope between these
MOST_GROWTH = 1.5
ROWS = 8  # of the request whose memory is measured

Milliseconds = dict[int, list[float]]


def main(
    rounds: int = 5,
    quick: Annotated[bool, typer.Option("--quick", help="a small model, one round; writes no result")] = False,
) -> None:
    """Measure, print, and write results/generation_growth.json."""
    before = machine()
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    from keras_ft.export.saved_model import write_saved_model

    sizes = QUICK if quick else SIZES
    with ExitStack() as open_until_done:
        scratch = Path(open_until_done.enter_context(tempfile.TemporaryDirectory()))
        prompts = write_prompts(scratch / "prompts.jsonl")
        trained = trained_model(write_model(scratch / "hugging-face", sizes), max_new_tokens=FEW)
        write_saved_model(trained, scratch / "export", "float32", None)
        command = (sys.executable, "generation_session.py", "keras_ft-sample", scratch / "export", prompts)
        with Contender(*command) as contender:
            means, slopes = measure(contender, 1 if quick else rounds)
        with Contender(*command) as contender:
            peaks = peak_growth(contender)
        rows = [_row(length, means[length], slopes[length], peaks[length], sizes) for length in (FEW, MANY)]
        in_rounds = median(many / few for few, many in zip(means[FEW], means[MANY], strict=True))
        bars = [_bar("mean of all", in_rounds), _bar("of one more", slopes[MANY] / slopes[FEW])]
        title = f"Tokens behind {PROMPT} others, batch 1; memory at batch {ROWS}"
        publish("generation_growth", title, rows, bars, before, scratch if quick else RESULTS)


def measure(contender: Contender, rounds: int) -> tuple[Milliseconds, dict[int, float]]:
    """Milliseconds a token by how many are written: the mean over all of them, and what one more costs."""

    def seconds(length: int, number: int) -> float:
        return length / contender.measure(number=number, batch_size=1, requests=1, new_tokens=length)

    seconds(FEW, 0)  # warm-up
    lengths = sorted({FEW, MANY, *BETWEEN[FEW], *BETWEEN[MANY]})
    found: Milliseconds = {length: [] for length in lengths}
    for number in range(rounds):
        for length, times in found.items():
            times.append(1000 * seconds(length, number))
    means = {length: [time / length for time in found[length]] for length in (FEW, MANY)}
    slopes = {
        length: (median(found[late]) - median(found[early])) / (late - early)
        for length, (early, late) in BETWEEN.items()
    }
    return means, slopes


def peak_growth(contender: Contender) -> dict[int, float]:
    """MB by which the process grows over what it had after a request for one token, by how many are written."""

    def peak(length: int) -> float:
        return contender.ask(number=0, batch_size=ROWS, requests=1, new_tokens=length)["peak_bytes"] / 1e6

    before = peak(1)
    return {length: peak(length) - before for length in (FEW, MANY)}


def cache_megabytes(length: int, sizes: dict[str, int]) -> float:
    """What keys and values take at the end of a request; the last token written is not read any more."""
    from keras_ft.generation.cache import STRETCH

    places = -(-(PROMPT + length - 1) // STRETCH) * STRETCH
    return ROWS * places * 2 * sizes["num_layers"] * sizes["hidden_dim"] * 4 / 1e6


def _row(length: int, mean: list[float], slope: float, peak: float, sizes: dict[str, int]) -> dict[str, Any]:
    return {
        "new tokens": length,
        "ms/token, mean": median(mean),
        "ms/token, one more": slope,
        "cache, MB": cache_megabytes(length, sizes),
        "process grows by, MB": peak,
        "rounds": [round(each, 3) for each in mean],
    }


def _bar(kind: str, ratio: float) -> Bar:
    return Bar(f"ms/token, {kind}: {MANY} ÷ {FEW} new tokens", MOST_GROWTH, ratio, at_most=True)


if __name__ == "__main__":
    typer.run(main)
