"""Non-Cartesian MRI: coil sensitivities, and samples anywhere in k-space."""

from __future__ import annotations

import math
from typing import ClassVar, Self

from reconic._array import (
    Array,
    array_namespace,
    contiguous,
    fftc,
    from_numpy,
    ifftc,
    is_constant,
    is_traced,
    real_dtype,
)
from reconic._kernels.nufft import nufft, nufft_adjoint
from reconic.operator import LinearSystem, static, system
from reconic.systems.circulant import Circulant, nearest_circulant
from reconic.systems.noncartesian_checks import check_noncartesian
from reconic.systems.noncartesian_kernel import kernel_of
from reconic.systems.toeplitz import ToeplitzNormal

__all__ = ["NonCartesianMRI"]


@system
class NonCartesianMRI(LinearSystem):
    """Multi-coil non-Cartesian MRI, y_cm = √w_m / √N Σ_r S_c(r) x(r) exp(-i k_m · r).

    Shapes, with `space` the last `n_space` axes and `samples` one axis, or (spoke, readout):

    - x: (*batch, [set,] *frames, *space)
    - y: (*batch, coil, *frames, [partition,] *samples)

    A trajectory with fewer components than space has axes is of a stack of stars or spirals: along
    the first axes of space k-space is Cartesian and fully sampled, which makes partition axes of y.
    A trajectory on a Cartesian grid gives the k-space samples of `CartesianMRI`.

    Args:
        maps: Coil sensitivities, complex (*batch, [set,] coil, *frames, *space); a frame axis may
            have length one.
        traj: Trajectory k in rad/voxel, within [-π, π], real (*batch, *frames, *samples, n), last
            axis ordered as space is; a frame axis may have length one. For other units see
            `reconic.systems.trajectory`.
        dcf: Weights w of the squared misfit, such as density compensation, real (*batch, *frames,
            [partition,] *samples); lengths of one are shared, and None weights all alike.
            Measurements carry √w: see `weigh`.
        n_space: Number of spatial axes, 2 or 3.
        n_frame_axes: Number of frame axes before space.
        n_sample_axes: Number of axes of the samples: 1, or 2 for (spoke, readout).
        sets: Whether `maps` has a set axis.
        partitions: Whether `dcf` has the partition axes of a stack, each weighted for itself.
        tol: Relative error of the transforms.

    Raises:
        TypeError: If `maps` is not complex, or `traj` or `dcf` not real.
        ValueError: If shapes do not fit each other, `traj` is not finite or seems to be in another
            unit, or `dcf` is negative.

    References:
        Pruessmann et al., MRM 46:638 (2001), Eq. 3; Fessler & Sutton, IEEE TSP 51:560 (2003).
    """

    maps: Array
    traj: Array
    dcf: Array | None = None
    n_space: int = static(default=2)
    n_frame_axes: int = static(default=0)
    n_sample_axes: int = static(default=1)
    sets: bool = static(default=False)
    partitions: bool = static(default=False)
    tol: float = static(default=1e-5)

    _advice: ClassVar[dict[str, str]] = {
        "y": " Each coil has one sample for each point of `traj`: take both from one scan, with "
        "their axes in one order."
    }

    def __post_init__(self) -> None:
        """Check kinds, shapes, and values where they can be looked at."""
        check_noncartesian(self)

    @property
    def in_shape(self) -> tuple[int, ...]:
        image = (*self._frames, *self.maps.shape[-self.n_space :])
        return (self.maps.shape[-self._n_core - 2], *image) if self.sets else image

    @property
    def out_shape(self) -> tuple[int, ...]:
        coil = self.maps.shape[-self._n_core - 1]
        partitions = self.maps.shape[-self.n_space : -len(self._grid)]
        return (coil, *self._frames, *partitions, *self._samples)

    @property
    def accuracy(self) -> float:
        return self.tol

    @property
    def _n_core(self) -> int:
        return self.n_space + self.n_frame_axes

    @property
    def _grid(self) -> tuple[int, ...]:
        """Shape of space along the axes of the trajectory."""
        return tuple(self.maps.shape[-self.traj.shape[-1] :])

    @property
    def _cartesian(self) -> tuple[int, ...]:
        """Axes of space along which k-space is Cartesian."""
        return tuple(range(-self.n_space, -len(self._grid)))

    @property
    def _samples(self) -> tuple[int, ...]:
        return tuple(self.traj.shape[-1 - self.n_sample_axes : -1])

    @property
    def _frames(self) -> tuple[int, ...]:
        k = 1 + self.n_sample_axes
        a = self.maps.shape[-self._n_core : -self.n_space]
        b = self.traj.shape[-k - self.n_frame_axes : -k]
        return tuple(max(p, q) for p, q in zip(a, b, strict=True))

    @property
    def _weighted(self) -> tuple[int, ...]:
        """Partitions (lengths) if each is weighted for itself."""
        return self.maps.shape[-self.n_space : -len(self._grid)] if self.partitions else ()

    def weigh(self, y: Array) -> Array:
        """Measurements as this system predicts them, √w y, from those as they were acquired."""
        return y if self.dcf is None else y * self._root(self.dcf, y)

    def sampling(self, y: Array) -> Array:
        if self.dcf is not None:
            return self._root(self.dcf, y)
        xp = array_namespace(y)
        return self._like_y(xp.astype(xp.ones_like(self.traj[..., 0]), real_dtype(y)))

    def radius(self, y: Array) -> Array:
        xp = array_namespace(self.traj)
        steps = [self.traj[..., d] * (n / (2 * math.pi)) for d, n in enumerate(self._grid)]
        return self._like_y(xp.astype(xp.sqrt(sum(s * s for s in steps)), real_dtype(y)))

    def masked(self, weights: Array) -> LinearSystem:
        """System W A; weights that coils share and that are not negative become part of `dcf`."""
        xp, coil = array_namespace(weights), -len(self.out_shape)
        alike = weights.ndim >= -coil and weights.shape[coil] == 1
        if not alike or is_traced(weights) or bool(xp.any(weights < 0)):
            return super().masked(weights)
        n = self.n_sample_axes
        partitions = tuple(range(-n - len(self._cartesian), -n))
        apart = self.partitions or any(weights.shape[a] != 1 for a in partitions)
        dcf = xp.squeeze(weights, axis=(coil,) if apart else (coil, *partitions)) ** 2
        if self.dcf is not None:
            own = self.partitions or not apart
            dcf = dcf * (self.dcf if own else self._over_partitions(self.dcf))
        return self.replace(dcf=dcf, partitions=apart)

    def preconditioner(self, lam: Array | float) -> LinearSystem:
        """Circulant approximation of (AᴴA + λI)⁻¹; see `nearest_circulant`."""
        eigenvalues = self._once("_kept_circulant", self._circulant, *self.arrays())
        n_axes = len(self._grid) + len(self._weighted)
        return Circulant(1 / (eigenvalues + lam), self.in_shape, n_axes)

    def _forward(self, x: Array) -> Array:
        xp = array_namespace(x)
        coil = -self._n_core - 1
        coils = self.maps * xp.expand_dims(x * self._unit, axis=coil)
        coils = xp.sum(coils, axis=coil - 1) if self.sets else coils
        coils = fftc(coils, self._cartesian) if self._cartesian else coils
        coils = _move(coils, coil, -self.n_space - 1)  # (*batch, *frames, coil, *space)
        lead, many = self._split(coils, len(self._grid))
        coils = xp.reshape(coils, (*lead, math.prod(many), *self._grid))
        y = nufft(coils, self._flat, self.tol)
        y = xp.reshape(y, (*y.shape[:-2], *many, *self._samples))
        return self.weigh(_move(y, self._coil_in_front, -len(self.out_shape)))

    def _adjoint(self, y: Array) -> Array:
        xp = array_namespace(y)
        y = _move(self.weigh(y), -len(self.out_shape), self._coil_in_front)
        lead, many = self._split(y, self.n_sample_axes)
        y = xp.reshape(y, (*lead, math.prod(many), math.prod(self._samples)))
        coils = nufft_adjoint(y, self._flat, self._grid, self.tol)
        n = len(self._grid) + 1
        coils = xp.reshape(coils, (*coils.shape[:-n], *many, *self._grid))
        coil = -self._n_core - 1
        coils = _move(coils, -self.n_space - 1, coil)
        coils = ifftc(coils, self._cartesian) if self._cartesian else coils
        coils = xp.expand_dims(coils, axis=coil - 1) if self.sets else coils
        return xp.sum(xp.conj(self.maps) * coils, axis=coil) * self._unit

    def _normal(self, x: Array) -> Array:
        if is_constant(self.traj, self.dcf):
            return self.N._forward(x)
        return super()._normal(x)

    @property
    def N(self) -> ToeplitzNormal:
        """AᴴA as a convolution with the point-spread function, which is computed once."""
        kernel = self._once("_kept_kernel", lambda: kernel_of(self), self.traj, self.dcf)
        return self._normal_of(kernel)

    def _normal_of(self, kernel: Array) -> ToeplitzNormal:
        """AᴴA with a kernel of `kernel_of`."""
        maps, n = contiguous(self.maps), len(self._weighted)
        return ToeplitzNormal(maps, kernel, self.in_shape, self.sets, n_cartesian=n, tol=self.tol)

    def _circulant(self) -> Array:
        kernel = self.N.kernel
        found = nearest_circulant(
            self.maps, kernel, self._n_core, self.n_space, self.sets, len(self._weighted)
        )
        return array_namespace(found).clip(found, min=0.0)  # rounding

    @property
    def _unit(self) -> float:
        """1 / √N, applied to images: there are more samples."""
        return 1 / math.sqrt(math.prod(self._grid))

    def _root(self, dcf: Array, y: Array) -> Array:
        """√w to multiply y with."""
        xp = array_namespace(dcf)
        seen = dcf > 0
        root = xp.sqrt(xp.where(seen, dcf, xp.ones_like(dcf)))  # no slope at zero
        root = xp.astype(xp.where(seen, root, xp.zeros_like(root)), real_dtype(y))
        return self._like_y(root, self.partitions)

    def _like_y(self, weights: Array, partitions: bool = False) -> Array:
        """Weights (*batch, *frames, [partition,] *samples) with the axes of coil and partitions."""
        weights = weights if partitions else self._over_partitions(weights)
        return array_namespace(weights).expand_dims(weights, axis=-len(self.out_shape))

    def _over_partitions(self, weights: Array) -> Array:
        """Weights (…, *samples) with partition axes of length one."""
        for _ in self._cartesian:
            weights = array_namespace(weights).expand_dims(weights, axis=-self.n_sample_axes - 1)
        return weights

    @property
    def _flat(self) -> Array:
        """Trajectory (*batch, *frames, m, n) with one axis of samples."""
        before, m = self.traj.shape[: -1 - self.n_sample_axes], math.prod(self._samples)
        return array_namespace(self.traj).reshape(self.traj, (*before, m, len(self._grid)))

    @property
    def _coil_in_front(self) -> int:
        """Axis of coils right before partitions and samples."""
        return -self.n_sample_axes - len(self._cartesian) - 1

    def _split(self, a: Array, n_last: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Lengths (*batch, *frames) and (coil, *partitions) of an array with `n_last` more axes."""
        before = tuple(a.shape[:-n_last])
        n_many = 1 + len(self._cartesian)
        return before[:-n_many], before[-n_many:]

    @classmethod
    def example(cls, rng, like, shape=(6, 5), n_coils=3, n_samples=20) -> Self:  # noqa: ANN001
        """Small random instance on the library of `like`, for checks."""
        maps = rng.standard_normal((n_coils, *shape)) + 1j * rng.standard_normal((n_coils, *shape))
        traj = rng.uniform(-math.pi, math.pi, (n_samples, len(shape)))
        return cls(from_numpy(maps, like), from_numpy(traj, like), n_space=len(shape), tol=1e-12)


def _move(a: Array, axis: int, to: int) -> Array:
    """`moveaxis`, which torch cannot batch."""
    order = [i for i in range(a.ndim) if i != a.ndim + axis]
    order.insert(a.ndim + to, a.ndim + axis)
    return array_namespace(a).permute_dims(a, tuple(order))
