"""Which differences between two texts count for nothing, and which turn the meaning round."""

import pytest

from keras_ft.inspection.normal_text import normalize


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("-5 degrees", "5 degrees"),
        ("it is (-5)", "it is (5)"),
        ("−5", "5"),
        ("-0.5", "0.5"),
        ("-.5", ".5"),
        ("C#", "C"),
        ("c++", "c"),
        ("up 5%", "up 5"),
        ("up 5 %", "up 5"),
        ("we are #1", "we are 1"),
    ],
)
def test_signs_that_turn_the_meaning_round_stay(one, other):
    assert normalize(one) != normalize(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("−5 degrees", "-5 degrees!"),
        ("Covid-19", "covid 19"),
        ("well-known", "well known"),
        ("- good film", "good film"),
        ("good -- film", "good, film"),
        ("# good film", "good film"),
        ("－５", "-5"),
    ],
)
def test_punctuation_counts_for_nothing(one, other):
    assert normalize(one) == normalize(other)


def test_punctuation_alone_is_nothing():
    assert normalize("--- # % !") == ""
