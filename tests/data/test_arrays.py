"""Token arrays in files: written in chunks, valid only when whole, gathered as flat batches."""

import json

import numpy as np
import pytest

from keras_ft.data.array_writer import write_arrays
from keras_ft.data.arrays import TokenArrays

AXES = {"label": "example", "tag": "token", "weight": "sequence", "spans": "example"}
LENGTHS = [[3, 1, 4], [1], [5, 9]]


def chunk_of(lengths, segments=None, seed=0):
    generator = np.random.default_rng(seed)
    tokens, sequences = sum(lengths), len(lengths)
    chunk = {
        "ids": generator.integers(0, 30_000, tokens),
        "lengths": np.array(lengths),
        "label": generator.integers(0, 5, sequences, dtype=np.int32),
        "tag": generator.integers(-1, 9, tokens, dtype=np.int8),
        "weight": generator.random(sequences, dtype=np.float32),
        "spans": generator.integers(0, 9, (sequences, 2)),
    }
    return chunk if segments is None else chunk | {"segments": np.array(segments)}


def sequences_of(chunks, name):
    """The value of a token-wise array for each sequence, in the plainest way."""
    parts = []
    for chunk in chunks:
        parts += np.split(chunk[name], np.cumsum(chunk["lengths"])[:-1])
    return parts


@pytest.fixture
def chunks():
    return [chunk_of(lengths, seed=i) for i, lengths in enumerate(LENGTHS)]


def test_gathered_batch_equals_its_sequences_laid_end_to_end(tmp_path, chunks):
    write_arrays(tmp_path, "f", lambda _: iter(chunks), AXES)
    arrays = TokenArrays.open(tmp_path, "f")
    assert (arrays.num_examples, arrays.num_sequences, arrays.num_tokens) == (6, 6, 23)
    assert arrays.lengths.tolist() == [3, 1, 4, 1, 5, 9]

    indices = np.array([5, 0, 3, 3])
    batch = arrays.gather(indices)
    lengths = [9, 3, 1, 1]
    assert np.array_equal(batch["ids"], np.concatenate([sequences_of(chunks, "ids")[i] for i in indices]))
    assert np.array_equal(batch["tag"], np.concatenate([sequences_of(chunks, "tag")[i] for i in indices]))
    assert batch["positions"].tolist() == [*range(9), *range(3), 0, 0]
    assert batch["sequence"].tolist() == [0] * 9 + [1] * 3 + [2, 3]
    assert batch["segments"].tolist() == [0] * sum(lengths)
    assert batch["token_weights"].tolist() == [1] * sum(lengths)
    assert batch["example_of_sequence"].tolist() == [0, 1, 2, 3]
    assert batch["window_start"].tolist() == [0, 0, 0, 0]
    for name in ("label", "weight", "spans"):
        assert np.array_equal(batch[name], np.concatenate([chunk[name] for chunk in chunks])[indices])


def test_dtypes_are_those_a_token_batch_wants_and_features_keep_their_own(tmp_path, chunks):
    batch = write_arrays(tmp_path, "f", lambda _: chunks, AXES).gather(np.array([1]))
    whole = ("ids", "positions", "segments", "sequence", "example_of_sequence", "window_start", "label")
    assert {batch[name].dtype for name in whole} == {np.dtype(np.int32)}
    assert batch["token_weights"].dtype == batch["weight"].dtype == np.float32
    assert (batch["tag"].dtype, batch["spans"].dtype) == (np.int8, np.int64)


def test_segments_that_appear_late_are_zero_before(tmp_path, chunks):
    chunks = [*chunks, chunk_of([4], [0, 0, 1, 1]), chunk_of([2])]
    arrays = write_arrays(tmp_path, "f", lambda _: chunks, AXES)
    assert arrays.gather(np.arange(8))["segments"].tolist() == [0] * 23 + [0, 0, 1, 1] + [0, 0]


