import json

import keras
import numpy as np
import pytest

from keras_ft.errors import RequestError
from keras_ft.training.callback_state import CallbackStates, Kept


class Counts(keras.callbacks.Callback):
    def __init__(self, limit=3):
        super().__init__()
        self.limit, self.total, self.seen, self.best = limit, 0, [], None
        self.open_file = object()

    def on_train_begin(self, logs=None):
        self.started = True

    def learn(self):
        self.total += 1
        self.seen.append((self.total, {"at": np.float32(0.1)}))
        self.best = [np.arange(3, dtype="float32"), np.array([[True]])]


def through_a_checkpoint(kept: Kept) -> Kept:
    """JSON and arrays apart, as the files hold them."""
    return Kept.of(json.loads(json.dumps(kept.states)), {"model/kernel": np.ones(2), **kept.arrays})


def test_plain_attributes_come_back_and_the_rest_is_left_alone():
    before, after = Counts(), Counts(limit=5)
    states = CallbackStates([before])
    states.begin(Kept())
    before.learn()
    resumed = CallbackStates([after])
    resumed.begin(through_a_checkpoint(states.collect()))
    assert (after.total, after.seen) == (1, [(1, {"at": np.float32(0.1)})])
    assert after.best[0].dtype == "float32"
    assert np.array_equal(after.best[0], [0, 1, 2])
    assert after.best[1].tolist() == [[True]]
    assert after.limit == 5, "what did not change is as the new process wants it"
    again = Counts()
    CallbackStates([again]).begin(through_a_checkpoint(resumed.collect()))
    assert again.total == 1, "what was given back is kept again"


def test_each_callback_of_a_class_gets_its_own():
    pair = [Counts(), Counts()]
    states = CallbackStates(pair)
    states.begin(Kept())
    pair[1].learn()
    fresh = [Counts(), keras.callbacks.History(), Counts()]
    CallbackStates(fresh).begin(through_a_checkpoint(states.collect()))
    assert [fresh[0].total, fresh[2].total] == [0, 1]


def test_a_callback_that_keeps_itself_is_asked():
    class Keeps(keras.callbacks.Callback):
        given = None

        def get_state(self):
            return {"a": [1, {"b": None}], 2: "c"}

        def set_state(self, state):
            self.given = state

    keeps = Keeps()
    states = CallbackStates([keeps])
    states.begin(Kept())
    CallbackStates([keeps]).begin(through_a_checkpoint(states.collect()))
    assert keeps.given == keeps.get_state()
    keeps.get_state = lambda: object()
    with pytest.raises(RequestError, match=r"Keeps.get_state\(\) should return what JSON can hold, not object"):
        states.collect()
