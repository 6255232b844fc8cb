import gc
import queue
import random
import threading
import time
import weakref
from concurrent.futures import CancelledError, ThreadPoolExecutor, wait
from types import SimpleNamespace

import numpy as np
import pytest

from keras_ft.serving.batching.parameters import BatchingParameters
from keras_ft.serving.batching.predictor import BatchingPredictor
from keras_ft.serving.signature import Signature, TensorSpec
from keras_ft.serving.status import StatusError

PATIENT = 30.0  # seconds until a test that hangs fails


class Call:
    """A run of the model that has begun; it ends when the test lets it."""

    def __init__(self, name, inputs):
        self.name, self.inputs, self.answer = name, inputs, queue.Queue()

    def __call__(self, error=None):
        self.answer.put(error)

    @property
    def values(self):
        return next(iter(self.inputs.values())).tolist()


class Model:
    """Doubles numbers, reverses strings, refuses negative numbers, after `before` has let the call pass."""

    def __init__(self, before=lambda call: None):
        rows, two = (None,), (None, None)
        shapes = {
            "double": (rows, rows),
            "pair": (two, two),
            "reverse": (rows, rows),
            "total": (rows, ()),
            "any": (None, None),
        }
        shapes |= {"uneven": (rows, rows), "fixed": (rows, (2,))}
        self.signatures = {
            name: Signature(name, "", {"x": TensorSpec("", "", before)}, {"y": TensorSpec("", "", after)})
            for name, (before, after) in {**shapes, "serving_default": shapes["double"]}.items()
        }
        self.signature_defs = {"serving_default": object()}
        self.before = before
        self.closed = 0

    def predict(self, name, inputs):
        self.before(Call(name, inputs))
        x = inputs["x"]
        if x.dtype != object and np.any(x < 0):
            raise StatusError("INVALID_ARGUMENT", f"{x.min()} is negative")
        outputs = {"total": np.sum, "uneven": lambda x: x[:1], "fixed": lambda x: x[:2]}
        if x.dtype == object:
            return {"y": np.array([it[::-1] for it in x], object)}
        return {"y": outputs.get(name, lambda x: x * 2)(x)}

    def close(self):
        self.closed += 1


@pytest.fixture
def make():
    """Makes batching predictors and closes them, whatever their model still waits for."""
    made = []

    def make(model=None, observer=None, clock=time.monotonic, **parameters):
        settings = {"max_batch_size": 8, "num_batch_threads": 1, **parameters}
        made.append(BatchingPredictor(model or Model(), BatchingParameters(**settings), observer, clock))
        return made[-1]

    yield make
    for predictor in made:
        predictor.close()


@pytest.fixture
def gated(make):
    """Makes a predictor whose model tells of each call and waits to be let through; returns both: `(predictor, next call)`."""
    calls, made, lock, opened = queue.Queue(), [], threading.Lock(), []

    def before(call):
        with lock:
            if opened:
                return
            made.append(call)
        calls.put(call)
        error = call.answer.get(timeout=PATIENT)
        if error is not None:
            raise error

    yield lambda **settings: (make(Model(before), **settings), lambda: calls.get(timeout=PATIENT))
    with lock:
        opened.append(True)
    for call in made:
        call()


def numbers(*values):
    return {"x": np.array(values, np.float32)}


def texts(*values):
    return {"x": np.array(values, object)}


def answer(future):
    return future.result(PATIENT)["y"].tolist()


def test_what_accrues_while_a_batch_runs_is_the_next_batch(gated):
    predictor, next_call = gated()
    first = predictor.submit("double", numbers(1))
    call = next_call()
    others = [predictor.submit("double", numbers(*it)) for it in ([2], [3, 4], [5])]
    assert (call.values, predictor.queued_rows) == ([1], 4)
    call()
    call = next_call()
    assert (call.values, predictor.queued_rows) == ([2, 3, 4, 5], 0)
    call()
    assert [answer(it) for it in [first, *others]] == [[2], [4], [6, 8], [10]]


