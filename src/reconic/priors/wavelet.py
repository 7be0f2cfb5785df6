"""The l1 norm of orthonormal wavelet coefficients."""

from __future__ import annotations

from typing import Any, Literal

from reconic._array import Array, array_namespace
from reconic.operator import static, system
from reconic.priors.base import Prior, part
from reconic.priors.l1 import soft_threshold

__all__ = ["Wavelet", "analyse", "synthesise"]

_LOW_PASS = {  # Daubechies, Ten Lectures on Wavelets (1992), Table 6.1; of unit norm
    "haar": (0.7071067811865476, 0.7071067811865476),
    "db2": (0.48296291314453414, 0.8365163037378079, 0.2241438680420134, -0.1294095225512604),
    "db3": (
        0.3326705529500826, 0.8068915093110925, 0.4598775021184915,
        -0.1350110200102546, -0.0854412738820267, 0.0352262918857095,
    ),
    "db4": (
        0.2303778133088965, 0.7148465705529157, 0.6308807679298589, -0.0279837694168599,
        -0.1870348117190931, 0.0308413818355607, 0.0328830116668852, -0.0105974017850690,
    ),
}  # fmt: skip


@system
class Wavelet(Prior):
    """l1 norm of the details of an orthonormal wavelet transform, g(x) = Σ|(Wx)ᵢ|.

    The approximation that is left after the last level is free. W is orthonormal for images of any
    size, so the proximal map is exact: Wᴴ, soft thresholding, W.

    Args:
        wavelet: Haar's wavelet, or Daubechies' with 2, 3 or 4 vanishing moments.
        n_levels: Number of levels.
        n_space: Number of axes of one image.

    References:
        Daubechies, Ten Lectures on Wavelets (1992), Table 6.1.
    """

    wavelet: Literal["haar", "db2", "db3", "db4"] = static(default="db4")
    n_levels: int = static(default=4)
    n_space: int = static(default=2)

    def __post_init__(self) -> None:
        """Check the settings."""
        if self.wavelet not in _LOW_PASS:
            raise ValueError(
                f"Wavelet: `wavelet` must be one of {', '.join(_LOW_PASS)}, got {self.wavelet!r}. "
                "db4 is usual for smooth images, haar for blocky ones."
            )
        if self.n_levels < 1:
            raise ValueError(
                f"Wavelet: `n_levels` must be at least 1, got {self.n_levels}. 4 is usual."
            )

    @property
    def n_core(self) -> int:
        return self.n_space

    def _value(self, x: Array) -> Array:
        xp = array_namespace(x)
        axes = tuple(range(-self.n_space, 0))
        _, details = analyse(x, self.wavelet, self.n_levels, self.n_space)
        return sum(xp.sum(xp.abs(band), axis=axes) for level in details for band in level)

    def _prox(self, x: Array, step: Any) -> Array:
        approximation, details = analyse(x, self.wavelet, self.n_levels, self.n_space)
        details = [[soft_threshold(band, step) for band in level] for level in details]
        return synthesise(approximation, details, self.wavelet, tuple(x.shape[-self.n_space :]))


def analyse(x: Array, wavelet: str, n_levels: int, n_space: int) -> tuple[Array, list[list[Array]]]:
    """Orthonormal wavelet transform over the last axes, with periodic edges.

    An axis of odd length gives its last sample to the approximation as it is, which keeps the
    transform orthonormal; an axis of length one is left alone.

    Args:
        x: Images (*batch, *space).
        wavelet: Name of the wavelet.
        n_levels: Number of levels.
        n_space: Number of axes to transform.

    Returns:
        The approximation, and for each level, the finest first, its bands of details.
    """
    details = []
    for _ in range(n_levels):
        bands = [x]
        for axis in _axes_to_split(tuple(x.shape[-n_space:])):
            bands = [half for band in bands for half in _split(band, axis, _LOW_PASS[wavelet])]
        x, *level = bands
        details.append(level)
    return x, details


def synthesise(
    approximation: Array, details: list[list[Array]], wavelet: str, space: tuple[int, ...]
) -> Array:
    """Inverse, and adjoint, of `analyse`, for images whose last axes have the lengths `space`."""
    lengths = [space]
    while len(lengths) < len(details):
        lengths.append(tuple(-(-n // 2) for n in lengths[-1]))
    x = approximation
    for level, before in zip(reversed(details), reversed(lengths), strict=True):
        bands = [x, *level]
        for axis in reversed(_axes_to_split(before)):
            pairs = zip(bands[::2], bands[1::2], strict=True)
            bands = [_merge(low, high, axis, _LOW_PASS[wavelet]) for low, high in pairs]
        (x,) = bands
    return x


def _axes_to_split(space: tuple[int, ...]) -> list[int]:
    return [axis for axis in range(-len(space), 0) if space[axis] > 1]


def _high_pass(low: tuple[float, ...]) -> tuple[float, ...]:
    """Quadrature mirror filter g_k = (-1)^k h_{K-1-k}."""
    return tuple((-1) ** k * h for k, h in enumerate(reversed(low)))


def _split(x: Array, axis: int, low: tuple[float, ...]) -> tuple[Array, Array]:
    """Approximation ⌈n/2⌉ and details ⌊n/2⌋ along an axis: Σ_k f_k x[2m + k]."""
    xp = array_namespace(x)
    even, odd = part(x, axis, 0, None, 2), part(x, axis, 1, None, 2)
    n = odd.shape[axis]
    left, even = part(even, axis, n, None), part(even, axis, 0, n)
    halves = [xp.zeros_like(odd), xp.zeros_like(odd)]
    for j in range(len(low) // 2):
        e, o = (xp.roll(v, -j, axis=axis) if j else v for v in (even, odd))
        halves = [
            half + f[2 * j] * e + f[2 * j + 1] * o
            for half, f in zip(halves, (low, _high_pass(low)), strict=True)
        ]
    return xp.concat([halves[0], left], axis=axis), halves[1]


def _merge(approximation: Array, details: Array, axis: int, low: tuple[float, ...]) -> Array:
    """Inverse of `_split`: x[2m] = Σ_j h_2j a[m - j] + g_2j d[m - j], and the odd ones alike."""
    xp = array_namespace(details)
    n = details.shape[axis]
    left, a = part(approximation, axis, n, None), part(approximation, axis, 0, n)
    high = _high_pass(low)
    even = odd = xp.zeros_like(details)
    for j in range(len(low) // 2):
        a_j, d_j = (xp.roll(v, j, axis=axis) if j else v for v in (a, details))
        even = even + low[2 * j] * a_j + high[2 * j] * d_j
        odd = odd + low[2 * j + 1] * a_j + high[2 * j + 1] * d_j
    pairs = xp.stack([xp.moveaxis(even, axis, -1), xp.moveaxis(odd, axis, -1)], axis=-1)
    joined = xp.moveaxis(xp.reshape(pairs, (*pairs.shape[:-2], 2 * n)), -1, axis)
    return xp.concat([joined, left], axis=axis)
