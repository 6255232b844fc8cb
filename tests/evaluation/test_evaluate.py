"""What is calibrated on."""

import numpy as np
import pytest

from keras_ft.data.array_writer import write_arrays
from keras_ft.data.arrays import TokenArrays
from keras_ft.evaluation import evaluate as module
from keras_ft.evaluation.evaluate import Evaluated, calibrate


class Listening:
    """A task that keeps what it is calibrated on."""

    axes = {"label": "example"}  # noqa: RUF012
    num_outputs = 2

    def calibrate(self, outputs, targets, tell):
        self.label, self.logits = targets["label"], outputs["logits"]
        return {"examples": len(self.label)}


class SaysTheLabel:
    """An evaluator, of two examples at once."""

    def evaluated(self, arrays, batch_size=2):
        for first in range(0, arrays.num_examples, batch_size):
            indices = np.arange(first, min(first + batch_size, arrays.num_examples))
            label = arrays.gather(indices)["label"]
            logits = np.stack([label, -label], axis=1)
            yield {"indices": indices, "label": label}, Evaluated({}, {"logits": logits}, label, label)


@pytest.fixture
def arrays(tmp_path):
    """100 examples of lengths 1 to 5, labelled 0 to 99."""
    label = np.arange(100, dtype=np.int32)
    lengths = label % 5 + 1
    chunk = {"ids": np.ones(lengths.sum(), np.int32), "lengths": lengths, "label": label}
    write_arrays(tmp_path, "f", lambda _: iter([chunk]), Listening.axes)
    return TokenArrays.open(tmp_path, "f")


def test_a_small_set_is_calibrated_on_as_a_whole_and_in_silence(arrays):
    task, told = Listening(), []
    assert calibrate(SaysTheLabel(), task, arrays, told.append) == {"examples": 100}
    assert sorted(task.label) == list(range(100))
    assert told == []


@pytest.mark.parametrize(
    ("examples", "logits", "fewest", "taken"),
    [(10, 10_000, 1, 10), (50, 40, 1, 20), (50, 10, 25, 25), (99, 1, 500, 99)],
)
def test_of_a_large_set_an_even_part_is_calibrated_on_and_told(arrays, monkeypatch, examples, logits, fewest, taken):
    monkeypatch.setattr(module, "CALIBRATION_EXAMPLES", examples)
    monkeypatch.setattr(module, "CALIBRATION_LOGITS", logits)
    monkeypatch.setattr(module, "FEWEST_CALIBRATION_EXAMPLES", fewest)
    task, told = Listening(), []
    assert calibrate(SaysTheLabel(), task, arrays, told.append) == {"examples": taken}
    assert sorted(task.label) == [i * 100 // taken for i in range(taken)]
    assert np.array_equal(task.logits[:, 0], task.label)
    assert told == [f"Calibrating on {taken} of the 100 validation examples, evenly spread"]


def test_the_part_of_a_selection_stays_within_it(arrays, monkeypatch):
    monkeypatch.setattr(module, "CALIBRATION_EXAMPLES", 5)
    task = Listening()
    calibrate(SaysTheLabel(), task, arrays.select(np.arange(50, 70)), lambda line: None)
    assert sorted(task.label) == [50, 54, 58, 62, 66]