def test_only_requests_of_one_signature_dtype_and_shape_run_together(gated):
    predictor, next_call = gated()
    requests = [
        ("double", numbers(1)),
        ("reverse", texts(b"ab")),
        ("pair", {"x": np.ones((1, 2))}),
        ("pair", {"x": np.ones((1, 3))}),
        ("pair", {"x": np.ones((1, 3), int)}),
        ("", numbers(2)),
        ("serving_default", numbers(3)),
        ("reverse", texts(b"cd")),
        ("pair", {"x": np.ones((2, 2))}),
        ("no", numbers(4)),
        ("double", {"z": np.ones(1)}),
    ]
    predictor.submit("double", numbers(0))
    call = next_call()
    futures = [predictor.submit(*it) for it in requests]
    call()
    seen = []
    for _ in range(8):
        call = next_call()
        seen.append((call.name, call.values))
        call(StatusError("NOT_FOUND", "no input x") if "z" in call.inputs else None)
    assert seen == [
        ("double", [1]),
        ("reverse", [b"ab", b"cd"]),
        ("pair", [[1, 1], [1, 1], [1, 1]]),
        ("pair", [[1, 1, 1]]),
        ("pair", [[1, 1, 1]]),
        ("serving_default", [2, 3]),
        ("no", [4]),
        ("double", [1]),
    ]
    assert answer(futures[7]) == [b"dc"]
    with pytest.raises(StatusError, match="no input x"):
        answer(futures[10])


def test_padding_lets_requests_of_other_widths_run_together(gated):
    predictor, next_call = gated(pad_variable_length_inputs=True)
    predictor.submit("double", numbers(0))
    call = next_call()
    narrow, wide = predictor.submit("pair", {"x": np.full((1, 1), 3)}), predictor.submit("pair", {"x": np.ones((1, 2))})
    wide_int = predictor.submit("pair", {"x": np.full((1, 2), 4)})
    call()
    call = next_call()
    assert call.values == [[3, 3], [4, 4]]
    call()
    next_call()()
    assert [answer(it) for it in (narrow, wide, wide_int)] == [[[6, 6]], [[2, 2]], [[8, 8]]]


@pytest.mark.parametrize(
    ("signature", "inputs"),
    [
        ("any", {"x": np.array(3)}),
        ("double", {"x": np.ones(1), "k": np.ones(2)}),
        ("double", numbers()),
        ("total", numbers(1, 2)),
        ("fixed", numbers(1, 2)),
    ],
)
def test_what_cannot_be_concatenated_runs_alone(gated, signature, inputs):
    predictor, next_call = gated()
    predictor.submit("double", numbers(0))
    call = next_call()
    futures = [predictor.submit(signature, inputs) for _ in range(2)]
    call()
    for _ in futures:
        call = next_call()
        assert call.inputs is inputs
        call()
    model = Model()
    for future in futures:
        np.testing.assert_array_equal(future.result(PATIENT)["y"], model.predict(signature, inputs)["y"])


def test_a_signature_whose_outputs_turn_out_to_share_no_dimension_runs_alone_from_then_on(gated, caplog):
    predictor, next_call = gated()
    first = predictor.submit("uneven", numbers(1))
    call = next_call()
    second, third = predictor.submit("uneven", numbers(2)), predictor.submit("uneven", numbers(3))
    call()  # a single row does not show it
    call = next_call()
    assert call.values == [2, 3]
    later = [predictor.submit("uneven", numbers(4)), predictor.submit("uneven", numbers(5))]
    call()
    for values in ([2], [3], [4], [5]):
        call = next_call()
        assert call.values == values
        call()
    assert [answer(it) for it in (first, second, third, *later)] == [[1], [2], [3], [4], [5]]
    assert caplog.text.count("signature uneven is not batched: some output has not one row an input row") == 1


