"""Members of an ensemble: several descents, of other starts or measurements, taken together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from reconic._array import Array
from reconic.descent.feed import Resident
from reconic.descent.loop import CAPACITY, Batches, advance
from reconic.descent.pace import Pace
from reconic.descent.problem import Problem
from reconic.descent.rules import Arrays
from reconic.descent.state import Program, State
from reconic.descent.uncertainty.members import Start, draw_key, muster, stacked
from reconic.descent.uncertainty.resample import Resample

__all__ = ["Descents"]

_ROOM = 16  # epochs of history, at least, that one call can return


@dataclass
class Descents:
    """Members that descend together.

    Attributes:
        problem: What they share.
        feed: Measurements before they were drawn anew.
        data: Measurements; those of `own` have a leading axis of members.
        own: Entries that were drawn anew.
        seeds: Seed of each.
        state: State of each.
        rows: Mean of each term (n, n_epochs, n_terms), by runs of epochs.
        pace: Steps between looks.
    """

    problem: Problem
    feed: Resident
    data: Mapping[str, Array]
    own: frozenset[str]
    seeds: Sequence[int]
    state: State
    rows: list[np.ndarray]
    pace: Pace

    @classmethod
    def of(
        cls,
        problem: Problem,
        feed: Resident,
        seeds: Sequence[int],
        variables: Any,
        start: Start | None,
        resample: Resample | None,
    ) -> Descents:
        """Members with these seeds, before their first step."""
        state = muster(problem, feed, variables, start, seeds, problem.program.keep_best)
        drawn = [] if resample is None else [_drawn(resample, s, feed.data) for s in seeds]
        own = frozenset(k for k, v in feed.data.items() if any(d[k] is not v for d in drawn))
        anew = stacked([{k: d[k] for k in own} for d in drawn]) if own else {}
        return cls(problem, feed, {**feed.data, **anew}, own, seeds, state, [], Pace())

    @property
    def epoch(self) -> int:
        """Number of epochs done."""
        return sum(r.shape[1] for r in self.rows)

    def advance(self, epochs: int) -> int:
        """Take steps for about a quarter of a second, at most up to `epochs`; epochs that ended.

        A member that has failed ends none, and its rows are NaN.
        """
        n_batches, before = self.feed.n_batches, np.asarray(self.state.step)
        begun, place = divmod(int(before.max()), n_batches)
        room = max(_ROOM, CAPACITY // len(self.seeds))
        wanted = min(self.pace.n_steps, min(epochs - begun, room) * n_batches - place)
        with self.pace:
            self.state, rows = _advance(
                self.problem.program, self.feed.batches, self.own, self.state,
                self.problem.model, self.data, self.problem.weights, wanted, room,
            )  # fmt: skip
            rows, self.pace.taken = np.array(rows), wanted
        ended = (place + wanted) // n_batches
        rows = rows[:, :ended]
        own_end = np.asarray(self.state.step) // n_batches - before // n_batches
        rows[np.arange(ended) >= own_end[:, None]] = np.nan
        self.rows.append(rows)
        return ended

    def data_of(self, i: int) -> Mapping[str, Array]:
        """Measurements of a member."""
        return {k: v[i] if k in self.own else v for k, v in self.data.items()}


def _drawn(resample: Resample, seed: int, data: Mapping[str, Array]) -> dict[str, Array]:
    """A member's measurements, checked to be like the others."""
    key = jax.random.split(draw_key(seed))[1]
    drawn = {k: jnp.asarray(v) for k, v in resample(key, data).items()}
    want, got = ({k: tuple(v.shape) for k, v in d.items()} for d in (data, drawn))
    if want != got:
        raise ValueError(f"resample: the data must keep their shapes {want}, got {got}.")
    return drawn


@partial(jax.jit, static_argnames=("program", "batches", "own", "room"), donate_argnames="state")
def _advance(
    program: Program,
    batches: Batches,
    own: frozenset[str],
    state: State,
    model: Arrays,
    data: Mapping[str, Array],
    weights: Array,
    n_steps: Array,
    room: int,
) -> tuple[State, Array]:
    """`advance` of every member; those that fail wait for the others."""

    def one(state: State, data: Mapping[str, Array]) -> tuple[State, Array]:
        return advance(program, batches, state, model, data, {}, weights, n_steps, room)

    return jax.vmap(one, in_axes=(0, {k: 0 if k in own else None for k in data}))(state, data)
