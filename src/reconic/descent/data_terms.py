"""Terms of a loss that compare predictions with measurements."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from reconic._array import Array, real_dtype
from reconic.descent.loss import Evaluation, Loss, Term

__all__ = ["KEPT", "DataTerm", "amplitude", "cross_correlation", "huber", "l1", "l2", "poisson"]

KEPT = "kept"  # entry of a batch: by target, which elements count; the others are held out


@dataclass(frozen=True)
class DataTerm:
    """Weighted comparison of a prediction with an entry of the batch.

    Attributes:
        label: Name of the term.
        cost: (prediction, measurement, weights or None) ↦ real scalar.
        target: Entry of the batch to compare with.
        output: Entry of the prediction where that is a mapping; `target` if None.
        weights: Entry of the batch with real weights that broadcast against the measurement.
    """

    label: str
    cost: Callable[[Array, Array, Array | None], Array]
    target: str
    output: str | None = None
    weights: str | None = None

    def __call__(self, e: Evaluation) -> Array:
        """Value of the term; raises if shapes differ or entries are missing."""
        y = _entry(e.batch, self.target, self.label, "the data")
        p = e.prediction
        if isinstance(p, Mapping):
            p = _entry(p, self.output or self.target, self.label, "the prediction")
        if not hasattr(p, "shape") or tuple(p.shape) != tuple(y.shape):
            raise ValueError(
                f"{self.label}({self.target!r}): the prediction must have the shape of the data, "
                f"{tuple(y.shape)}, got {tuple(getattr(p, 'shape', ())) or type(p).__name__}. "
                "Check what the forward model returns."
            )
        return self.cost(p, y, self._weights(e, y))

    def _weights(self, e: Evaluation, y: Array) -> Array | None:
        kept = e.batch.get(KEPT, {}).get(self.target)
        weights = None
        if self.weights is not None:
            weights = jnp.broadcast_to(
                _entry(e.batch, self.weights, self.label, "the data"), y.shape
            )
        if kept is None:
            return weights
        return kept.astype(real_dtype(y)) if weights is None else weights * kept


def _entry(mapping: Mapping[str, Any], name: str, label: str, where: str) -> Any:
    if name not in mapping:
        raise KeyError(
            f"{label}({name!r}): {where} must have an entry {name!r}, got "
            f"{', '.join(map(repr, mapping)) or 'none'}."
        )
    return mapping[name]


def _mean(values: Array, weights: Array | None) -> Array:
    """Mean of `values`, or weighted mean; zero if all weights are."""
    if weights is None:
        return jnp.mean(values)
    total = jnp.sum(weights)
    return jnp.sum(weights * values) / jnp.where(total > 0, total, 1)


def abs2(x: Array) -> Array:
    """Squared magnitude."""
    return x.real**2 + x.imag**2 if jnp.iscomplexobj(x) else x * x


@dataclass(frozen=True)
class _Elementwise:
    """Mean over all measured values of a cost of each."""

    cost: Callable[[Array, Array], Array]

    def __call__(self, p: Array, y: Array, weights: Array | None) -> Array:
        return _mean(self.cost(p, y), weights)


def _loss(label: str, cost: Callable, target: str, output: str | None, weights: str | None) -> Loss:
    return Loss((Term(label, DataTerm(label, cost, target, output, weights)),), (1.0,))


def l2(target: str, output: str | None = None, weights: str | None = None) -> Loss:
    """Mean of |p - y|², for Gaussian noise; real or complex.

    Args:
        target: Entry of the data to compare the prediction with.
        output: Entry of the prediction, where that is a mapping; `target` if None.
        weights: Entry of the data with weights ≥ 0, for a weighted mean; zero leaves a value out.
    """
    return _loss("l2", _Elementwise(_square), target, output, weights)


def _square(p: Array, y: Array) -> Array:
    return abs2(p - y)


def l1(target: str, output: str | None = None, weights: str | None = None) -> Loss:
    """Mean of |p - y|, robust against outliers; its gradient where p = y is zero."""
    return _loss("l1", _Elementwise(_magnitude), target, output, weights)


def _magnitude(p: Array, y: Array) -> Array:
    return jnp.abs(p - y)


@dataclass(frozen=True)
class _Huber:
    delta: float

    def __call__(self, p: Array, y: Array) -> Array:
        power = abs2(p - y)
        far = power > self.delta**2
        length = jnp.sqrt(jnp.where(far, power, 1))
        return jnp.where(far, self.delta * (length - self.delta / 2), power / 2)


def huber(
    target: str, delta: float = 1.0, output: str | None = None, weights: str | None = None
) -> Loss:
    """Mean of |r|²/2 for |r| ≤ δ and δ(|r| - δ/2) beyond, of residuals r.

    Args:
        target: Entry of the data to compare the prediction with.
        delta: Residual δ from which on an error counts as an outlier, in the data's unit.
        output: Entry of the prediction, where that is a mapping.
        weights: Entry of the data with weights.

    References:
        Huber, Ann. Math. Statist. 35:73 (1964), Eq. 3.1.
    """
    if not delta > 0:
        raise ValueError(f"huber: `delta` must be positive, got {delta}.")
    return _loss("huber", _Elementwise(_Huber(float(delta))), target, output, weights)


def amplitude(target: str, output: str | None = None, weights: str | None = None) -> Loss:
    """Mean of (|p| - y)², for measured magnitudes y of a complex field, without their phase.

    The gradient where p = 0 is zero, and not NaN.

    References:
        Fienup, Appl. Opt. 21:2758 (1982), Eq. 13.
    """
    return _loss("amplitude", _Elementwise(_amplitude), target, output, weights)


def _amplitude(p: Array, y: Array) -> Array:
    return (jnp.abs(p) - y) ** 2


@dataclass(frozen=True)
class _Poisson:
    floor: float

    def __call__(self, p: Array, y: Array) -> Array:
        above = p > self.floor
        tangent = jnp.log(self.floor) + (p - self.floor) / self.floor
        log_p = jnp.where(above, jnp.log(jnp.where(above, p, 1)), tangent)
        log_y = jnp.log(jnp.where(y > 0, y, 1))
        return p - y + y * (log_y - log_p)


def poisson(
    target: str, floor: float = 1e-6, output: str | None = None, weights: str | None = None
) -> Loss:
    """Mean of p - y + y log(y/p): the negative log-likelihood of counts y, above its smallest.

    Below `floor` the logarithm goes on as its tangent, so that the term stays convex and finite and
    drives a prediction that is not positive back up.

    Args:
        target: Entry of the data, counts ≥ 0.
        floor: Rate below which the logarithm is linear, in counts.
        output: Entry of the prediction, where that is a mapping.
        weights: Entry of the data with weights.

    References:
        Csiszár, Ann. Statist. 19:2032 (1991), Eq. 1.4 (I-divergence).
    """
    if not floor > 0:
        raise ValueError(f"poisson: `floor` must be positive, got {floor}.")
    return _loss("poisson", _Elementwise(_Poisson(float(floor))), target, output, weights)


def cross_correlation(target: str, output: str | None = None, weights: str | None = None) -> Loss:
    """One minus the normalised cross-correlation Re⟨p - p̄, y - ȳ⟩ / (‖p - p̄‖ ‖y - ȳ‖).

    Blind to gain and offset, from 0 (equal up to these) to 2; 1, with zero gradient, where either
    is constant.
    """
    return _loss("cross_correlation", _correlation, target, output, weights)


def _correlation(p: Array, y: Array, weights: Array | None) -> Array:
    p, y = p - _mean(p, weights), y - _mean(y, weights)
    inner = _mean((jnp.conj(p) * y).real, weights)
    power = _mean(abs2(p), weights) * _mean(abs2(y), weights)
    known = power > 0
    return 1 - jnp.where(known, inner / jnp.sqrt(jnp.where(known, power, 1)), 0)
