from itertools import pairwise

import numpy as np
import pytest

from keras_ft.data.array_writer import write_arrays
from keras_ft.data.arrays import TokenArrays
from keras_ft.data.blocks import Blocks

LENGTHS = [3, 1, 9, 1, 1, 5]


@pytest.fixture
def documents(tmp_path) -> TokenArrays:
    """Their tokens are 0, 1, 2 … over all."""
    chunk = {"ids": np.arange(sum(LENGTHS)), "lengths": np.array(LENGTHS)}
    return write_arrays(tmp_path, "f", lambda _: [chunk])


def windows(blocks: Blocks) -> list[list[int]]:
    return [blocks.gather(np.array([i]))["ids"].tolist() for i in range(blocks.num_examples)]


@pytest.mark.parametrize("length", [2, 3, 7, 20, 21])
def test_every_token_but_the_first_is_predicted_once(documents, length):
    found = windows(Blocks(documents, length))
    assert [token for window in found for token in window[1:]] == list(range(1, 20))
    assert all(len(window) == length for window in found[:-1])
    assert all(later[0] == former[-1] for former, later in pairwise(found))


def test_a_batch_is_its_windows_one_behind_the_other(documents):
    blocks = Blocks(documents, 7)
    batch = blocks.gather(np.array([2, 0]))
    assert batch["ids"].tolist() == [*range(12, 19), *range(7)]
    assert batch["sequence"].tolist() == [0] * 7 + [1] * 7
    assert batch["positions"].tolist() == [*range(7), *range(7)]
    assert batch["first_token"].tolist() == [0, 7]
    assert set(batch["segments"]) == {1}
    assert blocks.lengths.tolist() == [7, 7, 7, 2]


def test_some_documents_make_a_stream_of_their_own(documents):
    blocks = Blocks(documents.select(np.array([1, 5])), 4)
    assert windows(blocks) == [[3, 15, 16, 17], [17, 18, 19]]
    assert blocks.is_selection


def test_fields_are_those_of_plain_arrays(documents):
    mine, theirs = Blocks(documents, 4).gather(np.array([0])), documents.gather(np.array([0]))
    assert {name: values.dtype for name, values in mine.items()} == {name: v.dtype for name, v in theirs.items()}


def test_other_lengths_and_other_documents_are_told_apart(documents):
    found = [Blocks(documents, 4), Blocks(documents, 5), Blocks(documents.select(np.array([1])), 4), documents]
    assert len({str(arrays.identity) for arrays in found}) == 4


@pytest.mark.parametrize("rows", [[], [1]])
def test_no_token_to_predict_makes_no_block(documents, rows):
    blocks = Blocks(documents.select(np.array(rows, np.int64)), 4)
    assert blocks.num_examples == 0
    assert len(blocks.gather(np.zeros(0, np.int64))["ids"]) == 0
