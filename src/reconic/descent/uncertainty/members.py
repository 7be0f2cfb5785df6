"""Several descents of one problem at once: their states, along a leading axis."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from reconic._array import Array
from reconic.descent.feed import Data, Resident, make_feed
from reconic.descent.problem import Problem
from reconic.descent.rescue import explain
from reconic.descent.state import State, start
from reconic.descent.trees import format_tree, split

__all__ = [
    "Start",
    "bar",
    "draw_key",
    "enough",
    "failures",
    "in_memory",
    "leave_out",
    "member",
    "muster",
    "seeds_of",
    "stacked",
]

Start = Callable[[Array, Any], Any]
_DRAW = 2**31 - 1  # folded into a member's key for what is drawn before the first step


def seeds_of(seed: int, n: int) -> list[int]:
    """Seed of each member; the first are the same for any n."""
    drawn = np.random.SeedSequence(seed).generate_state(n)
    return [int(s) >> 1 for s in drawn]  # JAX's integers are signed


def draw_key(seed: int | Array) -> Array:
    """Key of what a member draws before its first step."""
    return jax.random.fold_in(jax.random.PRNGKey(seed), _DRAW)


def in_memory(where: str, data: Data, batch_size: int | None, remainder: bool, shuffle: bool,
              seed: int) -> Resident:  # fmt: skip
    """Feed of data in memory.

    Raises:
        TypeError: If the data are on disk, or an iterable of batches.
    """
    feed = make_feed(
        data, batch_size=batch_size, remainder=remainder, shuffle=shuffle, seed=seed, holdout=0,
        targets=(),
    )  # fmt: skip
    if not isinstance(feed, Resident):
        raise TypeError(
            f"{where}: `data` must be arrays in memory, got {type(data).__name__} to read from. "
            "Read them first, such as by numpy.asarray."
        )
    return feed


def muster(
    problem: Problem,
    feed: Resident,
    variables: Any,
    begin: Start | None,
    seeds: Sequence[int],
    keep_best: bool,
) -> State:
    """State of each member before its first step, along a leading axis.

    Args:
        problem: What they share.
        feed: Measurements.
        variables: Variables, as `problem` was made with.
        begin: `begin(key, variables)`, variables that a member starts from; None for the same.
        seeds: Seed of each.
        keep_best: Whether there is a place for the best.

    Raises:
        ValueError: If `begin` gives another tree.
    """
    program, n_order, some = problem.program, feed.n_order, jnp.asarray(seeds)
    if begin is None:
        return jax.vmap(lambda s: start(program, problem.arrays, s, n_order, keep_best))(some)
    keys = [jax.random.split(draw_key(s))[0] for s in seeds]
    arrays = stacked([_like(begin(key, variables), variables, problem) for key in keys])
    return jax.vmap(lambda s, a: start(program, a, s, n_order, keep_best))(some, arrays)


def stacked(trees: Sequence[Any]) -> Any:
    """Trees of arrays as one, with a leading axis."""
    return jax.tree.map(lambda *a: jnp.asarray(np.stack(a)), *trees)


def _like(made: Any, variables: Any, problem: Problem) -> list[Array]:
    arrays, frame = split(made)
    if frame != problem.program.frame or any(
        a.shape != b.shape for a, b in zip(arrays, problem.arrays, strict=True)
    ):
        raise ValueError(
            f"start: the variables must keep their tree and shapes, which are\n"
            f"{format_tree(variables)}\ngot\n{format_tree(made)}"
        )
    return [a.astype(b.dtype) for a, b in zip(arrays, problem.arrays, strict=True)]


def member(states: Any, i: Any) -> Any:
    """One member's part, or that of several, of what has a leading axis of members."""
    return jax.tree.map(lambda a: a[i], states)


def failures(
    problem: Problem, feed: Resident, states: State, data: Callable[[int], Mapping[str, Array]]
) -> dict[int, str]:
    """What went wrong, by position, with the members whose last step could not be taken.

    Args:
        problem: What they share.
        feed: How the measurements are cut.
        states: State of each.
        data: Position of a member ↦ its measurements.
    """
    found = {}
    for i in map(int, np.flatnonzero(np.asarray(states.failed))):
        state = member(states, i)
        epoch = int(state.step) // feed.n_batches
        found[i] = explain(problem, replace(feed, data=data(i)), state, epoch)
    return found


def leave_out(who: str, failed: Mapping[int, str], n: int, least: int) -> list[int]:
    """Positions of those that did not fail; warns of each that did.

    Args:
        who: What to call one in messages.
        failed: What went wrong, by position.
        n: Number of all.
        least: Number that must be left.

    Raises:
        FloatingPointError: If fewer are left.
    """
    told = [f"{who} {i}: {what}" for i, what in failed.items()]
    if n - len(failed) < least:
        raise FloatingPointError(f"{told[0]} Take shorter steps, or start from other variables.")
    for text in told:
        warnings.warn(f"{text} It is left out.", stacklevel=3)
    return [i for i in range(n) if i not in failed]


def enough(asked: Any, began: float, time_limit: float | None) -> str | None:
    """Reason to stop early: Ctrl-C, or the time limit."""
    if asked.is_set():
        return "interrupted"
    late = time_limit is not None and time.monotonic() - began > time_limit
    return "the time limit is over" if late else None


def bar(total: int, unit: str, progress: bool | None) -> tqdm:
    """Progress bar; without a choice, shown on a terminal."""
    disable = None if progress is None else not progress
    return tqdm(total=total, unit=unit, file=sys.stderr, disable=disable)
