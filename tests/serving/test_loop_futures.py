import asyncio
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from keras_ft.serving.loop_futures import LoopFutures


def test_results_errors_and_what_is_cancelled_come_as_they_ended():
    async def run():
        futures = LoopFutures()
        given = [Future() for _ in range(4)]
        waiting = [futures.awaitable(it) for it in given]
        given[0].set_result("one")
        given[1].set_exception(ValueError("two"))
        given[2].cancel()
        given[2].set_running_or_notify_cancel()
        waiting[3].cancel()
        found = await asyncio.gather(*waiting, return_exceptions=True)
        assert found[0] == "one"
        assert isinstance(found[1], ValueError)
        assert isinstance(found[2], asyncio.CancelledError)
        assert given[3].cancelled()
        assert await futures.awaitable(given[0]) == "one"  # which has ended already

    asyncio.run(run())


def test_what_ends_together_wakes_the_loop_once():
    woken = []

    async def run():
        loop, futures = asyncio.get_running_loop(), LoopFutures()
        wake = loop.call_soon_threadsafe
        loop.call_soon_threadsafe = lambda *call: (woken.append(call), wake(*call))
        given = [Future() for _ in range(50)]
        waiting = [futures.awaitable(it) for it in given]
        for number, it in enumerate(given):
            it.set_result(number)
        assert await asyncio.gather(*waiting) == list(range(50))

    asyncio.run(run())
    assert len(woken) == 1


def test_answers_of_many_threads_all_arrive():
    async def run():
        futures = LoopFutures()
        with ThreadPoolExecutor(8) as pool:
            waiting = [futures.awaitable(pool.submit(lambda number=number: number)) for number in range(2000)]
            assert await asyncio.wait_for(asyncio.gather(*waiting), 30) == list(range(2000))

    asyncio.run(run())


def test_a_loop_that_ended_is_left_alone_and_the_next_one_is_told():
    futures, left, late = LoopFutures(), Future(), Future()

    async def leave():
        futures.awaitable(left)
        futures.awaitable(late)
        left.set_result(1)  # wakes a loop that does not come round any more

    async def wait(future):
        return await asyncio.wait_for(futures.awaitable(future), 10)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(leave())
    loop.close()
    late.set_result(2)
    answer = Future()
    answer.set_result("next")
    assert asyncio.run(wait(answer)) == "next"


def test_waiting_outside_of_a_loop_is_refused():
    with pytest.raises(RuntimeError):
        LoopFutures().awaitable(Future())
