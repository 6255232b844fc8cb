import pytest
import tensorflow as tf

from keras_ft.errors import RequestError
from keras_ft.recipe import check_options
from keras_ft.tasks.dialogue import Dialogue, DialogueOptions
from tests.tiny_language import SPEAKERS, tiny_tokenizer

LONG = "What is the weather like in the city where you're living? It was raining there yesterday."


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return tiny_tokenizer(tmp_path_factory.mktemp("bpe"))


@pytest.fixture(scope="module")
def said(tokenizer):
    """Marks a learned token by a star in front: `u hello . b *hi *.` with . for end-of-text."""
    known = tokenizer.vocabulary
    names = {known.token_to_id[SPEAKERS[0]]: "u", known.token_to_id[SPEAKERS[1]]: "b", known.end_id: "."}

    def say(sequences) -> list[str]:
        pairs = zip(sequences.ids.to_list(), sequences.segments.to_list(), strict=True)
        return [
            " ".join("*" * s + names.get(t, known.tokens[t].replace("Ġ", "_")) for t, s in zip(*pair, strict=True))
            for pair in pairs
        ]

    return say


def features(task, tokenizer, *dialogues: list[str]):
    return task.features(tokenizer, {"turns": tf.ragged.constant(dialogues, tf.string).to_tensor("")})


def prompts(task, tokenizer, *dialogues: list[str]):
    return task.prompts(tokenizer, {"turns": tf.ragged.constant(dialogues, tf.string).to_tensor("")})


def test_speakers_take_turns_and_the_replies_are_learned(tokenizer, said):
    task = Dialogue(max_length=64)
    found = features(task, tokenizer, ["a", "b", "c", "d"], ["a", "", "b", "c"], ["x", "y"])
    assert said(found) == ["u a . b *b *. u c . b *d *.", "u a . b *b *.", "u x . b *y *."]
    assert not found.truncated.numpy().any()
    last = features(Dialogue(max_length=64, reply="last"), tokenizer, ["a", "b", "c", "d"])
    assert said(last) == ["u a . b b . u c . b *d *."]


def test_a_request_ends_with_a_turn_of_the_user_and_begins_a_reply(tokenizer, said):
    found = prompts(Dialogue(max_length=64, reply="last"), tokenizer, ["a", "b", "c"], ["a"], ["b", "c"], [])
    assert said(found) == ["u a . b b . u c . b", "u a . b", "b b . u c . b", "b"]


def test_prompts_are_prefixes_of_training(tokenizer):
    task, turns = Dialogue(max_length=256), [LONG, "yes", "why?", "今天很好"]
    whole = features(task, tokenizer, turns).ids.to_list()[0]
    prompt = prompts(task, tokenizer, turns[:3]).ids.to_list()[0]
    assert whole[: len(prompt)] == prompt


def test_speakers_written_in_a_text_are_text(tokenizer, said):
    assert said(prompts(Dialogue(max_length=64), tokenizer, ["<|bot|>"]))[0].count("b") > 1
    ids = prompts(Dialogue(max_length=64), tokenizer, ["<|bot|>"]).ids.to_list()[0]
    assert ids.count(tokenizer.vocabulary.token_to_id["<|bot|>"]) == 1


def test_old_turns_are_left_out_as_a_whole(tokenizer, said):
    task = Dialogue(max_length=16, generation={"max_new_tokens": 4})  # a prompt has 12 tokens
    found = prompts(task, tokenizer, ["a", "b", "c", "d", "e"], ["a", "b", "c"], ["a", LONG, "c"])
    assert said(found) == ["u c . b d . u e . b", "u a . b b . u c . b", "u c . b"]
    assert found.truncated.numpy().tolist() == [True, False, True]


def test_the_last_turn_of_the_user_is_cut_on_the_left(tokenizer, said):
    task = Dialogue(max_length=16, generation={"max_new_tokens": 4})
    (prompt,) = said(prompts(task, tokenizer, ["a", "b", LONG]))
    words = prompt.split()
    assert (words[0], words[-2:], len(words)) == ("u", [".", "b"], 12)
    tokens = [tokenizer.vocabulary.tokens[i].replace("Ġ", "_") for i in tokenizer.tokenize([LONG]).values.numpy()]
    assert words[1:-2] == tokens[-9:]


def test_the_reply_gets_what_the_turns_leave_but_at_least_half(tokenizer, said):
    task = Dialogue(max_length=16)
    whole, cut, both = said(features(task, tokenizer, ["a", "b"], ["a", LONG], [LONG, LONG]))
    assert whole == "u a . b *b *."
    assert [cut.count("*"), both.count("*")] == [12, 8]
    assert [len(cut.split()), len(both.split())] == [16, 16]
    assert "*." not in cut
    assert said(features(task, tokenizer, [LONG, "b"]))[0].endswith(". b *b *.")


@pytest.mark.parametrize("max_length", [8, 9, 13])
def test_no_sequence_is_longer_than_it_may_be(tokenizer, max_length):
    task = Dialogue(max_length=max_length)
    dialogues = [[LONG] * n for n in range(2, 7)] + [["a"] * n for n in range(2, 7)] + [["a", LONG], [LONG, "a"]]
    found = features(task, tokenizer, *dialogues)
    assert found.ids.row_lengths().numpy().max() <= max_length
    assert (tf.reduce_sum(found.segments, axis=1).numpy() > 0).all()
    assert prompts(task, tokenizer, *dialogues).ids.row_lengths().numpy().max() <= task.prompt_room


def test_too_few_tokens_are_refused():
    with pytest.raises(RequestError, match=r"data.max_length is 7; task dialogue needs 8 tokens at least"):
        Dialogue(max_length=7)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reply": "first"}, "reply: should be 'all' or 'last'"),
        ({"user_token": "<|bot|>"}, "'user_token' and 'bot_token' should differ"),
        ({"bot_token": ""}, "bot_token"),
        ({"template": "{source}"}, "unknown key 'template'"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(RequestError) as error:
        check_options("task dialogue", options, DialogueOptions)
    assert message in str(error.value)
