import pytest

from keras_ft.serving.batching.length_queues import PATIENCE, LengthQueues, length_group
from keras_ft.serving.batching.request import Piece, Request


def piece(group=0, rows=1, kind="a", at=0.0):
    return Piece(Request("s", {}), 0, {}, rows, kind, group, at)


def filled(*pieces, **settings):
    queues = LengthQueues(**{"batch_rows": 4, "threads": 9, **settings})
    for it in pieces:
        queues.add(it)
    return queues


def test_groups_are_powers_of_four_from_a_sentence_on():
    bounds = {0: 0, 256: 0, 257: 1, 1024: 1, 1025: 2, 4096: 2, 4097: 3, 1_000_000: 6}
    assert {length: length_group(length) for length in bounds} == bounds


def test_a_batch_is_the_oldest_of_one_kind_up_to_its_most_rows():
    b, *a = piece(kind="b", at=2), piece(rows=2, at=1), piece(at=3), piece(rows=2, at=4), piece(at=5)
    queues = filled(a[0], b, *a[1:])
    assert queues.take(9) == a[:2]  # the next one does not fit, and the last one does not overtake it
    assert queues.take(9) == [b]
    assert queues.take(9) == a[2:]
    assert queues.take(9) == []
    assert (queues.rows, queues.rows_of_group) == (0, {})


def test_batches_of_longer_texts_hold_fewer_rows():
    queues = filled(
        *(piece(1, at=i) for i in range(3)), *(piece(3, at=i) for i in range(2)), batch_rows=8, timeout=100.0
    )
    assert [len(queues.take(0.0)) for _ in range(3)] == [2, 1, 0]  # these are full, two of 8 / 4 rows and one of 8 / 64
    assert [len(queues.take(0.0, at_once=True)) for _ in range(3)] == [1, 1, 0]


def test_a_piece_of_no_kind_runs_by_itself_however_large():
    alone = [piece(kind=None, rows=9), piece(kind=None, at=1)]
    queues = filled(*alone, timeout=100.0)
    assert [queues.take(9), queues.take(9)] == [[it] for it in alone]


def test_short_ones_go_first_and_do_not_share_a_batch_with_long_ones():
    long, short = piece(2, at=1), piece(0, at=2)
    queues = filled(long, short)
    assert queues.take(9) == [short]
    assert queues.take(9) == [long]


def test_a_long_one_is_passed_over_only_so_often():
    longest, long = piece(2), piece(1)
    queues = filled(longest, long)
    taken = []
    for _ in range(PATIENCE + 2):
        queues.add(piece(0))
        batch = queues.take(9)
        queues.finished(batch[0].group)
        taken.append(batch[0].group)
    assert taken == [0] * PATIENCE + [1, 2]  # each of them before the short ones


@pytest.mark.parametrize(("threads", "long_at_once"), [(1, 1), (2, 1), (4, 3)])
def test_long_ones_leave_a_thread_to_short_ones(threads, long_at_once):
    queues = filled(*(piece(group, rows=4) for group in (3, 2, 1, 1, 1)), threads=threads)
    batches = [queues.take(9) for _ in range(long_at_once)]
    assert all(batches)
    assert queues.take(9) == []
    assert queues.due_at() == float("inf")
    short = piece(0)
    queues.add(short)
    assert queues.take(9) == [short]
    queues.finished(0)
    assert queues.take(9) == []  # that was not one of the long ones
    queues.finished(1)
    assert queues.take(9) != []


def test_a_batch_waits_to_be_filled_no_longer_than_its_timeout():
    queues = filled(piece(at=10.0), timeout=5.0)
    assert queues.due_at() == 15.0
    assert queues.take(14.9) == []
    assert len(filled(piece(at=10.0), timeout=5.0).take(10.0, at_once=True)) == 1
    queues.add(piece(at=14.0))
    assert len(queues.take(15.0)) == 2
    queues.add(piece(rows=3, at=20.0))
    queues.add(piece(rows=1, at=20.0))
    assert len(queues.take(20.0)) == 2  # full


def test_a_withdrawn_request_leaves_nothing_behind():
    request = Request("s", {}, num_pieces=2)
    queues = filled(piece(at=0), Piece(request, 0, {}, 4, "a", 0), Piece(request, 1, {}, 3, "a", 2))
    assert (queues.rows, queues.rows_of_group) == (8, {0: 5, 2: 3})
    queues.withdraw(request)
    queues.withdraw(request)
    assert (queues.rows, queues.rows_of_group) == (1, {0: 1})
    assert request not in queues.requests
    assert len(queues.take(9)) == 1
    assert queues.take(9) == []
