"""Examples of several sequences, from files to batches in both layouts and back."""

import numpy as np
import pytest

from keras_ft.batch import TokenBatch
from keras_ft.data.array_writer import write_arrays
from keras_ft.data.arrays import TokenArrays
from keras_ft.data.pipeline import batches
from keras_ft.data.plans import evaluation_steps, training_plans
from keras_ft.evaluation.real_part import real_part
from keras_ft.training.micro_batches import micro_batch

COUNTS = np.array([1, 3, 2, 1, 4])
AXES = {"word": "token", "place": "sequence", "label": "example"}
TEXTS = ["plain", "", "中文 ✓", "naïve", "a\nb"]


def chunk(counts: np.ndarray = COUNTS, first: int = 0) -> dict:
    """Sequences of 2 to 4 tokens; ids say example, sequence and place."""
    lengths = 2 + np.arange(counts.sum()) % 3
    example = np.repeat(np.arange(len(counts)) + first, counts)
    number = np.concatenate([np.arange(count) for count in counts])
    of_token = np.repeat(np.arange(len(lengths)), lengths)
    place = np.concatenate([np.arange(length) for length in lengths])
    ids = example[of_token] * 100 + number[of_token] * 10 + place
    return {
        "ids": ids.astype(np.int32),
        "lengths": lengths,
        "sequences": counts,
        "window_start": (10 * number).astype(np.int32),
        "word": ids.astype(np.int32) + 1,
        "place": (example * 10 + number).astype(np.int32),
        "label": (np.arange(len(counts)) + first).astype(np.int32),
        "note": TEXTS[: len(counts)],
    }


@pytest.fixture
def arrays(tmp_path):
    return write_arrays(tmp_path, "f", lambda _: [chunk()], AXES, several_sequences=True, texts=["note"])


def test_an_example_keeps_its_sequences_features_and_texts(arrays):
    assert (arrays.num_examples, arrays.num_sequences, arrays.most_sequences) == (5, 11, 4)
    found = arrays.gather(np.array([4, 1]))
    assert found["example_of_sequence"].tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert found["window_start"].tolist() == [0, 10, 20, 30, 0, 10, 20]
    assert found["place"].tolist() == [40, 41, 42, 43, 10, 11, 12]
    assert found["label"].tolist() == [4, 1]
    assert (found["ids"] // 100).tolist() == np.array([4, 1])[found["example_of_sequence"][found["sequence"]]].tolist()
    assert (found["ids"] % 10 == found["positions"]).all()
    assert (found["word"] == found["ids"] + 1).all()
    assert arrays.texts(np.array([2, 0, 4])) == {"note": ["中文 ✓", "plain", "a\nb"]}
    some = arrays.select(np.array([3, 2]))
    assert some.lengths.tolist() == arrays.lengths[[3, 2]].tolist()
    assert some.texts(np.array([1, 0])) == {"note": ["中文 ✓", "naïve"]}
    assert some.most_sequences == 2


def test_a_writer_that_was_killed_takes_up_sequences_and_texts(tmp_path, arrays):
    class Killed(Exception):
        pass

    first, second = chunk(COUNTS[:2]), chunk(COUNTS[2:], first=2)
    second["note"] = TEXTS[2:]

    def dies(start):
        yield first
        yield first
        raise Killed

    folder = tmp_path / "again"
    import keras_ft.data.array_writer as writer

    before, writer.SECONDS_BETWEEN_COMMITS = writer.SECONDS_BETWEEN_COMMITS, 0.0
    try:
        with pytest.raises(Killed):
            write_arrays(folder, "f", dies, AXES, several_sequences=True, texts=["note"])
    finally:
        writer.SECONDS_BETWEEN_COMMITS = before
    starts = []

    def goes_on(start):
        starts.append(start)
        return [second]

    write_arrays(folder, "f", goes_on, AXES, several_sequences=True, texts=["note"])
    found = TokenArrays.open(folder, "f")
    assert starts == [4]
    assert found.num_examples == 7
    assert found.texts(np.arange(7))["note"] == [*TEXTS[:2], *TEXTS[:2], *TEXTS[2:]]
    assert found.gather(np.arange(4, 7))["ids"].tolist() == second["ids"].tolist()


@pytest.mark.parametrize("layout", ["ragged", "rows"])
def test_both_layouts_give_the_same_tokens_sequences_and_examples_back(arrays, layout):
    seen = []
    for tensors in batches(arrays, evaluation_steps(layout, arrays.lengths, 2)):
        batch = TokenBatch.from_tensors({n: t for n, t in tensors.items() if n != "indices"}, AXES)
        firsts = np.take(batch.ids, batch.first_token)
        weights = np.array(batch.weights_of_sequences())
        assert (firsts[weights > 0] % 10 == 0).all()
        ones = batch.sum_of_sequences(np.ones(len(batch.ids), np.float32) * batch.token_weights)
        tokens = np.array(batch.sum_of_examples(ones))
        real = np.array(tensors["indices"]) >= 0
        assert tokens[real].tolist() == arrays.lengths[np.array(tensors["indices"])[real]].tolist()
        outputs = {"doubled": 2 * np.array(tensors["ids"]), "of_sequence": np.array(tensors["place"])}
        kept, said = real_part(tensors, AXES, outputs, {"doubled": "token", "of_sequence": "sequence"})
        expected = arrays.gather(kept["indices"])
        for name in expected:
            np.testing.assert_array_equal(kept[name], expected[name], err_msg=name)
        np.testing.assert_array_equal(said["doubled"], 2 * expected["ids"])
        np.testing.assert_array_equal(said["of_sequence"], expected["place"])
        seen += kept["indices"].tolist()
    assert sorted(seen) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("layout", ["ragged", "rows"])
def test_micro_batches_part_sequences_and_examples(arrays, layout):
    plans = training_plans(layout, arrays.lengths, 0, epochs=1, parts=2, batch_size=4)
    (tensors, *_) = batches(arrays, plans.steps(0), accumulate=2)
    examples = []
    for number in range(2):
        batch = micro_batch({n: t for n, t in tensors.items() if n != "indices"}, AXES, number, 2)
        real = np.array(batch.example_weights) > 0
        of_token = np.array(batch.example_of_token(-1))
        labels = np.array(batch.features["label"])
        used = np.array(batch.token_weights) > 0
        assert (np.array(batch.ids)[used] // 100 == labels[of_token[used]]).all()
        examples += labels[real].tolist()
    assert len(set(examples)) == len(examples) == 4
