"""SIGTERM, Ctrl-C, and SIGUSR1 of a batch system: a run is saved before it stops."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from multiprocessing import active_children, util
from pathlib import Path
from types import FrameType
from typing import NoReturn

__all__ = ["Interrupted", "Signals", "end_workers_at_exit", "ignore_signals"]

_SIGNALS = [
    getattr(signal, name)
    for name in ("SIGTERM", "SIGINT", "SIGUSR1")
    if hasattr(signal, name)  # not on every system
]


class Interrupted(Exception):
    """A run was told to stop.

    Attributes:
        message: What happened, and how to go on.
        signum: Number of the signal.
        status: Exit status that a shell expects, 128 + the signal's number.
        saved: Whether the run was saved first, all of its processes at the same step.
    """

    def __init__(self, signum: int, message: str, saved: bool = False) -> None:
        super().__init__(signum, message, saved)
        self.message = message
        self.signum = signum
        self.saved = saved
        self.status = 128 + signum

    def __str__(self) -> str:
        return self.message


class Signals:
    """Lets SIGTERM, SIGINT and SIGUSR1 end a run: at once, or while held, once it is saved.

    A second signal ends a run at once, saved or not. Threads other than the main one cannot handle
    signals; in these nothing is changed.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._held = False
        self._advice = ""

    @contextlib.contextmanager
    def handled(self) -> Iterator[Signals]:
        """Handle signals inside a `with` block."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before = {number: signal.getsignal(number) for number in _SIGNALS}
        self._install()
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def hold(self) -> None:
        """From now on, let a signal wait for `stop`."""
        self._held = True
        self.reclaim()

    def reclaim(self) -> None:
        """Handle signals again: Lightning puts a handler of its own in between."""
        if threading.current_thread() is threading.main_thread():
            self._install()

    def release(self, advice: str) -> None:
        """From now on, end at once, with advice on how to go on."""
        self._held = False
        self._advice = advice
        if self.received is not None:
            self._end(self.received)

    def stop(self, checkpoint: Path, step: int, signum: int = signal.SIGINT) -> NoReturn:
        """End the run that is now saved, also if the signal came to another of its processes."""
        signum = self.received or signum
        raise Interrupted(
            signum,
            f"stopped by {signal.Signals(signum).name} after step {step}, saved as {checkpoint}. "
            f"To go on: reconic train --resume {checkpoint.parents[1]}",
            saved=True,
        )

    def _install(self) -> None:
        for number in _SIGNALS:
            signal.signal(number, self._handle)

    def _handle(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self._held and self.received is None:
            self.received = signum
        else:
            self._end(signum)

    def _end(self, signum: int) -> NoReturn:
        name = signal.Signals(signum).name
        raise Interrupted(signum, f"stopped by {name}. {self._advice}".rstrip())


def ignore_signals(worker: int) -> None:  # noqa: ARG001
    """Let a worker process of a data loader go on until the run stops it.

    A terminal and a batch system send their signals to every process of a run.
    """
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def end_workers_at_exit() -> None:
    """Let this process end although a failed run has left workers that `ignore_signals`.

    At exit `multiprocessing` sends SIGTERM to daemonic children and waits for them for ever.
    """
    if hasattr(signal, "SIGCHLD"):  # where processes are sent signals at all
        util.Finalize(None, _kill_daemons, exitpriority=0)


def _kill_daemons() -> None:
    left = [child for child in active_children() if child.daemon]
    for child in left:
        child.terminate()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # torch raises from it if a worker is killed
    for child in left:
        child.join(0.5)
        child.kill()