def test_only_the_guilty_request_of_a_batch_gets_the_error(make):
    started, go = threading.Event(), threading.Event()
    runs = []

    def before(call):
        runs.append(call.values)
        started.set()
        go.wait(PATIENT)

    predictor = make(Model(before))
    predictor.submit("double", numbers(0))
    assert started.wait(PATIENT)
    good, bad, other = (predictor.submit("double", numbers(it)) for it in (1, -1, 2))
    go.set()
    assert (answer(good), answer(other)) == ([2], [4])
    with pytest.raises(StatusError, match=r"INVALID_ARGUMENT: -1.0 is negative"):
        bad.result(PATIENT)
    assert runs == [[0], [1, -1, 2], [1], [-1], [2]]


def test_an_error_of_any_kind_reaches_the_caller_and_the_threads_go_on(make):
    predictor = make(Model(lambda call: 1 / 0 if call.values == [7] else None))
    with pytest.raises(ZeroDivisionError):
        predictor.predict("double", numbers(7))
    assert predictor.predict("double", numbers(1))["y"].tolist() == [2]


def test_a_short_text_overtakes_long_ones_that_wait_and_does_not_wait_for_one_that_runs(gated):
    predictor, next_call = gated(num_batch_threads=2)
    page, sentence = b"a" * 5000, b"b" * 20
    running = predictor.submit("reverse", texts(page))
    long_call = next_call()
    waiting = predictor.submit("reverse", texts(page))  # would take the second thread, if it were let
    short = predictor.submit("reverse", texts(sentence))
    short_call = next_call()
    assert short_call.values == [sentence]
    short_call()
    assert answer(short) == [sentence]
    assert (running.done(), waiting.done(), predictor.queued_rows) == (False, False, 1)
    long_call()
    next_call()()
    assert answer(waiting) == [page]


def test_a_long_text_does_not_starve_with_one_thread(gated):
    predictor, next_call = gated()
    short, page = b"b", b"a" * 5000
    predictor.submit("reverse", texts(short))
    call = next_call()
    long = predictor.submit("reverse", texts(page))
    runs = []
    while page not in runs and len(runs) < 100:
        predictor.submit("reverse", texts(short))  # there is always a short one
        call()
        call = next_call()
        runs.extend(call.values)
    assert 1 < len(runs) < 100
    call()
    assert answer(long) == [page]


def test_a_large_request_runs_in_pieces_beside_others(gated):
    predictor, next_call = gated(max_batch_size=4)
    large = predictor.submit("double", numbers(*range(10)))
    call = next_call()
    small = predictor.submit("double", numbers(10))
    seen = [call.values]
    for _ in range(2):
        call()
        call = next_call()
        seen.append(call.values)
    assert seen == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10]]
    assert not large.done()
    call()
    assert answer(large) == [2 * i for i in range(10)]
    assert answer(small) == [20]


def test_a_large_request_that_fails_in_one_piece_fails_and_leaves_the_queue(gated):
    predictor, next_call = gated(max_batch_size=2)
    large, left = predictor.submit("double", numbers(1, -1, 3, 4, 5)), []
    large.add_done_callback(lambda _: left.append(predictor.queued_rows))
    next_call()()
    with pytest.raises(StatusError, match=r"-1.0 is negative"):
        large.result(PATIENT)
    predictor.close()
    assert left == [0]


def test_a_large_request_of_a_signature_that_cannot_be_cut_runs_whole(gated):
    predictor, next_call = gated(max_batch_size=2)
    large = predictor.submit("uneven", numbers(1, 2, 3, 4, 5))
    next_call()()  # the first piece shows that the outputs have no row an input row
    call = next_call()
    assert (call.values, predictor.queued_rows) == ([1, 2, 3, 4, 5], 0)
    call()
    assert answer(large) == [1]