def test_segments_that_are_all_zero_take_no_file(tmp_path):
    write_arrays(tmp_path, "1", lambda _: [chunk_of([2], [0, 1])], AXES)
    assert (tmp_path / "segments.npy").exists()
    arrays = write_arrays(tmp_path, "2", lambda _: [chunk_of([2], [0, 0])], AXES)
    assert not (tmp_path / "segments.npy").exists()
    assert arrays.gather(np.array([0]))["segments"].tolist() == [0, 0]


def test_files_are_plain_npy_files(tmp_path, chunks):
    write_arrays(tmp_path, "f", lambda _: chunks, AXES)
    assert np.array_equal(np.load(tmp_path / "ids.npy"), np.concatenate([chunk["ids"] for chunk in chunks]))
    assert np.load(tmp_path / "offsets.npy").tolist() == [0, 3, 4, 8, 9, 14, 23]
    assert np.load(tmp_path / "spans.npy").shape == (6, 2)


def test_gathering_no_examples_gives_empty_arrays(tmp_path, chunks):
    batch = write_arrays(tmp_path, "f", lambda _: chunks, AXES).gather(np.zeros(0, dtype=int))
    assert {len(array) for array in batch.values()} == {0}
    assert batch["spans"].shape == (0, 2)


def test_arrays_of_another_fingerprint_are_not_opened(tmp_path, chunks):
    write_arrays(tmp_path, "数据-1", lambda _: chunks, AXES)
    assert TokenArrays.open(tmp_path, "数据-1") is not None
    assert TokenArrays.open(tmp_path, "数据-2") is None
    assert TokenArrays.open(tmp_path / "absent", "数据-1") is None


def test_a_crash_while_writing_leaves_nothing_to_open_not_even_what_was_there(tmp_path, chunks):
    def crashing():
        yield chunks[0]
        raise RuntimeError("the machine went away")

    write_arrays(tmp_path, "f", lambda _: chunks, AXES)
    with pytest.raises(RuntimeError, match="went away"):
        write_arrays(tmp_path, "f", lambda _: crashing(), AXES)
    assert TokenArrays.open(tmp_path, "f") is None
    assert write_arrays(tmp_path, "f", lambda _: chunks, AXES).num_examples == 6
    assert TokenArrays.open(tmp_path, "f") is not None


@pytest.mark.parametrize("name", ["ids.npy", "offsets.npy", "label.npy", "meta.json"])
def test_a_file_absent_or_cut_short_is_not_opened(tmp_path, chunks, name):
    write_arrays(tmp_path, "f", lambda _: chunks, AXES)
    content = (tmp_path / name).read_bytes()
    for size in (len(content) - 4, 0):
        (tmp_path / name).write_bytes(content[:size])
        assert TokenArrays.open(tmp_path, "f") is None
    (tmp_path / name).unlink()
    assert TokenArrays.open(tmp_path, "f") is None


def test_a_marker_that_is_json_of_another_kind_is_not_opened(tmp_path, chunks):
    write_arrays(tmp_path, "f", lambda _: chunks, AXES)
    for other in ([], {}, "text", {"fingerprint": "f"}):
        (tmp_path / "meta.json").write_text(json.dumps(other))
        assert TokenArrays.open(tmp_path, "f") is None


def test_rewriting_does_not_disturb_arrays_already_open(tmp_path):
    old = write_arrays(tmp_path, "1", lambda _: [{"ids": np.array([7, 8]), "lengths": np.array([2])}])
    write_arrays(tmp_path, "2", lambda _: [{"ids": np.array([1, 2, 3]), "lengths": np.array([3])}])
    assert old.gather(np.array([0]))["ids"].tolist() == [7, 8]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"lengths": np.array([2, 1])}, "lengths add up to 3, but there are 4 ids"),
        ({"lengths": np.array([4, 0])}, "sequence 1 has no tokens"),
        ({"segments": np.array([0, 1])}, r"4 ids but segments of shape \(2,\)"),
        ({"label": np.array([1, 2, 3])}, "feature 'label' .* axis 'example' has 2 rows"),
        ({"label": np.array(["a", "b"])}, "feature 'label' is <U1"),
        ({"other": np.array([1, 2])}, r"\['other'\] have no axis"),
    ],
)
def test_chunk_that_contradicts_itself_is_refused(tmp_path, change, said):
    with pytest.raises(ValueError, match=said):
        write_arrays(tmp_path, "f", lambda _: [chunk_of([3, 1]) | change], AXES)
    assert TokenArrays.open(tmp_path, "f") is None


