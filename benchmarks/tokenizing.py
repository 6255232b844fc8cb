"""Large files → token arrays: speed, peak memory, and resuming after `kill -9`.

    python benchmarks/tokenizing.py                 # 10,000 and 1,000,000 rows, short and long; about 10 minutes

"short" rows have SST-2's mean of 19 words, "long" ones 1,000 characters (1 GB for a million). The work is what
`keras-ft train` does before its first step with MiniLM's tokenizer and max_length 128, in a process of its own: reading
and checking every row, learning the labels, holding out a tenth, and writing the arrays. The largest file of each kind
is done again by a process that is killed twice on the way.
"""

import hashlib
import json
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from report import Bar, machine, publish

WORDS_OF = {"short": 19, "long": 172}
LETTERS = "etaoinshrdlcumwfgypbvkxjqz"


def words(count: int = 20_000) -> list[str]:
    """Pronounceable words of 2 to 10 letters, frequent ones first and short."""
    rng = random.Random(0)
    common = ["the", "of", "and", "to", "is", "it", "that", "film", "not", "good", "very", "story", "was", "but"]
    return common + ["".join(rng.choices(LETTERS, k=rng.randint(3, 10))) for _ in range(count)]


def write_rows(path: Path, rows: int, words_in_a_row: int) -> None:
    vocabulary, rng = words(), random.Random(1)
    places = [int(len(vocabulary) * rng.random() ** 4) for _ in range(1_000_003)]  # Zipf-like
    with path.open("w", encoding="utf-8") as file:
        for i in range(rows):
            start = rng.randrange(len(places) - words_in_a_row)
            text = " ".join(vocabulary[place] for place in places[start : start + words_in_a_row])
            file.write(json.dumps({"text": f"{i} {text}", "label": i % 5}) + "\n")


def write_recipe(folder: Path) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(
        "task: classification\nbackbone: minilm_l6_en_uncased\ndata: {train: train.jsonl, max_length: 128}\n",
        encoding="utf-8",
    )
    return path


def child(recipe: Path, folder: Path) -> None:
    from keras_ft.presets.load import load_pretrained
    from keras_ft.recipe_file import load_recipe
    from keras_ft.training.prepare import prepare

    loaded = load_recipe(recipe)
    pretrained = load_pretrained(loaded.backbone)
    started = time.perf_counter()
    told: list[tuple[float, str]] = []
    prepare(loaded, pretrained, folder, lambda line: told.append((time.perf_counter(), line)))
    seconds = time.perf_counter() - started
    tokenizing = time.perf_counter() - next(at for at, line in told if line.startswith("Tokenizing train"))
    print(
        json.dumps(
            {
                "seconds": round(seconds, 2),
                "seconds_tokenizing": round(tokenizing, 2),
                "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
                "told": [line for _, line in told],
            }
        )
    )


def start(recipe: Path, folder: Path) -> subprocess.Popen:
    command = [sys.executable, __file__, "--child", str(recipe), str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def finish(process: subprocess.Popen) -> dict:
    output, _ = process.communicate()
    if process.returncode:
        sys.exit(f"the child failed with {process.returncode}")
    return json.loads(output.strip().splitlines()[-1])


def kill_at(process: subprocess.Popen, commit: Path, examples: int) -> int:
    while process.poll() is None:
        time.sleep(0.05)
        try:
            done = json.loads(commit.read_text(encoding="utf-8"))["num_examples"]
        except (OSError, ValueError):
            continue
        if done >= examples:
            process.send_signal(signal.SIGKILL)
            process.wait()
            return done
    sys.exit("the child ended before it was to be killed")


def digest(folder: Path) -> str:
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*.npy")):
        with path.open("rb") as file:
            found.update(hashlib.file_digest(file, "sha256").digest())
    return found.hexdigest()


def measure(kind: str, rows: int, kills: int) -> dict:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_rows(folder / "train.jsonl", rows, WORDS_OF[kind])
        recipe = write_recipe(folder)
        whole = finish(start(recipe, folder / "whole"))
        found = {
            "kind": kind,
            "rows": rows,
            "MB": round((folder / "train.jsonl").stat().st_size / 1e6),
            "rows/s": round(rows / whole["seconds"]),
            "rows/s tokenizing": round(rows / whole["seconds_tokenizing"]),
            "peak MB": whole["peak_memory_mb"],
            "kills": kills,
            "equal": 1,
        }
        if kills:
            commit = folder / "killed" / "train" / "writing.json"
            for kill in range(1, kills + 1):
                kill_at(start(recipe, folder / "killed"), commit, rows * kill // (kills + 1))
            resumed = finish(start(recipe, folder / "killed"))
            found["peak MB"] = max(found["peak MB"], resumed["peak_memory_mb"])
            found["equal"] = int(digest(folder / "whole") == digest(folder / "killed"))
            found["told"] = resumed["told"]
        print(found, flush=True)
        return found


def main(
    rows: Annotated[list[int], typer.Option(help="How many; may be given several times.")] = (10_000, 1_000_000),
    kinds: Annotated[list[str], typer.Option(help="short or long.")] = tuple(WORDS_OF),
    kills: Annotated[int, typer.Option(help="Of the largest run of each kind.")] = 2,
) -> None:
    """Measure, print, and write results/tokenizing.json."""
    before = machine()
    results = [measure(kind, count, kills if count == max(rows) else 0) for kind in kinds for count in rows]
    largest = [found for found in results if found["rows"] == max(rows)]
    bars = [
        Bar("rows/s of SST-2's length, reading included", 20_000, largest[0]["rows/s"]),
        Bar("peak memory in MB, killed runs included", 1500, max(found["peak MB"] for found in results), at_most=True),
        Bar("arrays equal after kill -9", 1, min(found["equal"] for found in largest)),
    ]
    publish("tokenizing", "From files to token arrays, max_length 128", results, bars, before)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(*map(Path, sys.argv[2:]))
    else:
        typer.run(main)
