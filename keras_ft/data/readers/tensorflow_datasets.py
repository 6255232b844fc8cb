"""`tfds:NAME[/CONFIG][:SPLIT]`: data sets of TensorFlow Datasets, prepared here or fetched by it."""

import hashlib
import json
import logging
import os
import re
from typing import Any

from keras_ft.data.readers.registry import Numbered, Record
from keras_ft.errors import RequestError, WorkError

PREFIX = "tfds:"
NAME = re.compile(r"tfds:(?P<name>[\w./-]+?(:\d+\.\d+\.\d+)?)(?::(?P<split>[a-z]\w*(\[.*\])?(\+.+)?))?")


class TFDSData:
    """One split of a data set.

    A class label is read as its name, bytes as UTF-8 text, a sequence as a list.

    Args:
        name: as in the recipe: `tfds:glue/sst2`, `tfds:glue/sst2:validation`, `tfds:imdb_reviews:train[:10%]`.
        default_split: what is read where the name says none.

    Raises:
        RequestError: the name is malformed, tensorflow-datasets is not installed or knows no such data set or split.
        WorkError: the data set could not be fetched.
    """

    def __init__(self, name: str, default_split: str):
        match = NAME.fullmatch(name)
        if not match:
            raise RequestError(f"{name} should look like tfds:glue/sst2, or tfds:glue/sst2:train[:10%] with a split")
        self.name = name
        self.split = match["split"] or default_split
        self._builder = _prepared(name, match["name"])
        try:
            self.num_examples = self._builder.info.splits[self.split].num_examples
        except (KeyError, ValueError, AssertionError):
            known = ", ".join(self._builder.info.splits)
            advice = f"its splits are {known}; write {PREFIX}{match['name']}:SPLIT"
            raise RequestError(f"{name} has no split '{self.split}'; {advice}") from None

    def digest(self) -> str:
        """What identifies the content: name, version, split and the sizes of its shards."""
        info = self._builder.info
        shards = {key: [list(split.shard_lengths), split.num_bytes] for key, split in info.splits.items()}
        return hashlib.sha256(json.dumps([info.full_name, self.split, shards]).encode()).hexdigest()

    def records(self) -> Numbered:
        """Read the examples, in the same order each time."""
        import tensorflow_datasets as tfds

        features = self._builder.info.features
        read = tfds.ReadConfig(interleave_cycle_length=1)
        data = self._builder.as_dataset(split=self.split, shuffle_files=False, read_config=read)
        for number, example in enumerate(tfds.as_numpy(data), start=1):
            try:
                yield number, _record(example, features)
            except UnicodeDecodeError as error:
                yield number, RequestError(f"{self.name} example {number} is not UTF-8 text ({error.reason})")


def _prepared(name: str, plain: str) -> Any:
    try:
        import tensorflow_datasets as tfds
    except ImportError:
        raise RequestError(f'{name} needs TensorFlow Datasets: pip install "keras-ft[data]"') from None
    logging.getLogger("absl").setLevel(logging.ERROR)
    folder = os.environ.get("TFDS_DATA_DIR")
    try:
        builder = tfds.builder(plain, data_dir=folder)
    except (tfds.core.registered.DatasetNotFoundError, ValueError) as error:
        reason = str(error).strip().splitlines()[0][:160]
        advice = "see tensorflow.org/datasets/catalog, or set TFDS_DATA_DIR to the folder that holds it"
        raise RequestError(f"{name} is unknown to TensorFlow Datasets ({reason}); {advice}") from None
    try:
        builder.download_and_prepare()
    except Exception as error:  # network, disk, checksums, Beam: of every kind
        reason = " ".join(str(error).split())[:200]
        raise WorkError(f"{name} could not be fetched ({reason}); check the network and the free disk space") from error
    return builder


def _record(example: Any, features: Any) -> Record:
    return {key: _plain(value, features[key]) for key, value in example.items()}


def _plain(value: Any, feature: Any) -> Any:
    inner = getattr(feature, "feature", None)  # of a sequence
    if isinstance(value, dict):
        return {key: _plain(part, (inner or feature)[key]) for key, part in value.items()}
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if hasattr(value, "ndim") and value.ndim > 0:
        return [_plain(item, inner or feature) for item in value]
    if hasattr(feature, "int2str") and int(value) >= 0:
        return feature.int2str(int(value))
    return value.item() if hasattr(value, "item") else value