@pytest.mark.parametrize("change", [{"label": np.array([0.5, 1.5])}, {"spans": np.zeros((2, 3), dtype=int)}])
def test_feature_that_changes_its_kind_or_shape_midway_is_refused(tmp_path, chunks, change):
    with pytest.raises(ValueError, match="those before"):
        write_arrays(tmp_path, "f", lambda _: [*chunks, chunk_of([3, 1]) | change], AXES)


@pytest.mark.parametrize("axes", [{"ids": "token"}, {"indices": "example"}, {"label": "row"}])
def test_feature_of_a_taken_name_or_unknown_axis_is_refused(tmp_path, axes):
    with pytest.raises(ValueError, match="axes are"):
        write_arrays(tmp_path, "f", lambda _: [], axes)


def test_nothing_to_write_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no sequences"):
        write_arrays(tmp_path, "f", lambda _: [])


def test_selected_examples_are_those_of_the_folder_in_the_order_asked_for(tmp_path, chunks):
    whole = write_arrays(tmp_path, "f", lambda _: chunks, AXES)
    part = whole.select(np.array([5, 0, 3]))
    assert (part.num_examples, part.num_tokens) == (3, 13)
    assert part.lengths.tolist() == [9, 3, 1]
    assert part.rows.tolist() == [5, 0, 3]
    expected = whole.gather(np.array([3, 5]))
    for name, values in part.gather(np.array([2, 0])).items():
        assert np.array_equal(values, expected[name]), name


class Killed(Exception):
    pass


@pytest.mark.parametrize("kills", [(1,), (2, 3), (1, 2, 4)])
@pytest.mark.parametrize("segments", [None, [0, 1, 1, 0, 1]])
def test_a_killed_writer_goes_on_behind_what_it_had_seen_to_the_disk(tmp_path, monkeypatch, kills, segments):
    monkeypatch.setattr("keras_ft.data.array_writer.SECONDS_BETWEEN_COMMITS", 0.0)
    chunks = [chunk_of([3, 2], segments if i == 2 else None, seed=i) for i in range(5)]
    starts = []

    def chunks_from(start, stop=None):
        starts.append(start)
        yield from chunks[start // 2 : stop]
        if stop is not None:
            raise Killed

    for kill in kills:
        with pytest.raises(Killed):
            write_arrays(tmp_path / "a", "f", lambda start, kill=kill: chunks_from(start, kill), AXES)
        for name in ("ids", "label"):  # what was written behind the last commit may be anything
            with (tmp_path / "a" / f"{name}.npy").open("ab") as file:
                file.write(b"half a row")
    found = write_arrays(tmp_path / "a", "f", chunks_from, AXES)
    assert starts == [0, *(2 * kill for kill in kills)]
    expected = write_arrays(tmp_path / "b", "f", lambda _: chunks, AXES)
    for name, values in expected.gather(np.arange(10)).items():
        assert np.array_equal(found.gather(np.arange(10))[name], values), name
    assert not (tmp_path / "a" / "writing.json").exists()


@pytest.mark.parametrize("damage", ["fingerprint", "cut"])
def test_what_a_killed_writer_left_is_dropped_where_it_does_not_fit(tmp_path, chunks, damage, monkeypatch):
    monkeypatch.setattr("keras_ft.data.array_writer.SECONDS_BETWEEN_COMMITS", 0.0)

    def crashing(start):
        yield chunks[0]
        raise Killed

    with pytest.raises(Killed):
        write_arrays(tmp_path, "f", crashing, AXES)
    if damage == "cut":
        (tmp_path / "label.npy").write_bytes(b"")
    seen = []
    write_arrays(tmp_path, "g" if damage == "fingerprint" else "f", lambda start: seen.append(start) or chunks, AXES)
    assert seen == [0]
