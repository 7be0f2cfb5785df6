"""Pictures are drawn and packed side by side: NumPy and zlib leave Python free meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["together"]

T = TypeVar("T")


def together(calls: Sequence[Callable[[], T]]) -> list[T]:
    """What functions return, in their order; run on threads where there are several."""
    n = min(len(calls), os.cpu_count() or 1)
    if n < 2:
        return [call() for call in calls]
    with ThreadPoolExecutor(n) as pool:  # none is left behind: a process may fork later
        return list(pool.map(lambda call: call(), calls))
