"""Contenders measured in turn, round after round: on a noisy machine only neighbours in time compare."""

from collections.abc import Callable, Mapping
from statistics import median

Measure = Callable[[int], float]


def alternate(contenders: Mapping[str, Measure], rounds: int) -> dict[str, list[float]]:
    """Measure A, B, …, A, B, … and so on.

    Args:
        contenders: name → what measures it once, given the round's number, in examples a second.
        rounds: how often each is measured.

    Returns:
        Name → a speed for each round.
    """
    speeds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name, measure in contenders.items():
            speeds[name].append(measure(number))
    return speeds


def times_faster(ours: list[float], theirs: list[float]) -> float:
    """The median over rounds of one contender's speed divided by the other's in the same round."""
    return median(a / b for a, b in zip(ours, theirs, strict=True))


def fastest(speeds: Mapping[str, list[float]]) -> str:
    """The contender of the highest median speed."""
    return max(speeds, key=lambda name: median(speeds[name]))