def test_threads_that_find_out_together_that_a_request_cannot_be_cut_run_it_once(gated):
    predictor, next_call = gated(max_batch_size=2, num_batch_threads=2)
    large = predictor.submit("uneven", numbers(1, 2, 3, 4))
    for call in [next_call(), next_call()]:
        call()
    next_call()()
    assert answer(large) == [1]
    predictor.submit("double", numbers(5))
    assert next_call().values == [5]


def test_without_splitting_a_large_request_is_refused_as_by_tf_serving(make):
    predictor = make(max_batch_size=2, enable_large_batch_splitting=False)
    with pytest.raises(StatusError) as refused:
        predictor.submit("double", numbers(1, 2, 3))
    assert str(refused.value) == "INVALID_ARGUMENT: Task size 3 is larger than maximum input batch size 2"
    assert predictor.predict("double", numbers(1, 2))["y"].tolist() == [2, 4]


def test_a_request_larger_than_the_queue_is_not_told_to_come_back(make):
    with pytest.raises(StatusError) as refused:
        make(max_batch_size=2, max_enqueued_batches=3).submit("double", numbers(*range(7)))
    assert str(refused.value) == "INVALID_ARGUMENT: Task size 7 is larger than maximum input batch size 6"
    assert refused.value.retry_after is None


def test_a_full_queue_refuses_and_takes_requests_again_when_it_has_room(gated):
    predictor, next_call = gated(max_batch_size=2, max_enqueued_batches=2)
    predictor.submit("double", numbers(0))
    call = next_call()
    futures = [predictor.submit("double", numbers(1, 2, 3)), predictor.submit("double", numbers(4))]
    with pytest.raises(
        StatusError, match="RESOURCE_EXHAUSTED: The batch scheduling queue .* is full; task size is 1 "
    ) as full:
        predictor.submit("double", numbers(5))
    assert full.value.retry_after > 0
    with pytest.raises(StatusError, match="RESOURCE_EXHAUSTED"):
        predictor.check_room()
    call()
    call = next_call()
    predictor.check_room()
    futures.append(predictor.submit("double", numbers(6)))
    for _ in range(2):
        call()
        call = next_call()
    call()
    assert [answer(it) for it in futures] == [[2, 4, 6], [8], [12]]


def test_a_wait_beyond_the_bound_is_refused_with_the_time_after_which_to_come_back(make):
    now = [1000.0]
    started, go = threading.Event(), threading.Event()
    go.set()

    def before(call):
        started.set()
        go.wait(PATIENT)
        now[0] += 0.5 * len(call.values)  # seconds a row

    predictor = make(Model(before), clock=lambda: now[0], max_batch_size=2, max_queue_delay=2.0)
    predictor.predict("double", numbers(1, 2))  # half a second a row is learnt
    started.clear()
    go.clear()
    futures = [predictor.submit("double", numbers(1, 2))]
    assert started.wait(PATIENT)  # it takes one second more
    futures += [predictor.submit("double", numbers(it)) for it in (3, 4, 5)]
    with pytest.raises(StatusError, match=r"the wait would be 2.5 s and max_queue_delay is 2 s") as refused:
        predictor.submit("double", numbers(6))
    assert refused.value.code == "RESOURCE_EXHAUSTED"
    assert refused.value.retry_after == pytest.approx(2.5)
    go.set()
    assert [answer(it) for it in futures] == [[2, 4], [6], [8], [10]]
    assert predictor.predict("double", numbers(6))["y"].tolist() == [12]


def test_a_request_whose_deadline_passes_in_the_queue_is_not_run(gated):
    predictor, next_call = gated()
    first = predictor.submit("double", numbers(1), deadline=time.monotonic() + 1000)
    call = next_call()
    late, patient = (
        predictor.submit("double", numbers(2), deadline=time.monotonic() + 0.01),
        predictor.submit("double", numbers(3)),
    )
    with pytest.raises(StatusError) as error:
        late.result(PATIENT)  # while the thread is busy
    assert str(error.value) == "DEADLINE_EXCEEDED: Run() timeout exceeded while waiting in batching queue"
    assert predictor.queued_rows == 1
    call()
    call = next_call()
    assert call.values == [3]
    call()
    assert (answer(first), answer(patient)) == ([2], [6])


