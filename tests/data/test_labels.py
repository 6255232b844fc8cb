"""Labels ⇄ numbers."""

import numpy as np
import pytest

from keras_ft.data.labels import LabelSet
from keras_ft.data.rows import Rows
from keras_ft.errors import RequestError


def test_integer_labels_are_ordered_by_value_however_written():
    assert LabelSet.discover([10, "9", 2, "-1", 10, np.int64(9)]).names == ["-1", "2", "9", "10"]


def test_other_labels_are_ordered_by_code_point_in_any_script():
    assert LabelSet.discover(["负面", "neg", "إيجابي", "😀", "10", "9"]).names == [
        "10",
        "9",
        "neg",
        "إيجابي",
        "负面",
        "😀",
    ]


def test_booleans_are_known_by_their_json_names():
    labels = LabelSet.discover([True, False])
    assert labels.names == ["false", "true"]
    assert labels.index("true", "here") == labels.index(True, "here") == 1


def test_a_saved_list_of_names_gives_the_same_set():
    labels = LabelSet.discover(["b", "a", "c"])
    assert LabelSet(labels.names) == labels
    assert LabelSet(["c", "a", "b"]) != labels


def test_indices_follow_names():
    indices = LabelSet(["neg", "pos"]).indices(["pos", "neg", "pos"])
    assert indices.tolist() == [1, 0, 1]
    assert indices.dtype == np.int32


@pytest.mark.parametrize(
    ("value", "said"), [(1.0, "1.0 (a float)"), (None, "missing"), (["a"], "['a'] (a list)"), ({}, "{} (a dict)")]
)
def test_value_that_cannot_be_a_label_names_its_line(value, said):
    rows = Rows({"label": ["a", "b", value]}, [1, 2, 4], "train.jsonl")
    message = f"train.jsonl line 4: the label is {said}; a label is a string, an integer or a boolean"
    with pytest.raises(RequestError) as caught:
        LabelSet.discover(rows.columns["label"], rows.where)
    assert str(caught.value) == message
    with pytest.raises(RequestError) as caught:
        LabelSet(["a", "b"]).indices(rows.columns["label"], rows.where)
    assert str(caught.value) == message


def test_label_unknown_to_training_names_line_and_nearest():
    with pytest.raises(RequestError) as caught:
        LabelSet(["negative", "positive"]).index("postive", "test.csv line 3")
    assert str(caught.value) == "test.csv line 3: the training data have no label 'postive'; did you mean 'positive'?"


def test_label_near_no_other_lists_the_known_ones():
    with pytest.raises(RequestError, match=r"known are 'l0', 'l1'.*'l9' and 5 more"):
        LabelSet([f"l{i}" for i in range(15)]).index("完全", "test.csv line 3")


@pytest.mark.parametrize(("values", "said"), [(["a", "a"], "has one label only, 'a'"), ([], "has no labels")])
def test_fewer_than_two_labels_are_refused(values, said):
    with pytest.raises(RequestError) as caught:
        LabelSet.discover(values)
    assert str(caught.value) == f"the training data {said}; at least two different ones are needed"


def test_repeated_name_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="twice"):
        LabelSet(["a", "a"])
