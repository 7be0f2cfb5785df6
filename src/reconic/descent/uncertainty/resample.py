"""Other measurements that might as well have been made: what each member of an ensemble fits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from reconic._array import Array
from reconic.descent.data_terms import DataTerm
from reconic.descent.loss import Loss

__all__ = ["Resample", "bootstrap", "gaussian_noise", "gaussian_temperature", "normal_like"]

Resample = Callable[[Array, Mapping[str, Array]], Mapping[str, Array]]


def gaussian_noise(sigma: Mapping[str, float | Array]) -> Resample:
    """Measurements with Gaussian noise added, for `ensemble(resample=…)`.

    For a linear forward model, and a loss that is the negative logarithm of a Gaussian posterior
    whose priors stand among the data with the noise that is their width, the members' fits are
    independent draws from that posterior; else they approximate it.

    Args:
        sigma: By entry of the data, the noise's standard deviation (E|noise|²)^½, in the data's
            unit; a number, or an array that broadcasts against the entry.

    References:
        Bardsley, Solonen, Haario & Laine, SIAM J. Sci. Comput. 36:A1895 (2014), Sec. 2.
    """

    def resample(key: Array, data: Mapping[str, Array]) -> Mapping[str, Array]:
        if unknown := sigma.keys() - data.keys():
            raise KeyError(
                f"gaussian_noise: `sigma` must be for entries of the data, "
                f"{', '.join(data)}, got {', '.join(sorted(unknown))}."
            )
        keys = dict(zip(sorted(sigma), jax.random.split(key, len(sigma)), strict=True))
        noisy = {k: v + _noise(keys[k], v, sigma[k]) for k, v in data.items() if k in sigma}
        return {**data, **noisy}

    return resample


def _noise(key: Array, y: Array, sigma: Any) -> Array:
    width = jnp.asarray(sigma, y.real.dtype)
    return width * jax.random.normal(key, y.shape, y.dtype)  # of complex numbers: E|n|² = 1


def normal_like(key: Array, x: Array) -> Array:
    """Standard normal numbers of the kind of `x`: in complex ones each part has variance one."""
    scale = jnp.sqrt(2.0) if jnp.iscomplexobj(x) else jnp.ones(())
    return scale.astype(x.real.dtype) * jax.random.normal(key, x.shape, x.dtype)


def bootstrap(key: Array, data: Mapping[str, Array]) -> Mapping[str, Array]:
    """As many measurements drawn with replacement, for `ensemble(resample=bootstrap)`.

    All entries are drawn alike, along their leading axis.

    References:
        Efron, Ann. Statist. 7:1 (1979).
    """
    n = {len(v) for v in data.values()}
    if len(n) != 1:
        raise ValueError(
            "bootstrap: all data must have one leading axis of measurements, got the shapes "
            f"{ {k: tuple(v.shape) for k, v in data.items()} }. Write a `resample` of your own."
        )
    rows = jax.random.randint(key, (size := n.pop(),), 0, size)
    return {k: jnp.take(v, rows, axis=0) for k, v in data.items()}


def gaussian_temperature(loss: Loss, data: Mapping[str, Any], sigma: float) -> float:
    """Temperature T at which exp(-loss/T) is the likelihood of data with Gaussian noise.

    The loss has one `l2` term, w · mean|p - y|²; its T is 2 σ² w/n for n real values and σ² w/n for
    complex ones. All other terms over T are the negative logarithm of the prior.

    Args:
        loss: Loss with one term `l2`, without `weights`.
        data: Measurements by name.
        sigma: Standard deviation (E|noise|²)^½ of the noise, in the data's unit.

    Raises:
        ValueError: If there are none or several such terms, or `sigma` is not positive.
    """
    found = [
        (t.fn.target, weight)
        for t, weight in zip(loss.terms, loss.weights, strict=True)
        if isinstance(t.fn, DataTerm) and t.fn.label == "l2" and t.fn.weights is None
    ]
    if len(found) != 1:
        raise ValueError(
            f"gaussian_temperature: `loss` must have one term l2 without weights, got "
            f"{len(found)} among {', '.join(loss.names)}. Work the temperature out yourself."
        )
    if not sigma > 0:
        raise ValueError(f"gaussian_temperature: `sigma` must be positive, got {sigma}.")
    ((target, weight),) = found
    y = jnp.asarray(data[target])
    return (1 if jnp.iscomplexobj(y) else 2) * sigma**2 * weight / y.size