def test_a_request_that_comes_after_its_deadline_is_refused(make):
    with pytest.raises(StatusError, match="DEADLINE_EXCEEDED"):
        make().submit("double", numbers(1), deadline=time.monotonic())


def test_a_deadline_is_looked_at_once_more_before_the_run(make):
    now, runs = [0.0], []
    started, go = threading.Event(), threading.Event()

    def before(call):
        runs.append(call.values)
        started.set()
        go.wait(PATIENT)

    predictor = make(Model(before), clock=lambda: now[0])
    predictor.submit("double", numbers(1))
    assert started.wait(PATIENT)
    late = predictor.submit("double", numbers(2), deadline=1000.0)  # a thousand seconds of this machine's, too
    good = predictor.submit("double", numbers(3))
    now[0] = 1000.0
    go.set()
    assert answer(good) == [6]
    with pytest.raises(StatusError, match="DEADLINE_EXCEEDED"):
        late.result(PATIENT)
    assert runs == [[1], [3]]


def test_a_cancelled_request_leaves_the_queue_at_once_and_is_not_run(gated):
    predictor, next_call = gated(max_batch_size=2)
    first = predictor.submit("double", numbers(1))
    call = next_call()
    cancelled, large, kept = (predictor.submit("double", numbers(*it)) for it in ([2], [3, 4, 5], [6]))
    assert predictor.queued_rows == 5
    assert cancelled.cancel()
    assert large.cancel()
    assert predictor.queued_rows == 1
    assert not first.cancel()  # it runs
    call()
    call = next_call()
    assert call.values == [6]
    call()
    assert (answer(first), answer(kept)) == ([2], [12])
    with pytest.raises(CancelledError):
        cancelled.result(PATIENT)


def test_closing_finishes_what_was_accepted_and_refuses_what_comes_later(gated):
    predictor, next_call = gated(num_batch_threads=2, batch_timeout_micros=10**9)
    futures = [predictor.submit("reverse", texts(b"a" * length)) for length in (5000, 5000, 5000, 10)]
    closers = [threading.Thread(target=predictor.close) for _ in range(2)]
    for it in closers:
        it.start()
    calls = [next_call(), next_call()]  # no waiting for a batch to fill any more
    with pytest.raises(StatusError, match="UNAVAILABLE"):
        predictor.submit("double", numbers(1))
    assert predictor._predictor.closed == 0
    for call in calls:
        call()
    for _ in range(2):
        next_call()()
    for it in closers:
        it.join(PATIENT)
        assert not it.is_alive()
    assert [len(answer(it)[0]) for it in futures] == [5000, 5000, 5000, 10]
    assert predictor._predictor.closed == 1
    assert not any(it.is_alive() for it in predictor._threads)


def test_closing_ends_threads_that_had_nothing_to_do(gated):
    predictor, next_call = gated(num_batch_threads=2, max_batch_size=1)
    futures = [predictor.submit("reverse", texts(b"a" * 5000)) for _ in range(2)]
    call = next_call()
    closer = threading.Thread(target=predictor.close)
    closer.start()
    call()
    next_call()()  # the same thread took it; the other one, kept for short texts, must hear that it was the last
    closer.join(PATIENT)
    assert not closer.is_alive()
    assert all(it.done() for it in futures)


def test_closing_ends_though_all_that_waits_is_cancelled(gated):
    predictor, next_call = gated(num_batch_threads=3)
    page = b"a" * 5000
    calls = []
    for _ in range(2):
        predictor.submit("reverse", texts(page))
        calls.append(next_call())
    waiting = predictor.submit("reverse", texts(page))  # long ones may not take the third thread
    closer = threading.Thread(target=predictor.close)
    closer.start()
    assert waiting.cancel()
    for call in calls:
        call()
    closer.join(PATIENT)
    assert not closer.is_alive()


