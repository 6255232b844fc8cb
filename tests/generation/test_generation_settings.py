import pydantic
import pytest
import tensorflow as tf

from keras_ft.generation.options import GenerationOptions
from keras_ft.generation.settings import Settings

TYPES = {
    "max_new_tokens": tf.int32,
    "temperature": tf.float32,
    "top_k": tf.int32,
    "top_p": tf.float32,
    "seed": tf.int32,
}
OPTIONS = GenerationOptions(max_new_tokens=9, do_sample=True, temperature=0.7, top_k=5, top_p=0.9, seed=11)


def asked(name: str, values: list) -> list:
    return (
        getattr(Settings.of(OPTIONS, len(values)).asked({name: tf.constant(values, TYPES[name])}), name)
        .numpy()
        .tolist()
    )


@pytest.mark.parametrize("name", TYPES)
def test_minus_one_leaves_it_to_the_recipe(name):
    assert asked(name, [-1, 1, -1]) == pytest.approx([getattr(OPTIONS, name), 1, getattr(OPTIONS, name)])


WRONG = [("temperature", value) for value in (-0.5, -2.0, float("nan"), float("inf"))]
WRONG += [("top_p", value) for value in (0.0, 1.01, -0.1, float("nan"))]
WRONG += [("top_k", -2), ("max_new_tokens", -3), ("seed", -2)]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_what_is_out_of_range_is_an_error_that_names_the_input(name, value):
    ask = tf.function(lambda values: Settings.of(OPTIONS, 2).asked({name: values}))
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"{name} should be .*, or -1 for the default; given"):
        ask(tf.constant([1, value], TYPES[name]))


@pytest.mark.parametrize(
    ("name", "value"), [("temperature", 0.0), ("top_k", 0), ("max_new_tokens", 0), ("seed", 0), ("top_p", 1.0)]
)
def test_the_ends_of_the_ranges_are_in_them(name, value):
    assert asked(name, [value]) == [value]


def test_without_sampling_the_temperature_is_0():
    assert Settings.of(GenerationOptions(temperature=0.7), 2).temperature.numpy().tolist() == [0, 0]


@pytest.mark.parametrize(
    "options",
    [
        {"seed": -1},
        {"seed": 2**31},
        {"top_k": 2**31},
        {"max_new_tokens": 2**31},
        {"max_new_tokens": -1},
        {"temperature": -0.1},
        {"temperature": float("nan")},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"repetition_penalty": 0.0},
        {"repetition_penalty": float("inf")},
        {"length_penalty": float("nan")},
        {"num_beams": 0},
        {"num_return": 2},
        {"num_beams": 2, "do_sample": True},
        {"min_new_tokens": 5, "max_new_tokens": 4},
        {"stop": [""]},
        {"forced_words": ["a", ""]},
    ],
    ids=str,
)
def test_options_that_mean_nothing_are_refused(options):
    with pytest.raises(pydantic.ValidationError, match=next(iter(options))):
        GenerationOptions(**options)
