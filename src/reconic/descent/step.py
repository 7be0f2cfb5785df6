"""What one step computes: the loss, its gradient, and the next state."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from reconic._array import Array
from reconic.descent import window
from reconic.descent.evaluate import outputs_of, put, terms_from, terms_of
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
    last: Array,
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
    key = state.key
    if len(program.blocks) == 1:
        moved = _move(program, program.blocks[0], state, model, batch, weights, key)
    else:
        branches = [
            lambda b=b: _move(program, b, state, model, batch, weights, key) for b in program.blocks
        ]
        moved = jax.lax.switch(_turn(program.blocks, state.step), branches)
    arrays, rules, terms, ok = moved
    ok &= ~state.failed
    arrays = _after(program.after_step, "after_step", program.frame, arrays)
    if program.after_epoch is not None:
        arrays = jax.lax.cond(
            last,
            lambda: _after(program.after_epoch, "after_epoch", program.frame, arrays),
            lambda: arrays,
        )
    sums = state.sums + size * jnp.append(terms, 1).astype(state.sums.dtype)
    means = sums[:-1] / sums[-1]
    best_loss, best = _best(program, state, arrays, weights @ means, last)
    new = State(
        step=state.step + 1,
        key=state.key,
        arrays=arrays,
        rules=rules,
        order=state.order,
        sums=jnp.where(last, 0, sums),
        best_loss=best_loss,
        best=best,
        scale=state.scale,
        failed=~ok,
    )
    kept = jax.tree.map(lambda a, b: jnp.where(ok, a, b), new, state)
    return kept._replace(failed=~ok), means


def _move(
    program: Program,
    block: Block,
    state: State,
    model: Arrays,
    batch: Mapping[str, Any],
    weights: Array,
    key: Array,
) -> tuple[list[Array], list[window.WindowState], Array, Array]:
    """Arrays and optimizer states after a block moved, the terms, and whether all is finite."""
    arrays, rules = list(state.arrays), list(state.rules)
    moving = [i for g in block.groups for i in program.groups[g].leaves]

    def total(free: Arrays) -> tuple[Array, Array]:
        terms = terms_of(program, put(arrays, moving, free), model, batch, key)
        return weights.astype(terms.dtype) @ terms, terms

    (value, terms), slopes = jax.value_and_grad(total, has_aux=True)([arrays[i] for i in moving])
    slopes = [jnp.conj(g) for g in slopes]  # JAX's are conjugates of the steepest ascent
    grads = dict(zip(moving, slopes, strict=True))
    for g in block.groups:
        group = program.groups[g]
        objective = _objective(program, arrays, group.leaves, model, batch, weights, key, value)
        new, rules[g] = window.update(
            group.optimizer,
            [state.arrays[i] for i in group.leaves],
            [grads[i] for i in group.leaves],
            state.rules[g],
            objective,
            state.step,
            state.scale,
        )
        arrays = put(arrays, group.leaves, new)
    return arrays, rules, terms, _finite([value, *slopes])


def _objective(
    program: Program,
    arrays: list[Array],
    leaves: Sequence[int],
    model: Arrays,
    batch: Mapping[str, Any],
    weights: Array,
    key: Array,
    value: Array,
) -> Objective:
    def outputs(free: Arrays) -> Any:
        return outputs_of(program, put(arrays, leaves, free), model, batch, key)

    def of_outputs(found: Any) -> Array:
        terms = terms_from(program, found, batch)
        return weights.astype(terms.dtype) @ terms

    return Objective(lambda free: of_outputs(outputs(free)), value, outputs, of_outputs)


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
    program: Program, state: State, arrays: list[Array], loss: Array, last: Array
) -> tuple[Array, Any]:
    """Smallest loss of an epoch so far, and the variables that had it."""
    if not program.keep_best:
        return state.best_loss, state.best
    candidate = state.arrays if program.n_batches == 1 else arrays
    loss = loss.astype(state.best_loss.dtype)
    better = last & (loss < state.best_loss)
    best = [jnp.where(better, a, b) for a, b in zip(candidate, state.best, strict=True)]
    return jnp.where(better, loss, state.best_loss), best


def _finite(arrays: Arrays) -> Array:
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(a)) for a in arrays]))
