import pytest
import tensorflow as tf

from keras_ft.errors import RequestError
from keras_ft.recipe import check_options
from keras_ft.tasks.causal_lm import CausalLM, CausalLMOptions
from tests.tiny_language import tiny_tokenizer


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return tiny_tokenizer(tmp_path_factory.mktemp("bpe"))


def features(task, tokenizer, texts: list[str], continues: list[str]):
    return task.features(tokenizer, {"text": tf.constant(texts), "continues": tf.constant(continues)})


def test_documents_of_blocks_begin_with_end_of_text_and_are_whole(tokenizer):
    end = tokenizer.vocabulary.end_id
    found = features(CausalLM(max_length=3), tokenizer, ["abcdefgh", "xy<|endoftext|>"], ["", "yes"])
    first, second = found.ids.to_list()
    assert first == [end, *tokenizer.tokenize(["abcdefgh"]).values.numpy()]
    assert second == tokenizer.tokenize(["xy<|endoftext|>"]).values.numpy().tolist()
    assert end not in second
    assert not found.truncated.numpy().any()


def test_a_document_alone_has_both_ends_unless_it_is_cut(tokenizer):
    end = tokenizer.vocabulary.end_id
    found = features(CausalLM(blocks=False, max_length=5), tokenizer, ["xyz", "vwxyz"], ["", ""])
    assert found.ids.to_list() == [
        [end, *tokenizer.tokenize(["xyz"]).values.numpy(), end],
        [end, *tokenizer.tokenize(["vwxyz"]).values.numpy()][:5],
    ]
    assert found.truncated.numpy().tolist() == [False, True]
    assert found.segments.to_list() == [[1] * 5, [1] * 5]


@pytest.mark.parametrize("blocks", [True, False])
def test_prompts_are_cut_on_the_left_and_none_is_empty(tokenizer, blocks):
    end = tokenizer.vocabulary.end_id
    task = CausalLM(blocks=blocks, max_length=8, generation={"max_new_tokens": 3})
    found = task.prompts(tokenizer, {"prompt": tf.constant(["", "xyz", "qvwxyz"])})
    tokens = [tokenizer.tokenize([text]).values.numpy().tolist() for text in ("xyz", "vwxyz")]
    begin = [] if blocks else [end]  # without blocks the model knows no text that begins in its middle
    assert found.ids.to_list() == [[end], begin + tokens[0], tokens[1]]
    assert found.truncated.numpy().tolist() == [False, False, True]
    assert found.ids.row_lengths().numpy().max() <= task.prompt_room == 5


def test_more_new_tokens_than_there_is_room_leave_half_to_the_prompt():
    assert CausalLM(max_length=9, generation={"max_new_tokens": 64}).prompt_room == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"documents": "files"}, "documents: should be 'line', 'paragraph' or 'file'"),
        ({"blocks": 64}, "blocks: should be a valid boolean"),
        ({"block": True}, "did you mean 'blocks'?"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(RequestError) as error:
        check_options("task causal_lm", options, CausalLMOptions)
    assert message in str(error.value)


def test_a_txt_file_is_one_text_for_blocks_and_a_text_a_line_without(tokenizer):
    assert CausalLM.division(CausalLMOptions()) == "file"
    assert CausalLM.division(CausalLMOptions(blocks=False)) == "line"
    assert CausalLM.division(CausalLMOptions(documents="paragraph")) == "paragraph"
