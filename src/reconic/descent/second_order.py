"""L-BFGS, and Gauss–Newton with the damping of Levenberg and Marquardt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from reconic._array import Array
from reconic.descent.optimizers import Optimizer
from reconic.descent.real_pairs import from_pairs, from_vector, to_pairs, to_vector
from reconic.descent.rules import Arrays, Objective
from reconic.solvers import cg

__all__ = ["gauss_newton", "lbfgs"]


def lbfgs(
    memory: int = 10,
    *,
    max_evaluations: int = 20,
    start: int = 0,
    stop: int | None = None,
    constraint: Callable[[Array], Array] | None = None,
) -> Optimizer:
    """L-BFGS with a line search that meets the strong Wolfe conditions; there is no learning rate.

    For a loss that is the same in every step: take all measurements at once. Complex variables are
    pairs of real ones.

    Args:
        memory: Number of steps to remember.
        max_evaluations: Largest number of evaluations of the loss in a line search.
        start: Step of the first update.
        stop: Step before which the last update is.
        constraint: Applied to each array after each update; a loss whose minimum lies outside it
            may make the line search stall, so prefer `proximal`.

    References:
        Nocedal & Wright, Numerical Optimization, 2nd ed. (2006), Algorithms 7.4, 7.5, 3.5, 3.6.
    """
    if memory < 1 or max_evaluations < 1:
        raise ValueError(
            f"lbfgs: `memory` and `max_evaluations` must be at least 1, got {memory} and "
            f"{max_evaluations}."
        )
    return Optimizer(_LBFGS(memory, max_evaluations), start, stop, 1, constraint)


@dataclass(frozen=True)
class _LBFGS:
    memory: int
    max_evaluations: int

    def init(self, x: Arrays) -> Any:
        return self._transform().init(to_pairs(x))

    def update(
        self, x: Arrays, grads: Arrays, state: Any, objective: Objective, scale: Array
    ) -> tuple[Arrays, Any]:
        pairs, slopes = to_pairs(x), to_pairs(grads)
        steps, state = self._transform().update(
            slopes,
            state,
            pairs,
            value=objective.now,
            grad=slopes,
            value_fn=lambda p: objective.at(from_pairs(p, x)),
        )
        steps = jax.tree.map(lambda s: s * scale.astype(s.dtype), steps)
        return from_pairs(optax.apply_updates(pairs, steps), x), state  # pyright: ignore

    def _transform(self) -> optax.GradientTransformationExtraArgs:
        search = optax.scale_by_zoom_linesearch(self.max_evaluations, initial_guess_strategy="one")
        return optax.lbfgs(memory_size=self.memory, linesearch=search)


def gauss_newton(
    damping: float = 1e-3,
    *,
    max_cg: int = 50,
    tol: float = 1e-3,
    start: int = 0,
    stop: int | None = None,
    constraint: Callable[[Array], Array] | None = None,
) -> Optimizer:
    """Gauss–Newton, solved by conjugate gradients and damped as Levenberg and Marquardt do.

    The curvature is JᵀHJ, with the forward model's derivative J and the Hessian H of the loss by
    prediction and variables: for `l2` that of least squares, and it serves any convex term. A step
    that does not lower the loss is not taken, and damped more the next time.

    Args:
        damping: First damping, relative to the curvature along the gradient; 0 is plain
            Gauss–Newton, which takes every step.
        max_cg: Largest number of iterations of conjugate gradients in a step.
        tol: Relative residual at which they stop.
        start: Step of the first update.
        stop: Step before which the last update is.
        constraint: Applied to each array after each update.

    References:
        Marquardt, J. SIAM 11:431 (1963), Eq. 14; Schraudolph, Neural Comput. 14:1723 (2002),
        Sec. 3 (products with JᵀHJ); Nocedal & Wright (2006), Algorithm 4.1 (the damping's ratio).
    """
    if damping < 0 or max_cg < 1:
        raise ValueError(
            f"gauss_newton: `damping` must not be negative and `max_cg` be at least 1, got "
            f"{damping} and {max_cg}."
        )
    return Optimizer(_GaussNewton(float(damping), max_cg, tol), start, stop, 1, constraint)


class _Damping(NamedTuple):
    value: Array


@dataclass(frozen=True)
class _GaussNewton:
    damping: float
    max_cg: int
    tol: float

    def init(self, x: Arrays) -> _Damping:
        return _Damping(jnp.asarray(self.damping, to_vector(x).dtype))

    def update(
        self, x: Arrays, grads: Arrays, state: _Damping, objective: Objective, scale: Array
    ) -> tuple[Arrays, _Damping]:
        v, slope = to_vector(x), to_vector(grads)
        curve = _curvature(objective, x)
        power = jnp.vdot(slope, slope)
        along = jnp.vdot(slope, curve(slope)) / jnp.where(power > 0, power, 1)
        shift = state.value * along
        found = cg(lambda d: curve(d) + shift * d, -slope, max_iter=self.max_cg, tol=self.tol)
        step = found.x * scale.astype(v.dtype)
        new = from_vector(v + step, x)
        if self.damping == 0:
            return new, state
        predicted = -(jnp.vdot(slope, step) + jnp.vdot(step, curve(step)) / 2)
        ratio = (objective.now - objective.at(new)) / jnp.where(predicted > 0, predicted, 1)
        good = (ratio > 0) & (predicted > 0)
        factor = jnp.where(ratio > 0.75, 1 / 3, jnp.where(ratio > 0.25, 1.0, 4.0))
        kept = [jnp.where(good, a, b) for a, b in zip(new, x, strict=True)]
        value = state.value * jnp.where(good, factor, 4.0).astype(v.dtype)
        return kept, _Damping(jnp.clip(value, 1e-12, 1e12))


def _curvature(objective: Objective, x: Arrays) -> Callable[[Array], Array]:
    """Product of JᵀHJ with a vector."""
    leaves, treedef = jax.tree.flatten(objective.outputs(x))
    moving = [i for i, a in enumerate(leaves) if jnp.issubdtype(jnp.result_type(a), jnp.inexact)]
    like = [jnp.asarray(leaves[i]) for i in moving]

    def model(v: Array) -> list[Array]:
        found = jax.tree.leaves(objective.outputs(from_vector(v, x)))
        return to_pairs([jnp.asarray(found[i]) for i in moving])

    def judge(pairs: list[Array]) -> Array:
        filled = list(leaves)
        for i, a in zip(moving, from_pairs(pairs, like), strict=True):
            filled[i] = a
        return objective.of_outputs(jax.tree.unflatten(treedef, filled))

    at = to_pairs(like)
    _, push = jax.linearize(model, to_vector(x))
    pull = jax.linear_transpose(push, to_vector(x))

    def product(d: Array) -> Array:
        return pull(jax.jvp(jax.grad(judge), (at,), (push(d),))[1])[0]

    return product
