import pytest

from keras_ft.serving.batching.admission import RETRY_SECONDS, Admission
from keras_ft.serving.batching.length_queues import LengthQueues
from keras_ft.serving.batching.parameters import BatchingParameters
from keras_ft.serving.batching.request import Piece, Request
from keras_ft.serving.batching.run_times import RunTimes, free_in
from keras_ft.serving.status import StatusError


def admission(waiting=(), threads=1, **parameters):
    """An `Admission` of batches of 10 rows with `(group, rows)` that wait; a batch takes 0.1 s a row, in group 1 1 s."""
    queues = LengthQueues(10, threads=threads)
    for group, rows in waiting:
        queues.add(Piece(Request("s", {}), 0, {}, rows, "a", group))
    result = Admission(BatchingParameters(10, num_batch_threads=threads, **parameters), queues)
    result.times.add(0, 10, 1.0)
    result.times.add(1, 10, 10.0)
    return result


def test_run_times_tell_the_cost_of_a_run_from_that_of_a_row():
    times = RunTimes()
    assert times.seconds(0, 64, 64) == 0.0
    for rows in (1, 2, 1, 3, 1, 4):
        times.add(0, rows, 0.1 + 0.01 * rows)
    assert times.seconds(0, 64, 64) == pytest.approx(0.1 + 0.64)
    assert times.seconds(0, 100, 64) == pytest.approx(0.2 + 1.0)
    assert times.seconds(1, 64, 64) == 0.0


def test_run_times_follow_a_model_that_becomes_slower():
    times = RunTimes()
    for seconds in [0.1] * 50 + [0.4] * 50:
        times.add(0, 8, seconds)
    assert times.seconds(0, 16, 8) == pytest.approx(0.8, rel=0.02)


def test_run_times_never_promise_that_more_rows_cost_less():
    times = RunTimes()
    for rows, seconds in ((1, 0.5), (8, 0.1), (1, 0.5), (8, 0.1)):
        times.add(0, rows, seconds)
    assert 0 < times.seconds(0, 1, 64) <= times.seconds(0, 64, 64)


@pytest.mark.parametrize(
    ("busy", "work", "when"),
    [
        ([0, 0], 0, 0),
        ([0, 9], 4, 4),
        ([9, 0], 11, 10),
        ([1, 2, 6], 1, 2),
        ([1, 2, 6], 3, 3),
        ([1, 2, 6], 12, 7),
        ([5], 2, 7),
    ],
)
def test_work_is_spread_over_threads_as_they_become_free(busy, work, when):
    assert free_in(busy, work) == pytest.approx(when)


def test_only_what_goes_before_a_request_delays_it():
    state = admission([(0, 20), (1, 5), (2, 9)])
    assert state.wait(0, now=0.0) == pytest.approx(2.0)
    assert state.wait(1, now=0.0) == pytest.approx(7.0)


def test_what_runs_delays_it_as_long_as_it_still_takes():
    state = admission(threads=2)
    state.started(11, group=1, rows=10, now=100.0)
    assert state.wait(0, now=100.0) == 0.0  # the other thread is free
    assert state.wait(1, now=104.0) == pytest.approx(6.0)  # but not for long ones
    state.started(12, group=0, rows=10, now=100.0)
    assert state.wait(0, now=100.5) == pytest.approx(0.5)
    assert state.wait(0, now=200.0) == 0.0  # later than expected is not sooner than now
    state.finished(11)
    assert state.wait(0, now=100.5) == 0.0


def test_a_request_that_would_wait_too_long_is_refused_and_told_when_to_come_back():
    state = admission([(0, 30)], max_queue_delay=2.5)
    with pytest.raises(StatusError) as refused:
        state.check(group=0, rows=1, now=0.0)
    assert refused.value.code == "RESOURCE_EXHAUSTED"
    assert refused.value.message == (
        "The batch scheduling queue to which this task was submitted is full; "
        "the wait would be 3 s and max_queue_delay is 2.5 s"
    )
    assert refused.value.retry_after == pytest.approx(3.0)
    admission([(0, 20)], max_queue_delay=2.5).check(group=0, rows=10, now=0.0)
    admission([(1, 20)], max_queue_delay=2.5).check(group=0, rows=10, now=0.0)
    admission([(0, 990)]).check(group=0, rows=10, now=0.0)  # no bound is given


def test_what_a_request_loses_outside_of_the_queue_counts_as_waiting():
    lost = 0.4
    queues = LengthQueues(10)
    state = Admission(BatchingParameters(10, max_queue_delay=0.5), queues, lambda: lost)
    state.check(group=0, rows=1, now=0.0)
    lost = 0.6
    with pytest.raises(StatusError, match="the wait would be 0.6 s") as refused:
        state.check(group=0, rows=1, now=0.0)
    assert refused.value.retry_after == pytest.approx(0.6)


def test_a_full_queue_is_said_as_tf_serving_says_it():
    state = admission([(0, 18)], max_enqueued_batches=2)
    state.check(group=0, rows=2, now=0.0)
    with pytest.raises(StatusError) as refused:
        state.check(group=0, rows=3, now=0.0)
    assert str(refused.value) == (
        "RESOURCE_EXHAUSTED: The batch scheduling queue to which this task was submitted is full; task size is 3 but "
        "scheduling capacity is only 2 (max_enqueued_batches=2, max_execution_batch_size=10)"
    )
    assert refused.value.retry_after == pytest.approx(1.8)


def test_a_full_queue_that_has_run_nothing_yet_still_says_when_to_come_back():
    state = admission([(2, 20)], max_enqueued_batches=2)
    with pytest.raises(StatusError) as refused:
        state.check(group=0, rows=1, now=0.0)
    assert refused.value.retry_after == RETRY_SECONDS
