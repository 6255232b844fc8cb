import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from keras_ft.errors import RequestError
from keras_ft.recipe import check_options
from keras_ft.tasks.classification_options import ClassificationOptions, weights_of_labels


def options(**given) -> ClassificationOptions:
    return check_options("task classification", given, ClassificationOptions)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"class_weight": "balansed"},
            "class_weight: should be 'balanced' or a mapping of labels to weights, not 'bal",
        ),
        ({"class_weight": {"good": 0}}, "class_weight: the weight of 'good' should be a number above 0"),
        ({"class_weight": {"good": True}}, "the weight of 'good' should be a number above 0"),
        ({"class_weight": {"good": float("nan")}}, "the weight of 'good' should be a number above 0"),
        ({"class_weight": {1.5: 2.0}}, "a label is a string, an integer or a boolean"),
        ({"class_weight": {}}, "should be 'balanced' or a mapping"),
        ({"label_smoothing": 1.0}, "label_smoothing"),
        ({"label_smoothing": -0.1}, "label_smoothing"),
        ({"focal_gamma": -1}, "focal_gamma"),
        ({"focal_gamma": float("inf")}, "focal_gamma"),
        ({"temperature": 0}, "temperature: should be 'auto' or a number from 0.1 to 100, not 0"),
        ({"temperature": "hot"}, "temperature: should be 'auto' or a number"),
        ({"temperature": True}, "temperature: should be 'auto' or a number"),
        ({"abstain": 1.5}, "abstain: should be a score from 0 to 1, or an accuracy"),
        ({"abstain": True}, "abstain: should be a score"),
        ({"abstain": {"accuracy": 0}}, "abstain: should be a score"),
        ({"abstain": {"acuracy": 0.9}}, "abstain: should be a score"),
        ({"smoothing": 0.1}, "did you mean 'label_smoothing'"),
    ],
)
def test_wrong_options_are_named_with_what_would_be_right(given, message):
    with pytest.raises(RequestError) as raised:
        options(**given)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_labels_in_yaml_may_be_numbers_or_booleans():
    assert options(class_weight={0: 1, True: 2.5, "好": 3}).class_weight == {"0": 1.0, "true": 2.5, "好": 3.0}


def test_balanced_weights_are_those_of_scikit_learn():
    label = np.array([0, 1, 1, 1, 2, 2, 1, 1])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=label)
    found = weights_of_labels("balanced", ["a", "b", "c"], np.bincount(label))
    np.testing.assert_allclose(found, expected)


def test_labels_without_a_weight_weigh_one_and_unknown_ones_are_refused():
    counts = np.array([3, 4])
    assert weights_of_labels({"good": 2.0}, ["bad", "good"], counts) == [1.0, 2.0]
    assert weights_of_labels(None, ["bad", "good"], counts) is None
    with pytest.raises(RequestError, match="class_weight names 'goood'.*did you mean 'good'"):
        weights_of_labels({"goood": 2.0}, ["bad", "good"], counts)
    with pytest.raises(RequestError, match="class_weight names '好'.*they have 'bad', 'good'"):
        weights_of_labels({"好": 2.0}, ["bad", "good"], counts)
