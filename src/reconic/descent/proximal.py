"""Proximal gradients: a smooth loss, and a prior that acts by its proximal map."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from reconic._array import Array
from reconic.descent.groups import Group
from reconic.descent.loss import Evaluation, Term
from reconic.descent.optimizers import Optimizer
from reconic.descent.rules import Arrays, Objective
from reconic.descent.trees import Frame, format_path, split
from reconic.priors import Prior

__all__ = ["ProximalRule", "prior_terms", "proximal"]


def proximal(
    prior: Prior,
    weight: float = 1.0,
    *,
    accelerate: bool = True,
    start: int = 0,
    stop: int | None = None,
) -> Optimizer:
    """Accelerated proximal gradients (FISTA) on loss + weight · prior(x); no step size to set.

    The step is found by backtracking, and the acceleration restarts where it would overshoot. The
    prior's value appears in the history as `prior/…`, and counts for the best variables.

    Args:
        prior: Prior of each array of the variable, such as `reconic.priors.TV()`.
        weight: Weight of the prior.
        accelerate: Whether to extrapolate between steps.
        start: Step of the first update.
        stop: Step before which the last update is.

    References:
        Beck & Teboulle, SIAM J. Imaging Sci. 2:183 (2009), Eqs. 4.1-4.3 and the backtracking of
        Sec. 4; O'Donoghue & Candès, Found. Comput. Math. 15:715 (2015), Eq. 12 (restart).
    """
    if not isinstance(prior, Prior):
        raise TypeError(
            f"proximal: `prior` must be a Prior, such as reconic.priors.L1(), got "
            f"{type(prior).__name__}."
        )
    if weight < 0:
        raise ValueError(f"proximal: `weight` must not be negative, got {weight}.")
    arrays, frame = split(prior)
    return Optimizer(
        ProximalRule(prior if arrays else frame, float(weight), accelerate), start, stop
    )


class _Momentum(NamedTuple):
    step: Array  # 0 before the first update
    before: list[Array]
    t: Array


@dataclass(frozen=True)
class ProximalRule:
    """One step of FISTA.

    Attributes:
        prior: Prior, or its frame where it has no arrays, which compares by its settings.
        weight: Weight of the prior.
        accelerate: Whether to extrapolate.
    """

    prior: Prior | Frame
    weight: float
    accelerate: bool

    def value(self, x: Arrays) -> Array:
        """Weighted value of the prior; zero for a constraint that is not met yet."""
        total = sum(self.weight * jnp.sum(self._prior()(a)) for a in x)
        return jnp.where(jnp.isinf(total), 0, total)

    def init(self, x: Arrays) -> _Momentum:
        real = jnp.result_type(*(a.real.dtype for a in x))
        return _Momentum(jnp.zeros((), real), [jnp.copy(a) for a in x], jnp.ones((), real))

    def update(
        self, x: Arrays, grads: Arrays, state: _Momentum, objective: Objective, scale: Array
    ) -> tuple[Arrays, _Momentum]:

        def smooth(v: Arrays) -> Array:  # the loss also counts the prior, without a gradient
            return objective.at(v) - jax.lax.stop_gradient(self.value(v))

        at, value, slopes = list(x), objective.now - self.value(x), list(grads)
        t = (1 + jnp.sqrt(1 + 4 * state.t**2)) / 2
        if self.accelerate:
            beta = (state.t - 1) / t
            at = [
                a + beta.astype(a.real.dtype) * (a - b)
                for a, b in zip(x, state.before, strict=True)
            ]
            value, slopes = jax.value_and_grad(smooth)(at)
            slopes = [jnp.conj(g) for g in slopes]
        new, step = self._backtracked(at, value, slopes, smooth, state.step)
        new = [
            jnp.where(scale < 1, b + scale.astype(b.real.dtype) * (a - b), a)
            for a, b in zip(new, at, strict=True)
        ]
        overshot = _inner(_minus(at, new), _minus(new, x)) > 0
        return new, _Momentum(step, list(x), jnp.where(overshot, 1, t))

    def _backtracked(
        self,
        at: Arrays,
        value: Array,
        slopes: Arrays,
        smooth: Callable[[Arrays], Array],
        step: Array,
    ) -> tuple[list[Array], Array]:
        """Point after the longest step that the loss's quadratic bound allows, and that step."""

        def move(step: Array) -> list[Array]:
            moved = [a - step.astype(a.real.dtype) * g for a, g in zip(at, slopes, strict=True)]
            return [self._prior().prox(a, self.weight * step.astype(a.real.dtype)) for a in moved]

        def fits(step: Array) -> Array:
            new = move(step)
            gap = _minus(new, at)
            size = _inner(gap, gap)
            bound = value + _inner(slopes, gap) + size / (2 * step)
            return smooth(new) <= bound + 1e-6 * jnp.abs(value)  # up to rounding

        def grow(step: Array) -> Array:
            return jax.lax.while_loop(
                lambda s: fits(2 * s) & (s < 1e12), lambda s: 2 * s, jnp.ones_like(step)
            )

        step = jax.lax.cond(step == 0, grow, lambda s: s, step)
        step = jax.lax.while_loop(lambda s: ~fits(s) & (s > 1e-12), lambda s: s / 2, step)
        return move(step), step

    def _prior(self) -> Any:
        return self.prior.join([]) if isinstance(self.prior, Frame) else self.prior


def prior_terms(groups: Sequence[Group]) -> tuple[Term, ...]:
    """Terms with the value of each prior that acts by its proximal map; of zero gradient."""
    return tuple(
        Term(f"prior/{format_path(g.path)}", _PriorTerm(g.optimizer.rule, g.leaves), False)
        for g in groups
        if isinstance(g.optimizer.rule, ProximalRule)
    )


@dataclass(frozen=True)
class _PriorTerm:
    rule: ProximalRule
    leaves: tuple[int, ...]

    def __call__(self, e: Evaluation) -> Array:
        arrays, _ = split(e.variables)
        return self.rule.value([jax.lax.stop_gradient(arrays[i]) for i in self.leaves])


def _minus(a: Arrays, b: Arrays) -> list[Array]:
    return [p - q for p, q in zip(a, b, strict=True)]


def _inner(a: Arrays, b: Arrays) -> Array:
    return sum(jnp.sum((jnp.conj(p) * q).real) for p, q in zip(a, b, strict=True))  # pyright: ignore