def test_a_batch_that_is_full_does_not_wait_for_its_timeout(make):
    predictor = make(max_batch_size=2, batch_timeout_micros=10**9)
    futures = [predictor.submit("double", numbers(it)) for it in (1, 2)]
    assert [answer(it) for it in futures] == [[2], [4]]


def test_a_batch_that_is_not_full_runs_at_its_timeout(make):
    assert make(batch_timeout_micros=1000).predict("double", numbers(1))["y"].tolist() == [2]


def test_an_observer_is_told_of_each_run_and_may_fail(make, caplog):
    now, seen = [0.0], []
    started, go = threading.Event(), threading.Event()

    def before(call):
        started.set()
        go.wait(PATIENT)
        now[0] += 3.0

    def batch(*told):
        seen.append(told)
        raise ValueError("full disk")

    predictor = make(Model(before), SimpleNamespace(batch=batch), clock=lambda: now[0])
    first = predictor.submit("", numbers(1))
    assert started.wait(PATIENT)
    now[0] = 1.0
    others = [predictor.submit("", numbers(2)), predictor.submit("", numbers(3, 4))]
    go.set()
    assert [answer(it) for it in (first, *others)] == [[2], [4], [6, 8]]
    assert seen == [("serving_default", 1, 1, [0.0], 4.0, []), ("serving_default", 3, 2, [3.0, 3.0], 3.0, [])]
    assert caplog.text.count("the observer of batches failed") == 2


def test_nothing_is_kept_of_requests_that_are_over(make):
    predictor = make(max_batch_size=2)
    futures = [predictor.submit("double", numbers(*range(n))) for n in (1, 2, 5)]
    wait(futures, PATIENT)
    predictor.predict("double", numbers(9))
    gc.disable()
    try:
        inputs = numbers(1, 2, 3)
        kept = weakref.ref(inputs["x"])
        assert predictor.predict("double", inputs)["y"].tolist() == [2, 4, 6]
        del inputs
        predictor.predict("double", numbers(9))  # whatever a thread still held, it holds this now
        assert kept() is None
    finally:
        gc.enable()


class Unclosed:
    """A predictor of the shared store, which others go on using."""

    def __init__(self, predictor, before=lambda: None):
        self.signatures, self.signature_defs = predictor.signatures, predictor.signature_defs
        self.predictor, self.before, self.calls = predictor, before, []

    def predict(self, name, inputs):
        self.before()
        self.calls.append(name)
        return self.predictor.predict(name, inputs)

    def close(self):
        pass


@pytest.mark.parametrize(
    ("name", "signature", "requests"),
    [
        (
            "sentiment",
            "",
            [
                [b"good"],
                ["bad 包裹 在哪里".encode(), b"good good bad"],
                ["अच्छा good 👍".encode()],
                ["جيد".encode() * 200, b"a b c d e"],
                [b"x " * 2000 + b"bad"],
                [b""] * 11,
            ],
        ),
        ("half_plus_two", "", [[1.0], [2.0, 5.0], [-0.5] * 11, [3.0]]),
        ("half_plus_two", "pairs", [[[1.0, 2.0]], [[3.0, 4.0], [5.0, 6.0]]]),
    ],
)
def test_answers_of_a_real_model_are_those_that_each_request_gets_alone(predictor_of, make, name, signature, requests):
    model = predictor_of(name)
    go = threading.Event()
    real = Unclosed(model, lambda: go.wait(PATIENT))
    predictor = make(real)
    ((key, spec),) = model.signatures[signature or "serving_default"].inputs.items()
    inputs = [{key: np.array(it, object if spec.dtype == "string" else np.float32)} for it in requests * 2]
    futures = [predictor.submit(signature, it) for it in inputs]
    go.set()
    for future, it in zip(futures, inputs, strict=True):
        outputs, alone = future.result(PATIENT), model.predict(signature, it)
        assert outputs.keys() == alone.keys()
        for output in alone:
            assert outputs[output].dtype == alone[output].dtype
            np.testing.assert_array_equal(outputs[output], alone[output])
    assert len(real.calls) < len(inputs)


