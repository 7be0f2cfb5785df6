"""Paired timings: a round runs every candidate once, in random order, so that noise is shared."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import numpy as np

Times = dict[str, np.ndarray]


def interleave(
    candidates: dict[str, Callable[[], object]], rounds: int, warm_up: int = 3, seed: int = 0
) -> Times:
    """Seconds of each candidate in each round.

    Args:
        candidates: Functions by name; each returns when its work is done, devices included.
        rounds: Number of timed rounds.
        warm_up: Untimed calls of each before the first round (compilation, plans, memory pools).
        seed: Seed of the order within rounds.
    """
    for run in candidates.values():
        for _ in range(warm_up):
            run()
    order, times = list(candidates), {name: [] for name in candidates}
    shuffle = random.Random(seed).shuffle
    for _ in range(rounds):
        shuffle(order)
        for name in order:
            start = time.perf_counter()
            candidates[name]()
            times[name].append(time.perf_counter() - start)
    return {name: np.asarray(t) for name, t in times.items()}


def ratio(times: Times, name: str, reference: str) -> float:
    """Median over the rounds of time of `name` / time of `reference` in the same round."""
    return float(np.median(times[name] / times[reference]))


def milliseconds(times: Times, name: str) -> float:
    """Median time in ms."""
    return float(np.median(times[name]) * 1e3)
