"""Langevin steps: a gradient step, and noise of the size that makes the variables a sample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from reconic._array import Array
from reconic.descent.data_terms import abs2
from reconic.descent.optimizers import Optimizer, optimizer
from reconic.descent.rules import Arrays, Objective
from reconic.descent.uncertainty.resample import normal_like

__all__ = ["Chain", "LangevinRule", "langevin"]

_TARGET = 0.574  # best share of accepted proposals, Roberts & Rosenthal (1998)
_MEMORY = 0.99  # of the secants, per step
_SHARE = 0.1  # largest step times curvature where steps are matched to it


def langevin(
    learning_rate: float,
    *,
    precondition: bool = False,
    adjust: bool = False,
    constraint: Callable[[Array], Array] | str | None = None,
) -> Optimizer:
    """Steps of Langevin dynamics, for `sample`; without its temperature plain gradient descent.

    x ← x - h ∇L(x) + (2 h T)^½ ξ, with standard normal ξ (in complex x each part), draws from the
    density exp(-L/T) as h → 0, also with gradients of minibatches. h must be below 2 over the
    largest curvature of the loss; the error of the variance is of the order of h.

    Args:
        learning_rate: Step h along the negative gradient; with `precondition` the longest one,
            with `adjust` what the search starts from.
        precondition: Whether each value has a step of its own, h / (1 + 10 h c), for the curvature
            c on the diagonal, learnt during burn-in and kept from then on.
        adjust: Whether to accept or reject each step (MALA), which leaves no error of h, and to
            choose h during burn-in so that 57 per cent are accepted. For all data at once.
        constraint: Function applied to each array after each step, or "nonnegative": the sample
            stays where it holds. Not with `adjust`.

    References:
        Welling & Teh, ICML (2011), Eq. 4; Roberts & Tweedie, Bernoulli 2:341 (1996) (MALA);
        Bubeck, Eldan & Lehec, Discrete Comput. Geom. 59:757 (2018) (projection).
    """
    if not learning_rate > 0:
        raise ValueError(f"langevin: `learning_rate` must be positive, got {learning_rate}.")
    if adjust and constraint is not None:
        raise ValueError(
            "langevin: `constraint` must be left out with adjust=True, which would no longer be "
            "exact. Use a term of the loss, such as nonnegative, or adjust=False."
        )
    like = optimizer("sgd", learning_rate, constraint=constraint)
    rule = LangevinRule(float(learning_rate), precondition, adjust)
    return Optimizer(rule, constraint=like.constraint)


class Chain(NamedTuple):
    """State of a chain.

    Attributes:
        key: PRNG key of the next step.
        temperature: Temperature T.
        learning: Whether this is burn-in, which tunes the steps.
        n_steps: Number of steps while learning.
        log_factor: Logarithm of the factor on the learning rate that was found.
        accepted: Mean share of accepted steps since burn-in, and their number (2,).
        secants: What is known of the curvature; () without preconditioning.
    """

    key: Array
    temperature: Array
    learning: Array
    n_steps: Array
    log_factor: Array
    accepted: Array
    secants: Any


class Secants(NamedTuple):
    """Curvature from successive steps, whose noise is independent from value to value.

    Then E[Δx Δg] = c E[Δx²] for each value alone, after Hutchinson's estimate of a diagonal.

    Attributes:
        x: Arrays one step ago.
        g: Gradients there.
        product: Fading sum of Re(Δx* Δg), of each value.
        square: Fading sum of |Δx|².
    """

    x: list[Array]
    g: list[Array]
    product: list[Array]
    square: list[Array]


@dataclass(frozen=True)
class LangevinRule:
    """A step of Langevin dynamics; see `langevin`."""

    learning_rate: float
    precondition: bool
    adjust: bool

    def init(self, x: Arrays) -> Chain:
        zero = jnp.zeros((), jnp.result_type(jnp.float32, *(a.real.dtype for a in x)))
        zeros = [jnp.zeros_like(a.real) for a in x]
        secants = Secants([jnp.copy(a) for a in x], [jnp.zeros_like(a) for a in x], zeros, zeros)
        key, known = jax.random.PRNGKey(0), secants if self.precondition else ()
        return Chain(key, zero, jnp.asarray(False), zero, zero, jnp.zeros(2, zero.dtype), known)

    def update(
        self, x: Arrays, grads: Arrays, state: Chain, objective: Objective, scale: Array
    ) -> tuple[Arrays, Chain]:
        key, noise_key, accept_key = jax.random.split(state.key, 3)
        state = state._replace(key=key, n_steps=state.n_steps + state.learning)
        if self.precondition:
            state = _learnt(state, x, grads)
        steps = self._steps(x, state, scale)
        if not self.adjust:
            return _moved(x, grads, steps, state.temperature, noise_key), state
        return _metropolis(x, steps, state, objective, noise_key, accept_key)

    def _steps(self, x: Arrays, state: Chain, scale: Array) -> list[Array]:
        """Step h of each value."""
        h = self.learning_rate * scale
        factor = jnp.exp(state.log_factor)
        if not self.precondition:
            return [(h * factor).astype(a.real.dtype) for a in x]
        known = zip(state.secants.product, state.secants.square, strict=True)
        curvatures = [jnp.maximum(p, 0) / jnp.where(q > 0, q, 1) for p, q in known]
        return [(factor * h / (1 + h * c / _SHARE)).astype(c.dtype) for c in curvatures]


def _learnt(state: Chain, x: Arrays, grads: Arrays) -> Chain:
    """State that knows of the step that led to `x`, if this is burn-in."""
    last, begun = state.secants, state.n_steps > 1
    dx = [jnp.where(begun, a - b, 0) for a, b in zip(x, last.x, strict=True)]
    dg = [a - b for a, b in zip(grads, last.g, strict=True)]
    pairs = zip(last.product, dx, dg, strict=True)
    new = Secants(
        list(x),
        list(grads),
        [_MEMORY * p + (jnp.conj(a) * b).real for p, a, b in pairs],
        [_MEMORY * q + abs2(a) for q, a in zip(last.square, dx, strict=True)],
    )
    return state._replace(
        secants=jax.tree.map(lambda a, b: jnp.where(state.learning, a, b), new, last)
    )


def _drift(x: Arrays, grads: Arrays, steps: Arrays) -> list[Array]:
    return [a - h * g for a, g, h in zip(x, grads, steps, strict=True)]


def _moved(x: Arrays, grads: Arrays, steps: Arrays, temperature: Array, key: Array) -> list[Array]:
    """Arrays after an unadjusted step."""
    keys = jax.random.split(key, len(x))
    widths = [jnp.sqrt(2 * h * temperature.astype(h.dtype)) for h in steps]
    drifted = zip(_drift(x, grads, steps), widths, keys, strict=True)
    return [a + width * normal_like(k, a) for a, width, k in drifted]


def _metropolis(
    x: Arrays, steps: Arrays, state: Chain, objective: Objective, noise_key: Array, key: Array
) -> tuple[list[Array], Chain]:
    """Arrays after a step that is accepted or rejected, and the state with what was learnt."""

    def slope(at: Arrays) -> tuple[Array, list[Array]]:
        value, grads = jax.value_and_grad(objective.at)(list(at))
        return value, [jnp.conj(g) for g in grads]

    t = state.temperature
    value, grads = slope(x)
    new = _moved(x, grads, steps, t, noise_key)
    new_value, new_grads = slope(new)
    back, there = _log_density(x, new, new_grads, steps), _log_density(new, x, grads, steps)
    log_ratio = (value - new_value + back - there) / t
    chance = jnp.where(jnp.isfinite(log_ratio), jnp.exp(jnp.minimum(log_ratio, 0)), 0)
    good = jax.random.uniform(key, (), chance.dtype) < chance
    kept = [jnp.where(good, a, b) for a, b in zip(new, x, strict=True)]
    return kept, _tuned(state, chance)


def _log_density(to: Arrays, of: Arrays, grads: Arrays, steps: Arrays) -> Array:
    """T times the logarithm of the density of a step's end, up to a constant."""
    ends = zip(to, _drift(of, grads, steps), steps, strict=True)
    return -sum(jnp.sum(abs2(a - b) / (4 * h)) for a, b, h in ends)  # pyright: ignore


def _tuned(state: Chain, chance: Array) -> Chain:
    """Longer steps after a step that was likely accepted, shorter ones else, during burn-in.

    References:
        Andrieu & Thoms, Stat. Comput. 18:343 (2008), Sec. 4.2.2.
    """
    gain = jnp.where(state.learning, jnp.maximum(state.n_steps, 1.0) ** -0.6, 0)
    mean, n = state.accepted
    n = jnp.where(state.learning, 0, n + 1)
    mean = jnp.where(state.learning, 0, mean + (chance - mean) / jnp.maximum(n, 1))
    return state._replace(
        log_factor=state.log_factor + gain * (chance - _TARGET).astype(gain.dtype),
        accepted=jnp.stack([mean, n]).astype(state.accepted.dtype),
    )
