"""What one step computes: the loss, its gradient, and the next state."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from reconic._array import Array
from reconic.descent import window
from reconic.descent.evaluate import outputs_of, put, terms_from
from reconic.descent.rules import Arrays, Objective
from reconic.descent.state import Block, Program, State
from reconic.descent.trees import Frame

__all__ = ["take_step"]


def take_step(
    program: Program,
    state: State,
    model: Arrays,
    batch: Mapping[str, Any],
    weights: Array,
    size: int,
    epoch: Array,
    last: Array | bool,
) -> tuple[State, Array]:
    """One step on one batch.

    A step whose loss or gradient is not finite is not taken: the state stays but for `failed`, and
    no further step is.

    Args:
        program: What to compute.
        state: State before the step.
        model: Arrays of the forward model.
        batch: Measurements.
        weights: Weight of each term.
        size: Number of measurements in the batch.
        epoch: Epoch, from zero.
        last: Whether this batch is the epoch's last.

    Returns:
        State after the step, and the mean of each term over the epoch so far.
    """
    batch = {**batch, "epoch": epoch, "step": state.step}
    loss = _BatchLoss(program, model, batch, weights, state.key)
    if len(program.blocks) == 1:
        return _step(program.blocks[0], state, loss, size, last)
    branches = [lambda b=b: _step(b, state, loss, size, last) for b in program.blocks]
    return jax.lax.switch(_turn(program.blocks, state.step), branches)


@dataclass(frozen=True)
class _BatchLoss:
    """The loss of one batch as a function of the variables' arrays."""

    program: Program
    model: Arrays
    batch: Mapping[str, Any]
    weights: Array
    key: Array

    def outputs(self, arrays: Arrays) -> Any:
        return outputs_of(self.program, arrays, self.model, self.batch, self.key)

    def terms(self, outputs: Any) -> Array:
        return terms_from(self.program, outputs, self.batch)

    def total(self, terms: Array) -> Array:
        return self.weights.astype(terms.dtype) @ terms

    def slopes(self, arrays: list[Array], moving: Sequence[int]) -> tuple[Array, Array, Arrays]:
        """Total, terms, and directions of steepest ascent by the arrays at some places."""

        def of(free: Arrays) -> tuple[Array, Array]:
            terms = self.terms(self.outputs(put(arrays, moving, free)))
            return self.total(terms), terms

        (value, terms), slopes = jax.value_and_grad(of, has_aux=True)([arrays[i] for i in moving])
        return value, terms, [jnp.conj(g) for g in slopes]  # JAX's are conjugates of the ascent

    def objective(self, arrays: list[Array], moving: Sequence[int], value: Array) -> Objective:
        def outputs(free: Arrays) -> Any:
            return self.outputs(put(arrays, moving, free))

        def of_outputs(outputs: Any) -> Array:
            return self.total(self.terms(outputs))

        return Objective(lambda free: of_outputs(outputs(free)), value, outputs, of_outputs)


def _step(
    block: Block, state: State, loss: _BatchLoss, size: int, last: Array | bool
) -> tuple[State, Array]:
    """Step in which one block moves.

    The new state is under a condition, rather than chosen value by value, so that XLA writes it
    over the old one: the loop needs no second copy of variables and optimizer.
    """
    program = loss.program
    moving = [i for g in block.groups for i in program.groups[g].leaves]
    value, terms, slopes = loss.slopes(state.arrays, moving)
    sums, means = _averages(program, state.sums, terms, size, last)
    grads = dict(zip(moving, slopes, strict=True))

    def moved() -> State:
        arrays, rules = _moved(block, state, grads, loss, value)
        arrays = _after(program.after_step, "after_step", program.frame, arrays)
        if program.after_epoch is not None:
            arrays = jax.lax.cond(
                last,
                lambda: _after(program.after_epoch, "after_epoch", program.frame, arrays),
                lambda: arrays,
            )
        measured = state.arrays if program.n_batches == 1 else arrays
        best_loss, best = _best(program, state, measured, loss.weights @ means, last)
        return state._replace(
            step=state.step + 1,
            arrays=arrays,
            rules=rules,
            sums=sums,
            best_loss=best_loss,
            best=best,
            failed=jnp.asarray(False),
        )

    good = _all_finite([value, *slopes]) & ~state.failed
    stay = state._replace(failed=jnp.asarray(True))
    return jax.lax.cond(good, moved, lambda: stay), means


def _moved(
    block: Block, state: State, grads: Mapping[int, Array], loss: _BatchLoss, value: Array
) -> tuple[list[Array], list[window.WindowState]]:
    """Arrays and states of the optimizers after a block moved."""
    arrays, rules = list(state.arrays), list(state.rules)
    for g in block.groups:
        group = loss.program.groups[g]
        new, rules[g] = window.update(
            group.optimizer,
            [state.arrays[i] for i in group.leaves],
            [grads[i] for i in group.leaves],
            state.rules[g],
            loss.objective(arrays, group.leaves, value),
            state.step,
            state.scale,
        )
        arrays = put(arrays, group.leaves, new)
    return arrays, rules


def _averages(
    program: Program, sums: Array, terms: Array, size: int, last: Array | bool
) -> tuple[Array, Array]:
    """Sums over the epoch's batches, and means of the terms so far; one batch is its own mean."""
    terms = terms.astype(sums.dtype)
    if program.n_batches == 1:
        return sums, terms
    sums = sums + size * jnp.append(terms, 1)
    return jnp.where(last, 0, sums), sums[:-1] / sums[-1]


def _turn(blocks: Sequence[Block], step: Array) -> Array:
    """Which block's turn it is."""
    ends = jnp.cumsum(jnp.asarray([b.n_steps for b in blocks]))
    return jnp.searchsorted(ends, step % ends[-1], side="right")


def _after(
    hook: Callable[[Any], Any] | None, name: str, frame: Frame, arrays: list[Array]
) -> list[Array]:
    """Arrays after a user's function of the variables."""
    if hook is None:
        return arrays
    leaves, treedef = jax.tree.flatten(hook(frame.join(arrays)))
    if treedef != frame.treedef:
        raise ValueError(
            f"{name}: the variables must keep their tree {frame.treedef}, got {treedef}. Return "
            "them all."
        )
    new = [x for x, kind in zip(leaves, frame.is_array, strict=True) if kind]
    for path, a, b in zip(frame.paths, new, arrays, strict=True):
        if jnp.shape(a) != b.shape:
            raise ValueError(
                f"{name}: the variable {'.'.join(path)} must keep its shape {b.shape}, got "
                f"{jnp.shape(a)}."
            )
    return [jnp.asarray(a).astype(b.dtype) for a, b in zip(new, arrays, strict=True)]


def _best(
    program: Program, state: State, arrays: list[Array], loss: Array, last: Array | bool
) -> tuple[Array, Any]:
    """Smallest loss of an epoch so far, and the variables that had it."""
    if not program.keep_best:
        return state.best_loss, state.best
    loss = loss.astype(state.best_loss.dtype)
    better = last & (loss < state.best_loss)
    best = [jnp.where(better, a, b) for a, b in zip(arrays, state.best, strict=True)]
    return jnp.where(better, loss, state.best_loss), best


def _all_finite(arrays: Arrays) -> Array:
    """Whether all values are: zero times one that is not is NaN, and sums are fast."""
    parts = [p for a in arrays for p in ((a.real, a.imag) if jnp.iscomplexobj(a) else (a,))]
    return sum(jnp.sum(0 * p).astype(jnp.float32) for p in parts) == 0
