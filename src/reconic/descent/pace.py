"""How many steps to take between two looks from Python."""

from __future__ import annotations

import time
from typing import Self

__all__ = ["Pace"]

_SECONDS = 0.25  # between looks: short enough for Ctrl-C, long enough to cost nothing
_GROWTH = 16


class Pace:
    """Number of steps that take a quarter of a second, learnt from those before.

    Attributes:
        n_steps: Number of steps to take next.
        taken: Number of steps that were taken, to be set within the block.
    """

    def __init__(self) -> None:
        self.n_steps = 1
        self.taken = 0

    def __enter__(self) -> Self:
        """Start the clock."""
        self._start = time.monotonic()
        return self

    def __exit__(self, *error: object) -> None:
        """Learn from the steps taken; the time of the first ones may be mostly compilation."""
        seconds = max(time.monotonic() - self._start, 1e-6)
        wanted = max(1, int(self.taken * _SECONDS / seconds))
        self.n_steps = min(wanted, _GROWTH * self.n_steps) if self.n_steps > 1 else _GROWTH
