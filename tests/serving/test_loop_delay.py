import asyncio
import time

import pytest

from keras_ft.serving.loop_delay import BEAT, ROUNDS, LoopDelay


def test_nobody_measures_and_nothing_is_late():
    assert LoopDelay().seconds == 0.0


def test_a_loop_that_does_not_come_round_is_late_at_once_and_less_so_later():
    async def run() -> tuple[float, float, float, float]:
        delay = LoopDelay()
        measuring = asyncio.create_task(delay.measure())
        await asyncio.sleep(3 * BEAT)
        quiet = delay.seconds
        time.sleep(0.5)
        during = delay.seconds
        await asyncio.sleep(2 * BEAT)
        behind = delay.seconds
        await asyncio.sleep(60 * BEAT)
        later = delay.seconds
        measuring.cancel()
        return quiet, during, behind, later

    quiet, during, behind, later = asyncio.run(run())
    late = ROUNDS * (0.5 - BEAT)
    assert during == pytest.approx(late, rel=0.1)
    assert quiet < 0.2 * late
    assert late / 2 < behind < 1.2 * late
    assert later < 0.2 * late
