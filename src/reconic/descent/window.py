"""When a variable moves: from a step on, up to a step, every n-th with averaged gradients."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from reconic._array import Array
from reconic.descent.optimizers import Optimizer
from reconic.descent.rules import Arrays, Objective, Rule

__all__ = ["WindowState", "init", "update"]


class WindowState(NamedTuple):
    """State of one optimizer.

    Attributes:
        rule: State of its rule.
        seen: Number of gradients that it was given while active; () where every one is used.
        mean: Their mean since the last update; () where every one is used.
    """

    rule: Any
    seen: Any = ()
    mean: Any = ()


def init(opt: Optimizer, x: Arrays) -> WindowState:
    """State at the start."""
    inner = _rule(opt).init(x)
    if opt.every == 1:
        return WindowState(inner)
    return WindowState(inner, jnp.zeros((), jnp.int32), [jnp.zeros_like(a) for a in x])


def update(
    opt: Optimizer,
    x: Arrays,
    grads: Arrays,
    state: WindowState,
    objective: Objective,
    step: Array,
    scale: Array,
) -> tuple[Arrays, WindowState]:
    """Arrays and state after one step, moved if `step` is in the window and n gradients are in."""

    def move(grads: Arrays) -> tuple[Arrays, Any]:
        new, inner = _rule(opt).update(x, grads, state.rule, objective, scale)
        return _constrained(opt, new, x), inner

    active = _active(opt, step)
    if opt.every == 1:
        if active is None:
            new, inner = move(grads)
        else:
            new, inner = jax.lax.cond(active, lambda: move(grads), lambda: (list(x), state.rule))
        return new, WindowState(inner)
    active = jnp.asarray(True) if active is None else active
    seen = state.seen + active
    count = (seen - 1) % opt.every + 1
    mean = [
        jnp.where(active, m + (g - m) / count.astype(m.real.dtype), m)
        for m, g in zip(state.mean, grads, strict=True)
    ]
    due = active & (count == opt.every)
    new, inner = jax.lax.cond(due, lambda: move(mean), lambda: (list(x), state.rule))
    return new, WindowState(inner, seen, [jnp.where(due, 0, m) for m in mean])


def _rule(opt: Optimizer) -> Rule:
    assert opt.rule is not None  # frozen variables have no state
    return opt.rule


def _active(opt: Optimizer, step: Array) -> Array | None:
    """Whether `step` is in the window; None if every step is."""
    if opt.start == 0 and opt.stop is None:
        return None
    active = step >= opt.start
    return active if opt.stop is None else active & (step < opt.stop)


def _constrained(opt: Optimizer, new: Arrays, x: Arrays) -> Arrays:
    if opt.constraint is None:
        return list(new)
    held = [opt.constraint(a) for a in new]
    for a, b in zip(held, x, strict=True):
        if tuple(jnp.shape(a)) != tuple(b.shape):
            raise ValueError(
                f"constraint: the array must keep its shape {tuple(b.shape)}, got "
                f"{tuple(jnp.shape(a))}. Return an array like the one given."
            )
    return [jnp.asarray(a).astype(b.dtype) for a, b in zip(held, x, strict=True)]
