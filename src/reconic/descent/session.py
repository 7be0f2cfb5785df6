"""One call of `reconstruct` as it runs: steps, looks, rescues, and what is left behind."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any

import jax.numpy as jnp
import numpy as np

from reconic.descent import checkpoint
from reconic.descent.devices import Devices
from reconic.descent.feed import Feed
from reconic.descent.fit import Fit
from reconic.descent.live import Screen
from reconic.descent.pace import Pace
from reconic.descent.problem import Problem
from reconic.descent.record import Record
from reconic.descent.rescue import Rescue, explain, held_out_loss
from reconic.descent.state import State
from reconic.descent.stopping import Criterion, Seen, interruptible

__all__ = ["Session", "Timetable"]


class Timetable:
    """After which epochs something happens in Python; the last one always.

    Args:
        epochs: Number of epochs.
        periods: Epochs between each thing that happens, by its name; None for a hundredth of all.
    """

    def __init__(self, epochs: int, periods: Mapping[str, int | None]) -> None:
        self.epochs = epochs
        self.periods = {name: k or max(1, epochs // 100) for name, k in periods.items()}

    def due(self, what: str, epoch: int) -> bool:
        """Whether `what` happens after `epoch` epochs."""
        return what in self.periods and (epoch % self.periods[what] == 0 or epoch == self.epochs)

    def ahead(self, epoch: int) -> int:
        """Number of epochs until anything happens."""
        return min([self.epochs - epoch, *(k - epoch % k for k in self.periods.values())])


@dataclass
class Session:
    """One call of `reconstruct`, once all is prepared.

    Attributes:
        problem: What to compute.
        feed: Where batches come from.
        record: What the run leaves behind.
        timetable: When to look.
        stop: Reasons to stop early.
        deadline: Time (`time.monotonic`) to stop at, in seconds; None for none.
        images: Function from the variables to images to log.
        facts: What a checkpoint tells of the run.
        keep_checkpoints: Number of checkpoints to keep.
        rescue: The way back from steps that fail; None stops there.
        best_by_holdout: Whether the best variables are those of the smallest held-out loss.
        devices: Where all is computed.
        screen: Where a notebook is shown how the run goes; None shows nothing.
    """

    problem: Problem
    feed: Feed
    record: Record
    timetable: Timetable
    stop: Sequence[Criterion]
    deadline: float | None
    images: Callable[[Any], Mapping[str, Any]] | None
    facts: dict[str, Any]
    keep_checkpoints: int
    rescue: Rescue | None
    best_by_holdout: bool
    devices: Devices
    screen: Screen | None = None

    def run(self, state: State) -> Fit:
        """Step until the last epoch, or until there is a reason to stop."""
        stopped, pace = None, Pace()
        with interruptible() as asked:
            while self.epoch < self.timetable.epochs and stopped is None:
                state, rows = self._advance(state, pace, asked)
                self.record.add(rows)
                if state.failed:
                    state, stopped = self._rescue(state)
                elif len(rows):
                    state, stopped = self._look(state)
                    self._redraw(state)
                stopped = self._reason(pace, asked) or stopped
        if stopped is not None:
            self._show(state)
            self._save(state)
        self._redraw(state, last=True)
        variables = self._join(state.arrays)
        best = self._join(state.best) if state.best else variables
        record = self.record
        return Fit(variables, best, record.history, record.images, stopped, record.folder)

    @property
    def epoch(self) -> int:
        """Number of epochs done."""
        return len(self.record.rows)

    def _reason(self, pace: Pace, asked: Event) -> str | None:
        """Why to stop now, by any process's user or clock; the first one sets the pace of all."""
        late = self.deadline is not None and time.monotonic() > self.deadline
        told = self.devices.gather(asked.is_set(), late, pace.n_steps)
        pace.n_steps = int(told[0, 2])
        if told[:, 0].any():
            return "interrupted"
        return "the time limit is over" if told[:, 1].any() else None

    def _join(self, arrays: Any) -> Any:
        return self.problem.program.frame.join(self.devices.own(list(arrays)))

    def _advance(self, state: State, pace: Pace, asked: Event) -> tuple[State, np.ndarray]:
        before, problem = int(state.step), self.problem
        if self.rescue is not None:
            self.rescue.remember(self.epoch, state)
        with pace:
            state, rows = self.feed.advance(
                problem.program,
                state,
                problem.model,
                problem.weights,
                self.epoch,
                self.timetable.ahead(self.epoch),
                pace.n_steps,
                lambda: self._reason(pace, asked) is not None,
            )
            pace.taken = int(state.step) - before
        return state, rows

    def _look(self, state: State) -> tuple[State, str | None]:
        """Log, show and save what is due; a reason to stop, if there is one."""
        stopped = None
        if self.timetable.due("log", self.epoch):
            held_out = held_out_loss(self.problem, self.feed, state)
            if self.best_by_holdout and held_out is not None and held_out < state.best_loss:
                best = [jnp.copy(a) for a in state.arrays]
                state = state._replace(
                    best=best, best_loss=jnp.full_like(state.best_loss, held_out)
                )
            self.record.log(held_out)
            seen = Seen(self.record.totals, self.record.held_out)
            stopped = next((r for c in self.stop if (r := c.reason(seen))), None)
        if self.timetable.due("images", self.epoch):
            self._show(state)
        if self.timetable.due("checkpoint", self.epoch):
            self._save(state)
        return state, stopped

    def _rescue(self, state: State) -> tuple[State, str | None]:
        """State to go on from after a step that could not be taken, or a reason to stop."""
        what = explain(self.problem, self.feed, state, self.epoch)
        failed = int(state.step)
        way = self.rescue and self.rescue.back(self.problem, self.feed, state, self.epoch)
        if way is not None:
            state, epoch = way
            self.record.rewind(epoch)
            there = f"step {int(state.step)}" if state.step < failed else "the best"
            warnings.warn(f"{what} Going on from {there} with all steps halved.", stacklevel=4)
            return state, None
        if failed == 0:
            raise FloatingPointError(f"reconstruct: {what} Start from other variables.")
        warnings.warn(f"{what} Stopped before that step.", stacklevel=4)
        return state, what

    def _show(self, state: State) -> None:
        if self.images is not None and self.devices.is_chief:
            self.record.show(self.images(self._join(state.arrays)))

    def _redraw(self, state: State, last: bool = False) -> None:
        if self.screen is not None:
            self.screen.look(self.record, lambda: self._join(state.arrays), last)

    def _save(self, state: State) -> None:
        folder = self.record.folder
        if folder is not None:
            self.record.wait()  # a checkpoint's images are on disk before it is
            checkpoint.write(
                folder / "checkpoints",
                self.epoch,
                state,
                self.record.logs,
                self.facts,
                self.keep_checkpoints,
            )
