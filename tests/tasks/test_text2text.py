import pytest
import tensorflow as tf

from keras_ft.errors import RequestError
from keras_ft.recipe import check_options
from keras_ft.tasks.templates import filled
from keras_ft.tasks.text2text import Text2Text, Text2TextOptions
from tests.tiny_language import tiny_tokenizer

TEMPLATE = "Say it {{again}}:\n{source}<|bot|>So:\n"
LONG = "The weather is good today, so we're going to the park together with the children."


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return tiny_tokenizer(tmp_path_factory.mktemp("bpe"))


def rows(sequences) -> list[tuple[list[int], list[int]]]:
    """What is read and what is learned of each sequence."""
    pairs = zip(sequences.ids.to_list(), sequences.segments.to_list(), strict=True)
    return [([t for t, s in zip(*p, strict=True) if not s], [t for t, s in zip(*p, strict=True) if s]) for p in pairs]


def ids(tokenizer, text: str) -> list[int]:
    return tokenizer.tokenize([text]).values.numpy().tolist()


def features(task, tokenizer, source: str, target: str):
    return task.features(tokenizer, {"source": tf.constant([source]), "target": tf.constant([target])})


def prompts(task, tokenizer, *sources: str):
    return task.prompts(tokenizer, {"source": tf.constant(sources, tf.string)})


@pytest.mark.parametrize("source", ["你好吗？", "a <|bot|> written in a text", " ", LONG])
def test_the_prompt_of_a_request_is_the_prefix_of_training(tokenizer, source):
    task = Text2Text(max_length=256, template=TEMPLATE)
    ((read, learned),) = rows(features(task, tokenizer, source, "今天"))
    bot = tokenizer.vocabulary.token_to_id["<|bot|>"]
    assert read == [*ids(tokenizer, f"Say it {{again}}:\n{source}"), bot, *ids(tokenizer, "So:\n")]
    assert learned == [*ids(tokenizer, "今天"), tokenizer.vocabulary.end_id]
    assert prompts(task, tokenizer, source).ids.to_list() == [read]


def test_a_long_source_is_cut_at_its_end_and_what_stands_behind_it_is_kept(tokenizer):
    task = Text2Text(max_length=32, template="{source}\nTitle:\n", generation={"max_new_tokens": 8})
    tail = ids(tokenizer, "\nTitle:\n")
    found = features(task, tokenizer, LONG, "Park")
    ((read, learned),) = rows(found)
    assert learned == [*ids(tokenizer, "Park"), tokenizer.vocabulary.end_id]
    assert len(read) + len(learned) == 32
    assert read[-len(tail) :] == tail
    assert read[: -len(tail)] == ids(tokenizer, LONG)[: len(read) - len(tail)]
    assert found.truncated.numpy().tolist() == [True]
    prompt = prompts(task, tokenizer, LONG, "a")
    assert prompt.ids.row_lengths().numpy()[0] == task.prompt_room == 24
    assert prompt.ids[0].numpy().tolist()[-len(tail) :] == tail
    assert prompt.truncated.numpy().tolist() == [True, False]


def test_a_target_gets_what_the_source_leaves_but_at_least_half(tokenizer):
    task = Text2Text(max_length=20)
    target = ids(tokenizer, LONG)
    assert rows(features(task, tokenizer, LONG, LONG))[0][1] == target[:10]
    short = rows(features(task, tokenizer, "a", LONG))[0]
    assert short == (ids(tokenizer, "a\n"), target[:18])
    whole = features(Text2Text(max_length=256), tokenizer, "a", LONG)
    assert rows(whole)[0][1] == [*target, tokenizer.vocabulary.end_id]
    assert not whole.truncated.numpy().any()


def test_an_empty_prompt_is_end_of_text_alone(tokenizer):
    task = Text2Text(max_length=20, template="{source}")
    assert prompts(task, tokenizer, "", "a").ids.to_list() == [[tokenizer.vocabulary.end_id], ids(tokenizer, "a")]
    assert prompts(task, tokenizer).ids.to_list() == []


def test_a_template_that_leaves_no_room_is_refused(tokenizer):
    with pytest.raises(RequestError, match=r"the template alone has \d+ tokens, .* raise data.max_length above"):
        prompts(Text2Text(max_length=20, template=LONG + "{source}"), tokenizer, "a")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"template": "Translate:"}, "template: should hold {source} once, or be one of translation, summarization"),
        ({"template": "{source} {source}"}, "template: should hold {source} once"),
        ({"template": "{text}{source}"}, "the field {text} is unknown; known: source, source_language"),
        ({"template": "{source"}, "is no template"),
        ({"template": "{source!r}"}, "is no template"),
        ({"template": "translation", "source_language": "English"}, "needs the option 'target_language'"),
        ({"template": 3}, "template: should be a valid string"),
        ({"label_smoothing": 1.0}, "label_smoothing"),
        ({"added_tokens": [" "]}, "a token should have a character that is not white space"),
        ({"generation": {"num_beam": 2}}, "unknown key 'generation.num_beam'"),
    ],
)
def test_wrong_options_are_refused_in_one_line(options, message):
    with pytest.raises(RequestError) as error:
        check_options("task text2text", options, Text2TextOptions)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_templates_have_names():
    languages = {"source_language": "English", "target_language": "Chinese"}
    assert filled("translation", languages) == ("English: ", "\nChinese:\n")
    assert filled("title", {}) == ("", "\nTitle:\n")
    assert filled("{{{source}}}", {}) == ("{", "}")
