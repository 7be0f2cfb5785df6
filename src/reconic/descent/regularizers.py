"""Terms of a loss that judge the variables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp

from reconic._array import Array
from reconic.descent.data_terms import abs2
from reconic.descent.loss import Evaluation, Loss, Term
from reconic.descent.trees import select
from reconic.priors.tv import differences
from reconic.priors.wavelet import Wavelet, analyse

__all__ = ["nonnegative", "tv", "wavelet", "weight_decay"]


@dataclass(frozen=True)
class _Regularizer:
    """Mean over all values of the variables at a path of a cost of each."""

    cost: Callable[[Array], Array]
    variable: str | None

    def __call__(self, e: Evaluation) -> Array:
        leaves = [x for x in select(e.variables, self.variable) if jnp.issubdtype(x.dtype, _FLOAT)]
        return sum(jnp.sum(self.cost(x)) for x in leaves) / sum(x.size for x in leaves)


_FLOAT = jnp.inexact


def _loss(name: str, cost: Callable[[Array], Array], variable: str | None) -> Loss:
    return Loss((Term(name, _Regularizer(cost, variable), reads_data=False),), (1.0,))


def weight_decay(variable: str | None = None) -> Loss:
    """Mean of |x|² over a variable, or over all.

    Args:
        variable: Path of the variable, with dots, or of a tree of them; None for all.
    """
    return _loss("weight_decay", abs2, variable)


def nonnegative(variable: str | None = None) -> Loss:
    """Mean of min(x, 0)², which is zero where nothing is negative; of complex x, plus (Im x)²."""
    return _loss("nonnegative", _violation, variable)


def _violation(x: Array) -> Array:
    below = jnp.minimum(x.real, 0) ** 2
    return below + x.imag**2 if jnp.iscomplexobj(x) else below


@dataclass(frozen=True)
class _TV:
    isotropic: bool
    n_space: int

    def __call__(self, x: Array) -> Array:
        _check_axes("tv", x, self.n_space)
        d = differences(x, self.n_space)  # (n_space, *batch, *space)
        if not self.isotropic:
            return jnp.abs(d)
        power = jnp.sum(abs2(d), axis=0)
        uneven = power > 0  # the slope of a square root at zero is infinite
        return jnp.where(uneven, jnp.sqrt(jnp.where(uneven, power, 1)), 0)


def tv(variable: str | None = None, n_space: int = 2, *, isotropic: bool = True) -> Loss:
    """Total variation per voxel: mean of (Σ_d |D_d x|²)^½, or of Σ_d |D_d x|.

    D_d are forward differences along each of the last axes. The gradient where x is flat is zero.

    Args:
        variable: Path of the variable.
        n_space: Number of axes to take differences along, 1 to 4; the last ones.
        isotropic: Whether the differences at a voxel count by their length, or each by itself.

    References:
        Rudin, Osher & Fatemi, Physica D 60:259 (1992), Eq. 2.1.
    """
    return _loss("tv", _TV(isotropic, n_space), variable)


@dataclass(frozen=True)
class _Wavelet:
    wavelet: str
    n_levels: int
    n_space: int

    def __call__(self, x: Array) -> Array:
        _check_axes("wavelet", x, self.n_space)
        _, details = analyse(x, self.wavelet, self.n_levels, self.n_space)
        return jnp.stack([jnp.sum(jnp.abs(band)) for level in details for band in level])


def wavelet(
    variable: str | None = None, wavelet: str = "db4", n_levels: int = 3, n_space: int = 2
) -> Loss:
    """Sum of the magnitudes of orthonormal wavelet details, per voxel.

    Args:
        variable: Path of the variable.
        wavelet: "haar", "db2", "db3" or "db4".
        n_levels: Number of levels.
        n_space: Number of axes, the last ones.

    References:
        Daubechies, Ten Lectures on Wavelets (1992), Table 6.1.
    """
    Wavelet(wavelet, n_levels, n_space)  # type: ignore[arg-type]  # checks the settings
    return _loss("wavelet", _Wavelet(wavelet, n_levels, n_space), variable)


def _check_axes(name: str, x: Array, n_space: int) -> None:
    if x.ndim < n_space:
        raise ValueError(
            f"{name}: the variable must have {n_space} axes at least, got shape {tuple(x.shape)}. "
            "Set `n_space`, or name the variable that is an image."
        )
