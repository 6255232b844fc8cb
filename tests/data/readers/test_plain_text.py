import pytest

from keras_ft.data.readers import find_sources
from keras_ft.data.readers.plain_text import CONTINUES, PIECE
from keras_ft.text.byte_pair import BytePairTokenizer
from tests.tiny import SENTENCES, tiny_byte_pair

PLAY = "".join(f"A:\n{text}\n\n \n  B:\n {text}\n\n" for text in SENTENCES) * 8


def records(path, division) -> list[dict]:
    return [record for source in find_sources(path, "train", division) for _, record in source.records()]


def write(folder, text: str):
    path = folder / "a.txt"
    path.write_bytes(text.encode())
    return path


def test_a_running_text_is_the_file_with_its_blank_lines(tmp_path):
    found = records(write(tmp_path, PLAY), "file")
    assert "".join(record["text"] for record in found) == PLAY
    assert len(found) == len(PLAY) // PIECE
    assert [bool(record[CONTINUES]) for record in found] == [False] + [True] * (len(found) - 1)


def test_tokens_of_the_pieces_are_those_of_the_whole(tmp_path):
    tiny_byte_pair(tmp_path)
    tokenizer = BytePairTokenizer.from_files(tmp_path / "vocab.json", tmp_path / "merges.txt")
    found = records(write(tmp_path, PLAY), "file")
    pieces = tokenizer.tokenize([record["text"] for record in found]).values.numpy().tolist()
    assert pieces == tokenizer.tokenize([PLAY]).values.numpy().tolist()


def test_paragraphs_keep_their_line_breaks(tmp_path):
    path = write(tmp_path, "\n a\nb \n\n \nc\r\nd")
    assert [record["text"] for record in records(path, "paragraph")] == [" a\nb ", "c\nd"]
    assert [number for number, _ in find_sources(path, "train", "paragraph")[0].records()] == [2, 6]


def test_lines_are_texts_unless_said_otherwise(tmp_path):
    path = write(tmp_path, "\na\n \nb")
    assert [record["text"] for record in records(path, "line")] == ["a", "b"]
    assert records(path, "line") == [record for _, record in find_sources(path)[0].records()]


def test_windows_line_ends_and_a_missing_last_one_become_line_feeds(tmp_path):
    assert records(write(tmp_path, "\ufeffa\r\nb"), "file") == [{"text": "a\nb\n", CONTINUES: ""}]


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_a_file_without_text_holds_no_records(tmp_path, text):
    from keras_ft.errors import RequestError

    with pytest.raises(RequestError, match=r"a\.txt holds no records"):
        records(write(tmp_path, text), "file")


def test_text_without_line_breaks_is_one_piece(tmp_path):
    text = "我们一起去公园。" * PIECE
    assert [record["text"] for record in records(write(tmp_path, text), "file")] == [text + "\n"]
