"""When to stop before the last epoch."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np

__all__ = ["Criterion", "HoldoutRises", "Plateau", "Seen", "interruptible"]


@dataclass(frozen=True)
class Seen:
    """What a criterion judges by.

    Attributes:
        losses: Total loss of each epoch.
        held_out: Epochs at which held-out data were looked at, and their loss (n, 2).
    """

    losses: np.ndarray
    held_out: np.ndarray


class Criterion(Protocol):
    """A reason to stop, looked for whenever the run logs."""

    def reason(self, seen: Seen) -> str | None:
        """Why to stop, or None to go on."""
        ...


@dataclass(frozen=True)
class Plateau:
    """Stops when the smallest loss has fallen by less than a share `tol` in `patience` epochs.

    Args:
        patience: Number of epochs to look back.
        tol: Smallest decrease to go on for, relative to the loss.
    """

    patience: int = 100
    tol: float = 1e-3

    def reason(self, seen: Seen) -> str | None:
        if len(seen.losses) <= self.patience:
            return None
        before = float(np.min(seen.losses[: -self.patience]))
        now = float(np.min(seen.losses))
        if before - now > self.tol * abs(before):
            return None
        return f"the loss fell by less than {self.tol:g} of itself in {self.patience} epochs"


@dataclass(frozen=True)
class HoldoutRises:
    """Stops when the loss of held-out data has had no new minimum in `patience` looks.

    It is looked at every `log_every` epochs.

    Args:
        patience: Number of looks.
    """

    patience: int = 3

    def reason(self, seen: Seen) -> str | None:
        epochs, losses = seen.held_out.T
        if len(losses) == 0 or len(losses) - 1 - int(np.argmin(losses)) < self.patience:
            return None
        return f"the held-out loss has not fallen since epoch {epochs[np.argmin(losses)]:.0f}"


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Event that the first Ctrl-C sets, in place of raising; a second one raises as usual."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = signal.getsignal(signal.SIGINT)

    def ask(number: int, frame: object) -> None:  # noqa: ARG001
        asked.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, ask)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)
