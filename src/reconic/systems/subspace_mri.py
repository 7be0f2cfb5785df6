"""Images that change while k-space is read, as a few coefficients of a temporal basis."""

from __future__ import annotations

from typing import Self

from reconic._array import Array, array_namespace, from_numpy, is_constant
from reconic.operator import LinearSystem, SameSamples, system
from reconic.systems.noncartesian_kernel import kernel_of
from reconic.systems.noncartesian_mri import NonCartesianMRI
from reconic.systems.toeplitz import ToeplitzNormal

__all__ = ["SubspaceMRI"]


@system
class SubspaceMRI(SameSamples):
    """Non-Cartesian MRI of an image Σ_l φ_l(t) x_l of time, y_m = Σ_l φ_l(t_m) [A x_l]_m.

    x holds the coefficients x_l, (*batch, [set,] k, *space). Frames are an axis of the samples of
    A: with `n_sample_axes` 2 and a trajectory (frame, sample, n), a basis of F frames has the shape
    (k, F, 1), and this is `NonCartesianMRI` of the F frames Φx. The number of transforms is k, not
    F, and AᴴA has a k × k Toeplitz kernel whose size does not depend on F.

    Args:
        A: System of one image, without frame axes; its samples are those of all times.
        basis: φ, real or complex (k, *samples); lengths of one are shared.

    Raises:
        ValueError: If A has frame axes, or the basis does not fit its samples.

    References:
        Tamir et al., T2 shuffling, MRM 77:180 (2017).
    """

    A: NonCartesianMRI
    basis: Array

    def __post_init__(self) -> None:
        """Check the shape of the basis."""
        if self.A.n_frame_axes:
            raise ValueError(
                f"SubspaceMRI: `A` must have no frame axes, got {self.A.n_frame_axes}. Make frames "
                f"the first of two sample axes."
            )
        samples, shape = self.A.out_shape[-self.A.n_sample_axes :], tuple(self.basis.shape)
        if len(shape) != len(samples) + 1 or any(
            n not in (1, m) for n, m in zip(shape[1:], samples, strict=True)
        ):
            raise ValueError(
                f"SubspaceMRI: `basis` must have shape (k, {str(samples)[1:-1]}) (lengths of one "
                f"allowed), got {shape}."
            )

    @property
    def in_shape(self) -> tuple[int, ...]:
        shape = self.A.in_shape
        n = len(shape) - self.A.n_space
        return (*shape[:n], self.basis.shape[0], *shape[n:])

    def masked(self, weights: Array) -> LinearSystem:
        A = self.A.masked(weights)
        return self.replace(A=A) if isinstance(A, NonCartesianMRI) else super().masked(weights)

    def _forward(self, x: Array) -> Array:
        space = (slice(None),) * self.A.n_space
        return sum(phi * self.A._forward(x[(..., i, *space)]) for i, phi in self._each(x))

    def _adjoint(self, y: Array) -> Array:
        xp = array_namespace(y)
        images = [self.A._adjoint(xp.conj(phi) * y) for _, phi in self._each(y)]
        return xp.stack(images, axis=-self.A.n_space - 1)

    def _normal(self, x: Array) -> Array:
        if is_constant(self.A.traj, self.A.dcf, self.basis):
            return self.N._forward(x)
        return super()._normal(x)

    @property
    def N(self) -> ToeplitzNormal:
        """AᴴA with a k × k kernel of point-spread functions, which is computed once."""
        A = self.A
        kernel = self._once(
            "_kept_kernel", lambda: kernel_of(A, self.basis), A.traj, A.dcf, self.basis
        )
        maps = array_namespace(A.maps).expand_dims(A.maps, axis=-A.n_space - 1)
        n = len(A._weighted)
        return ToeplitzNormal(maps, kernel, self.in_shape, A.sets, True, n, A.tol)

    @classmethod
    def example(cls, rng, like, shape=(6, 5), n_frames=4, k=2) -> Self:  # noqa: ANN001
        """Small random instance on the library of `like`, for checks."""
        A = NonCartesianMRI.example(rng, like, shape, n_samples=5 * n_frames)
        traj = array_namespace(A.traj).reshape(A.traj, (n_frames, 5, len(shape)))
        basis = rng.standard_normal((k, n_frames, 1)) + 1j * rng.standard_normal((k, n_frames, 1))
        return cls(A.replace(traj=traj, n_sample_axes=2), from_numpy(basis, like))

    def _each(self, like: Array) -> list[tuple[int, Array]]:
        basis = array_namespace(like).astype(self.basis, like.dtype)
        return [(i, basis[i, ...]) for i in range(basis.shape[0])]
