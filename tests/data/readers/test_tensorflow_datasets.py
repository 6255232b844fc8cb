"""`tfds:` names, over a data set that is made on the spot."""

import numpy as np
import pytest

from keras_ft.data.readers import find_sources
from keras_ft.errors import RequestError

tfds = pytest.importorskip("tensorflow_datasets")
TEXTS = {"train": ["great", "太差了", "fine"], "test": ["awful"]}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """What `tfds build` leaves behind: a folder of records that needs no code to be read."""
    folder = tmp_path_factory.mktemp("tfds")

    features = tfds.features.FeaturesDict(
        {
            "sentence": tfds.features.Text(),
            "mood": tfds.features.ClassLabel(names=["bad", "good"]),
            "tokens": tfds.features.Sequence(tfds.features.Text()),
            "stars": np.int64,
        }
    )

    def examples(texts):
        for i, text in enumerate(texts):
            yield str(i), {"sentence": text, "mood": i % 2, "tokens": list(text), "stars": i}

    splits = {split: examples(texts) for split, texts in TEXTS.items()}
    tfds.dataset_builders.store_as_tfds_dataset(
        name="moods", version="1.0.0", data_dir=folder, features=features, split_datasets=splits
    )
    return folder


@pytest.fixture
def here(data_dir, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(data_dir))


def records_of(name, **named):
    return [record for source in find_sources(name, **named) for _, record in source.records()]


def test_labels_are_names_and_texts_are_strings(here):
    found = sorted(records_of("tfds:moods"), key=lambda record: record["stars"])
    assert [(r["sentence"], r["mood"], r["stars"]) for r in found] == [
        ("great", "bad", 0),
        ("太差了", "good", 1),
        ("fine", "bad", 2),
    ]
    assert found[1]["tokens"] == ["太", "差", "了"]


def test_split_is_the_recipes_key_unless_the_name_says_one(here):
    assert records_of("tfds:moods", split="test")[0]["sentence"] == "awful"
    assert records_of("tfds:moods:test", split="train")[0]["sentence"] == "awful"
    assert len(records_of("tfds:moods:train[:2]")) == 2
    assert len(records_of("tfds:moods:1.0.0:train")) == 3


def test_digest_tells_splits_apart(here):
    digests = {find_sources(name)[0].digest() for name in ("tfds:moods", "tfds:moods:test", "tfds:moods:train[:2]")}
    assert len(digests) == 3


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tfds:moods:dev", "has no split 'dev'; its splits are train, test"),
        ("tfds:no_such_set", "tfds:no_such_set is unknown to TensorFlow Datasets"),
        ("tfds:", "tfds: should look like tfds:glue/sst2"),
    ],
)
def test_what_is_wrong_with_a_name_is_said_in_one_line(here, name, said):
    with pytest.raises(RequestError) as caught:
        find_sources(name)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
