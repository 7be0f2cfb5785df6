"""Work that the caller need not wait for: calls one after another on a thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

__all__ = ["Background"]


class Background:
    """Makes calls in the order they are given, on a thread of its own.

    An error of a call is raised by a later `do`, `wait` or `close`.

    Args:
        capacity: Number of calls that may wait; with more, `do` waits too, so that what they hold
            in memory is bounded.
    """

    def __init__(self, capacity: int = 16) -> None:
        self._capacity = capacity
        self._thread = ThreadPoolExecutor(1, "reconic-background")
        self._waiting: deque[Future] = deque()

    def do(self, call: Callable[..., object], *arguments: Any) -> None:
        """Make a call soon."""
        while self._waiting and (len(self._waiting) >= self._capacity or self._waiting[0].done()):
            self._waiting.popleft().result()
        self._waiting.append(self._thread.submit(call, *arguments))

    def wait(self) -> None:
        """Return when all calls so far are made."""
        while self._waiting:
            self._waiting.popleft().result()

    def close(self) -> None:
        """Make all calls and end the thread."""
        try:
            self.wait()
        finally:
            self._thread.shutdown()