def test_a_real_models_guilty_request_scalars_and_outputs_without_rows(predictor_of, make):
    kinds, two = (make(Unclosed(predictor_of(it)), num_batch_threads=2) for it in ("kinds", "half_plus_two"))
    assert two.predict("", {"x": np.float32(4.0)})["y"] == 4.0
    requests = {"checked": [1.0, -1.0, 2.0], "total": [1.0, 2.0, 3.0], "uneven": [1.0, 2.0, 3.0]}
    futures = {
        name: [kinds.submit(name, {"a": np.full(2, value, np.float32)}) for value in values]
        for name, values in requests.items()
    }
    assert [it.result(PATIENT)["total"] for it in futures["total"]] == [2.0, 4.0, 6.0]
    assert [it.result(PATIENT)["first"].tolist() for it in futures["uneven"]] == [[1.0], [2.0], [3.0]]
    with pytest.raises(StatusError, match="a must be positive"):
        futures["checked"][1].result(PATIENT)
    assert [futures["checked"][i].result(PATIENT)["y"].shape for i in (0, 2)] == [(2,), (2,)]


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_every_request_of_many_threads_ends_with_its_own_answer(make, threads):
    predictor = make(num_batch_threads=threads, max_enqueued_batches=12)
    ends = dict.fromkeys(["answered", "guilty", "cancelled", "refused", "late"], 0)
    lock = threading.Lock()

    def ask(seed):
        choose = random.Random(seed)
        for _ in range(150):
            kind = choose.choice(["double", "reverse", "total", "uneven", "pair", "guilty", "cancelled", "late"])
            rows = choose.choice([1, 1, 1, 2, 3, 20])
            values = np.array([choose.randrange(1000) for _ in range(rows)], np.float32)
            name, inputs, expected = "double", {"x": values}, values * 2
            if kind == "reverse":
                x = texts(*(str(choose.random()).encode() * choose.choice([1, 1, 50, 500]) for _ in range(rows)))
                name, inputs, expected = kind, x, np.array([it[::-1] for it in x["x"]], object)
            elif kind in ("total", "uneven"):
                name, expected = kind, values.sum() if kind == "total" else values[:1]
            elif kind == "pair":
                x = np.full((rows, choose.randrange(1, 4)), choose.randrange(9))
                name, inputs, expected = kind, {"x": x}, x * 2
            elif kind == "guilty":
                values[choose.randrange(rows)] = -1
            deadline = time.monotonic() + choose.choice([-1, 0.0005, 0.01]) if kind == "late" else None
            end = "answered"
            try:
                future = predictor.submit(name, inputs, deadline)
                if kind == "cancelled":
                    future.cancel()
                outputs = future.result(PATIENT)
                assert kind != "guilty"
                np.testing.assert_array_equal(outputs["y"], expected)
            except StatusError as error:
                end = {"INVALID_ARGUMENT": "guilty", "DEADLINE_EXCEEDED": "late", "RESOURCE_EXHAUSTED": "refused"}[
                    error.code
                ]
                assert end in (kind, "refused")
            except CancelledError:
                end = "cancelled"
                assert kind == end
            with lock:
                ends[end] += 1

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(ask, range(12)))
    assert sum(ends.values()) == 12 * 150
    assert all(ends[it] for it in ("answered", "guilty", "late"))
    assert predictor.queued_rows == 0
    assert not list(predictor._queues.requests)
    assert predictor._queues._long_running == 0
