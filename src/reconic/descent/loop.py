"""The compiled loop: many steps in one call, on measurements that are held in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from reconic._array import Array
from reconic.descent.rules import Arrays
from reconic.descent.shares import Share, pin, take, whole
from reconic.descent.state import Program, State
from reconic.descent.step import take_step

__all__ = ["CAPACITY", "Batches", "advance", "advance_one", "batch_of"]

CAPACITY = 4096  # epochs of history that one call can return
_ORDER = 1  # folded into the run's key, for what is drawn from it


@dataclass(frozen=True)
class Batches:
    """How the measurements are cut into batches.

    Attributes:
        n: Number of measurements.
        size: Number in a batch; `n` for all at once, which then need no common leading axis.
        remainder: Whether a last, smaller batch takes what is left over.
        shuffle: Whether every epoch has an order of its own.
    """

    n: int
    size: int
    remainder: bool = True
    shuffle: bool = True

    @property
    def n_full(self) -> int:
        """Number of whole batches in an epoch."""
        return self.n // self.size

    @property
    def n_left(self) -> int:
        """Size of the last, smaller batch; 0 if there is none."""
        return self.n % self.size if self.remainder else 0

    @property
    def n_batches(self) -> int:
        """Number of batches in an epoch."""
        return self.n_full + (self.n_left > 0)

    def place(self, step: Any) -> tuple[Any, Any]:
        """Epoch of a step, and its batch in the epoch, both from zero."""
        return (step, 0) if self.n_batches == 1 else divmod(step, self.n_batches)


@partial(jax.jit, static_argnames=("program", "batches", "capacity"), donate_argnames="state")
def advance(
    program: Program,
    batches: Batches,
    state: State,
    model: Arrays,
    data: Mapping[str, Array],
    extra: Mapping[str, Any],
    weights: Array,
    n_steps: Array,
    capacity: int = CAPACITY,
) -> tuple[State, Array]:
    """Take `n_steps` steps, fewer if one fails.

    Args:
        program: What to compute.
        batches: How to cut `data`.
        state: State; its memory is used again.
        model: Arrays of the forward model.
        data: Measurements; cut along their leading axis unless one batch holds all.
        extra: Further entries of every batch.
        weights: Weight of each term.
        n_steps: Number of steps, over at most `capacity` epochs.
        capacity: Number of epochs that there is room for.

    Returns:
        State, and the mean of each term over each epoch (capacity, n_terms), from that on in which
        the call began; the row of an epoch that is not over holds its mean so far.
    """
    first, _ = batches.place(state.step)
    end = state.step + n_steps
    rows = jnp.zeros((capacity, len(weights)), state.sums.dtype)

    def go_on(carry: tuple) -> Array:
        state, _ = carry
        return (state.step < end) & ~state.failed

    def body(carry: tuple) -> tuple:
        state, rows = carry
        epoch, place = batches.place(state.step)
        state = pin(program.mesh, _shuffled(batches, state, epoch, place))
        last = place == batches.n_batches - 1

        def on(start: Any, size: int) -> tuple[State, Array]:
            batch = {**_cut(batches, data, state.order, start, size), **whole(extra)}
            return take_step(program, state, model, batch, weights, size, epoch, last)

        if batches.n_left == 0:
            state, means = on(place * batches.size, batches.size)
        else:
            state, means = jax.lax.cond(
                place < batches.n_full,
                lambda: on(place * batches.size, batches.size),
                lambda: on(batches.n_full * batches.size, batches.n_left),
            )
        rows = jax.lax.dynamic_update_index_in_dim(rows, means, epoch - first, 0)
        return pin(program.mesh, (state, rows))

    state = state._replace(failed=jnp.asarray(False))
    return pin(program.mesh, jax.lax.while_loop(go_on, body, (state, rows)))


@partial(jax.jit, static_argnames=("program", "size"), donate_argnames="state")
def advance_one(
    program: Program,
    size: int,
    state: State,
    model: Arrays,
    batch: Mapping[str, Any],
    weights: Array,
    epoch: Array,
    last: Array,
) -> tuple[State, Array]:
    """Take one step on a batch that came from outside; like `take_step`."""
    batch = whole(batch)
    return pin(program.mesh, take_step(program, state, model, batch, weights, size, epoch, last))


def batch_of(batches: Batches, data: Mapping[str, Array], state: State) -> dict[str, Array]:
    """The batch of the step that comes next."""
    epoch, place = batches.place(int(state.step))
    state = _shuffled(batches, state, jnp.int32(epoch), jnp.int32(place))
    size = batches.size if place < batches.n_full else batches.n_left
    return _cut_now(batches, data, state.order, place * batches.size, size)


def _shuffled(batches: Batches, state: State, epoch: Array, place: Array) -> State:
    """State with the order of this epoch, drawn at its start."""
    if not batches.shuffle or batches.n_batches == 1:
        return state
    key = jax.random.fold_in(jax.random.fold_in(state.key, _ORDER), epoch)
    order = jax.lax.cond(
        place == 0,
        lambda: jax.random.permutation(key, batches.n).astype(jnp.int32),
        lambda: state.order,
    )
    return state._replace(order=order)


def _cut(
    batches: Batches, data: Mapping[str, Array], order: Any, start: Any, size: int
) -> dict[str, Array]:
    if size == batches.n:
        return whole(dict(data))
    if batches.shuffle:
        rows = jax.lax.dynamic_slice_in_dim(order, start, size)
    elif any(isinstance(v, Share) for v in data.values()):
        rows = start + jnp.arange(size)
    else:
        return {k: jax.lax.dynamic_slice_in_dim(v, start, size) for k, v in data.items()}
    return {k: take(v, rows) for k, v in data.items()}


_cut_now = partial(jax.jit, static_argnames=("batches", "size"))(_cut)
