"""GPT-2's tokenizer in the graph against Hugging Face's `tokenizers` on all threads: speed, equal ids, memory.

    python benchmarks/byte_pair.py

Takes 5 minutes. Reads GPT-2's vocabulary and texts from ../shared/data.
"""

import itertools
import json
import os
import random
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Annotated

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TOKENIZERS_PARALLELISM"] = "true"

import tensorflow as tf
import typer
from report import Bar, machine, publish
from rounds import alternate, times_faster
from tokenizers import Tokenizer, models, pre_tokenizers

from keras_ft.text.byte_pair import BytePairTokenizer

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
VOCABULARY = DATA / "vocab" / "gpt2"
TEXTS = {
    "SST-2": "en_classification/sst2/train.jsonl",
    "Chinese reviews": "zh_classification/chnsenticorp/train.jsonl",
    "long lines of Wikipedia": "corpora/wikitext2_valid_test/test.txt",
}
OTHERS = [
    "en_classification/ag_news/train.jsonl",
    "multilabel/goemotions/train.jsonl",
    "dialogue/chatterbot_zh/train.jsonl",
    "corpora/people_daily_199801_zh/all.txt",
    "translation/tatoeba_en_zh/train.jsonl",
    "translation/multi30k_en_de/train.jsonl",
]
BATCH_SIZE = 512


def strings(value: object) -> Iterator[str]:
    """All strings in a row."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from strings(item)


def read(name: str, most: int) -> list[str]:
    """Texts of a file; of running text the lines that are long."""
    lines = (DATA / name).read_text("utf-8").split("\n")
    if name.endswith(".txt"):
        return [line for line in lines if len(line) > 100][:most]
    texts = (text for line in lines if line for text in strings(json.loads(line)))
    return list(itertools.islice(texts, most))


def code(most: int) -> list[str]:
    """Lines of the standard library."""
    files = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    return list(itertools.islice((line for file in files for line in file.read_text("utf-8").split("\n")), most))


def reference() -> Tokenizer:
    """Hugging Face's tokenizer of GPT-2."""
    names = (str(VOCABULARY / "encoder.json"), str(VOCABULARY / "vocab.bpe"))
    tokenizer = Tokenizer(models.BPE.from_file(*names))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return tokenizer


def pipeline(tokenizer: BytePairTokenizer, texts: list[str]) -> tf.data.Dataset:
    """Texts to ids, through `tf.data`."""
    batches = tf.data.Dataset.from_tensor_slices([text.encode() for text in texts]).batch(BATCH_SIZE)
    return batches.map(tokenizer.tokenize, num_parallel_calls=os.cpu_count()).prefetch(2)


def timed(work: Callable[[], object], count: int) -> Callable[[int], float]:
    """Texts a second of a round."""

    def measure(number: int) -> float:
        started = time.perf_counter()
        work()
        return count / (time.perf_counter() - started)

    return measure


def speed(name: str, texts: list[str], tokenizer: BytePairTokenizer, rival: Tokenizer, rounds: int) -> dict:
    """Both in turn."""
    dataset = pipeline(tokenizer, texts)

    def ours() -> None:
        for _ in dataset:
            pass

    ours()
    found = alternate(
        {"keras_ft": timed(ours, len(texts)), "tokenizers": timed(lambda: rival.encode_batch(texts), len(texts))},
        rounds,
    )
    row = {"texts": name, "count": len(texts), "characters": round(sum(map(len, texts)) / len(texts))}
    row |= {f"{who}, texts/s": round(median(speeds)) for who, speeds in found.items()}
    row["ratio"] = times_faster(found["keras_ft"], found["tokenizers"])
    print(row, flush=True)
    return row


def differing(texts: list[str], tokenizer: BytePairTokenizer, rival: Tokenizer) -> int:
    """How many texts get other ids, or do not come back."""
    count = 0
    for begin in range(0, len(texts), BATCH_SIZE):
        batch = texts[begin : begin + BATCH_SIZE]
        ids = tokenizer.tokenize([text.encode() for text in batch])
        back = tokenizer.detokenize(ids).numpy()
        expected = [encoding.ids for encoding in rival.encode_batch(batch)]
        rows = zip(ids.to_list(), expected, back, batch, strict=True)
        count += sum(ours != theirs or again.decode() != text for ours, theirs, again, text in rows)
    return count


def resident() -> int:
    """Bytes of this process that are in memory, on Linux."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def memory_growth(tokenizer: BytePairTokenizer, words: int) -> float:
    """MB that the process grows by over distinct words, after as many of the first tenth as warm it up."""
    tokenize = tf.function(tokenizer.tokenize, input_signature=[tf.TensorSpec([None], tf.string)])
    before = 0
    rng = random.Random(0)
    for begin in range(0, words, 1000):
        if begin == words // 10:
            before = resident()
        tokenize(tf.constant([f"w{begin + i}{rng.choice('éß中')}x{rng.getrandbits(40):x}" for i in range(1000)]))
    return (resident() - before) / 1e6


def main(
    rounds: Annotated[int, typer.Option(help="How often each is measured.")] = 5,
    words: Annotated[int, typer.Option(help="Distinct words for the measurement of memory.")] = 1_000_000,
) -> None:
    """Measure, print, and write results/byte_pair.json."""
    if not VOCABULARY.is_dir():
        sys.exit(f"{VOCABULARY} is absent: put GPT-2's encoder.json and vocab.bpe there")
    before = machine()
    tokenizer = BytePairTokenizer.from_files(VOCABULARY / "encoder.json", VOCABULARY / "vocab.bpe")
    rival = reference()
    rows = [speed(name, read(file, 8000), tokenizer, rival, rounds) for name, file in TEXTS.items()]
    texts = [text for file in [*TEXTS.values(), *OTHERS] for text in read(file, 8000)] + code(20_000)
    growth = memory_growth(tokenizer, words)
    bars = [Bar(f"{row['texts']}: keras_ft ÷ tokenizers on all threads", 1.0, row["ratio"]) for row in rows]
    bars += [
        Bar("real texts compared", 50_000, len(texts)),
        Bar("of them with other ids, or that do not come back", 0, differing(texts, tokenizer, rival), at_most=True),
        Bar(f"MB of growth over {words:,} distinct words", 20, growth, at_most=True),
    ]
    publish("byte_pair", "GPT-2's tokenizer, strings to ids", rows, bars, before)


if __name__ == "__main__":
    typer.run(main)
