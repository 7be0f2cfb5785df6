"""Cartesian MRI: coil sensitivities, Fourier transform, sampling mask."""

from __future__ import annotations

import functools
import math
from typing import Self

from reconic._array import (
    Array,
    array_namespace,
    centring,
    contiguous,
    eps,
    fftn,
    from_numpy,
    is_traced,
)
from reconic._kernels.sense import sense_normal
from reconic.operator import LinearSystem, SelfAdjoint, static, system

__all__ = ["CartesianMRI"]


@system
class CartesianMRI(LinearSystem):
    """Multi-coil Cartesian MRI, y_c = M F S_c x, with a centred, orthonormal Fourier transform F.

    Shapes, with `space` the last `n_space` axes (nz, ny, nx or ny, nx):

    - x: (*batch, [set,] *frames, *space), arbitrary units
    - y: (*batch, coil, *frames, *space)

    A single coil is a coil axis of length one. Several sets of maps ("soft SENSE") add up:
    y_c = M F Σ_s S_sc x_s.

    Args:
        maps: Coil sensitivities, complex (*batch, [set,] coil, *frames, *space); a frame axis may
            have length one.
        mask: Sampling mask or weights, real (*batch, *frames, *space), no coil axis. Length one
            along an axis says that sampling does not depend on it; along the first axes of space
            this makes `normal` faster, since their transforms cancel.
        n_space: Number of spatial axes, 2 or 3.
        n_frame_axes: Number of frame axes (time, echo, …) before space.
        sets: Whether `maps` has a set axis.

    Raises:
        TypeError: If `maps` is not complex or `mask` not real.
        ValueError: If the shapes do not fit each other.

    References:
        Pruessmann et al., MRM 42:952 (1999), Eq. 2; Pruessmann et al., MRM 46:638 (2001), Eq. 3;
        Uecker et al., ESPIRiT, MRM 71:990 (2014), Eq. 15 (several sets).
    """

    maps: Array
    mask: Array
    n_space: int = static(default=2)
    n_frame_axes: int = static(default=0)
    sets: bool = static(default=False)

    def __post_init__(self) -> None:
        """Check kinds and shapes."""
        maps, mask, core = self.maps, self.mask, self._n_core
        if self.n_space not in (2, 3):
            raise ValueError(f"CartesianMRI: `n_space` must be 2 or 3, got {self.n_space}.")
        xp = array_namespace(maps, mask)
        if not xp.isdtype(maps.dtype, "complex floating"):
            raise TypeError(f"CartesianMRI: `maps` must be complex, got {maps.dtype}. Cast them.")
        if xp.isdtype(mask.dtype, ("complex floating", "bool")):
            raise TypeError(
                f"CartesianMRI: `mask` must be real, got {mask.dtype}. Cast it to a float."
            )
        n_maps = core + 1 + self.sets
        if maps.ndim < n_maps:
            wanted = (
                "(*batch, " + "set, " * self.sets + "coil, " + f"{core} axes of frames and space)"
            )
            raise ValueError(
                f"CartesianMRI: `maps` must have shape {wanted}, got {tuple(maps.shape)}."
            )
        if mask.ndim < core or not _broadcasts(mask.shape[-core:], maps.shape[-core:]):
            raise ValueError(
                f"CartesianMRI: `mask` must have shape (*batch, {str(maps.shape[-core:])[1:-1]}) "
                f"like the maps (lengths of one allowed), got {tuple(mask.shape)}."
            )

    @property
    def _n_core(self) -> int:
        return self.n_space + self.n_frame_axes

    @property
    def _axes(self) -> tuple[int, ...]:
        return tuple(range(-self.n_space, 0))

    @property
    def in_shape(self) -> tuple[int, ...]:
        n = self._n_core
        frames = (
            max(a, b) for a, b in zip(self.maps.shape[-n:], self.mask.shape[-n:], strict=True)
        )
        image = (*tuple(frames)[: self.n_frame_axes], *self.maps.shape[-self.n_space :])
        return (self.maps.shape[-n - 2], *image) if self.sets else image

    @property
    def out_shape(self) -> tuple[int, ...]:
        return (self.maps.shape[-self._n_core - 1], *self.in_shape[-self._n_core :])

    def _forward(self, x: Array) -> Array:
        xp = array_namespace(x)
        before, after = centring(x, self._axes)
        coils = self.maps * xp.expand_dims(x * before, axis=-self._n_core - 1)
        if self.sets:
            coils = xp.sum(coils, axis=-self._n_core - 2)
        return fftn(coils, self._axes) * self._per_coil(self.mask * after)

    def _adjoint(self, y: Array) -> Array:
        xp = array_namespace(y)
        before, after = centring(y, self._axes)
        # F⁻¹k = conj(F conj(k)): so the image is conjugated, not the maps
        coils = fftn(xp.conj(y) * self._per_coil(self.mask * after), self._axes)
        if self.sets:
            coils = xp.expand_dims(coils, axis=-self._n_core - 2)
        return xp.conj(xp.sum(self.maps * coils, axis=-self._n_core - 1) * before)

    def _normal(self, x: Array) -> Array:
        return self.N._forward(x)

    @property
    def N(self) -> LinearSystem:
        """AᴴA as a system that has its k-space weights ready.

        In AᴴA the phases that centre F only shift the weights by half of k-space, and transforms
        cancel along leading axes that sampling does not depend on. (Along others they would too,
        but a transform of strided data costs more than it saves.)
        """
        sampled = [a for a in self._axes if self.mask.shape[a] != 1]
        axes = tuple(range(sampled[0], 0)) if sampled else ()
        n_samples = math.prod(self.maps.shape[a] for a in axes)
        xp = array_namespace(self.mask)
        weights = xp.astype(self.mask * self.mask / n_samples, self.maps.dtype) * (1 - 1j)
        if axes:
            shift = tuple(-(self.mask.shape[a] // 2) for a in axes)
            weights = xp.roll(weights, shift, axis=axes)
        return SenseNormal(contiguous(self.maps), weights, axes, self.in_shape, self.sets)

    @functools.cached_property
    def outer_diagonal(self) -> Array | None:
        """Squared mask times Σ_s |S_s|², for one coil whose maps make the latter constant in space.

        Then AAᴴ = M F (Σ_s |S_s|²) Fᴴ M is diagonal; other maps blur k-space.
        """
        if self.maps.shape[-self._n_core - 1] != 1 or is_traced(self.maps):
            return None
        xp = array_namespace(self.maps)
        power = xp.real(xp.conj(self.maps) * self.maps)
        power = xp.sum(power, axis=-self._n_core - 2) if self.sets else power
        largest = xp.max(power, axis=self._axes, keepdims=True)
        spread = largest - xp.min(power, axis=self._axes, keepdims=True)
        if xp.any(spread > 16 * eps(power) * largest):  # rounding of maps of unit magnitude
            return None
        return self._per_coil(self.mask * self.mask) * largest

    def sampling(self, y: Array) -> Array:  # noqa: ARG002
        return self._per_coil(self.mask)

    def masked(self, weights: Array) -> LinearSystem:
        coil = -self._n_core - 1
        if weights.ndim < -coil or weights.shape[coil] != 1:
            return super().masked(weights)
        shared = array_namespace(weights).squeeze(weights, axis=coil)
        return self.replace(mask=self.mask * shared)

    def _per_coil(self, mask: Array) -> Array:
        return array_namespace(mask).expand_dims(mask, axis=-self._n_core - 1)

    @classmethod
    def example(cls, rng, like, shape=(8, 6), n_coils=4) -> Self:  # noqa: ANN001
        """Small random instance on the library of `like`, for checks."""
        maps = rng.standard_normal((n_coils, *shape)) + 1j * rng.standard_normal((n_coils, *shape))
        mask = (rng.random(shape) > 0.5) * 1.0
        return cls(from_numpy(maps, like), from_numpy(mask, like), n_space=len(shape))


@system
class SenseNormal(SelfAdjoint):
    """AᴴA of multi-coil Cartesian MRI.

    Args:
        maps: Coil sensitivities, as `CartesianMRI` has them.
        weights: Squared mask w, zero frequency first, over the number of samples of a transform,
            as w (1 - i): what `sense_normal` multiplies with in one pass.
        axes: Axes to transform.
        shape: Shape of one image.
        sets: Whether `maps` has a set axis.
    """

    maps: Array
    weights: Array
    axes: tuple[int, ...] = static()
    shape: tuple[int, ...] = static()
    sets: bool = static()

    def _forward(self, x: Array) -> Array:
        n_core = len(self.shape) - self.sets
        return sense_normal(x, self.maps, self.weights, self.axes, n_core, self.sets)


def _broadcasts(mask: tuple[int, ...], maps: tuple[int, ...]) -> bool:
    return all(a == b or 1 in (a, b) for a, b in zip(mask, maps, strict=True))
