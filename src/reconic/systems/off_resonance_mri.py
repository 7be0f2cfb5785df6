"""Off-resonance: the phase that a field map adds while k-space is read, by time segmentation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

from reconic._array import (
    Array,
    array_namespace,
    from_numpy,
    is_constant,
    is_traced,
    real_dtype,
    to_numpy,
)
from reconic.operator import LinearSystem, SameSamples, static, system
from reconic.systems.noncartesian_kernel import kernel_of
from reconic.systems.noncartesian_mri import NonCartesianMRI
from reconic.systems.segments import differences, interpolators_of, some_of
from reconic.systems.toeplitz import ToeplitzNormal

__all__ = ["OffResonanceMRI"]

_MOST = 64  # segments; a scan that needs more is in other units


@system
class OffResonanceMRI(SameSamples):
    """MRI of an object off resonance, y_m = [A (exp(-i ω t_m) x)]_m, for any MRI system A.

    The phase is interpolated between L instants τ_l, exp(-i ω t) ≈ Σ_l b_l(t) exp(-i ω τ_l), which
    costs L applications of A. `of` chooses τ and b. The gradient by `b0` is that of the sum, right
    for frequencies that b was made for.

    AᴴA of a `NonCartesianMRI` is a sum of convolutions, see `N`, as accurate as the phase is.

    Args:
        A: System of the object on resonance, such as `NonCartesianMRI`.
        b0: Field map ω in rad/s (2π times Hz), real, broadcasting against x (*batch, *in_shape).
        interpolators: b, complex (L, *samples), with samples the last axes of y.
        instants: τ in s, real (L,).
        times: When each sample is read, in s, real (*samples); None if not known.
        tol: Error of the phase factor.

    References:
        Noll, Meyer, Pauly, Nishimura & Macovski, IEEE TMI 10:629 (1991); Sutton, Noll & Fessler,
        IEEE TMI 22:178 (2003); Fessler, Lee, Olafsson, Shi & Noll, IEEE TSP 53:3393 (2005).
    """

    A: LinearSystem
    b0: Array
    interpolators: Array
    instants: Array
    times: Array | None = None
    tol: float = static(default=0.0)

    @classmethod
    def of(
        cls,
        A: LinearSystem,
        b0: Array,
        times: Array,
        *,
        tol: float = 1e-3,
        n_segments: int | None = None,
        frequencies: Array | None = None,
    ) -> Self:
        """System with least-squares interpolators for the frequencies of a field map.

        Args:
            A: System of the object on resonance.
            b0: Field map ω in rad/s, real, broadcasting against x (*batch, *in_shape).
            times: When each sample is read, in s from the instant at which the phase is zero, real
                (*samples), samples the last axes of y; a length of one is shared.
            tol: Largest error of the phase factor exp(-i ω t) at any time, root mean square over
                the frequencies.
            n_segments: Number of segments L; None takes the fewest that meet `tol`. As many as
                there are different times are exact for all frequencies.
            frequencies: Frequencies in rad/s to be right for; None takes those of `b0`. To estimate
                `b0`, give the range that is expected, such as 2π linspace(-100, 100, 201).

        Raises:
            ValueError: If `times` does not fit the samples, a value is not finite, or more than 64
                segments would be needed.
            TypeError: If the frequencies of a traced `b0` are not given.
        """
        n = len(times.shape)
        if any(p not in (1, q) for p, q in zip(times.shape, A.out_shape[-n:], strict=True)):
            raise ValueError(
                f"OffResonanceMRI: `times` must have the shape of the samples, {A.out_shape[-n:]}, "
                f"got {tuple(times.shape)}."
            )
        if frequencies is None and is_traced(b0):
            raise TypeError(
                "OffResonanceMRI: `frequencies` must be given for a traced `b0`, got None. Give "
                "the range that is expected."
            )
        omega, t = some_of(b0 if frequencies is None else frequencies), to_numpy(times)
        if not (_finite(omega) and _finite(t)):
            raise ValueError(
                "OffResonanceMRI: `b0` and `times` must be finite, got NaN or infinity."
            )
        b, instants, error = interpolators_of(omega, t, tol, _MOST, n_segments)
        if not n_segments and error > tol:
            raise ValueError(
                f"OffResonanceMRI: `b0` must need at most {_MOST} segments, got an error of "
                f"{error:.2g} with these. Give `b0` in rad/s and `times` in s."
            )
        xp = array_namespace(b0)
        kind = xp.complex128 if real_dtype(b0) == xp.float64 else xp.complex64
        b, *reals = (from_numpy(a, b0) for a in (b, instants, t))
        reals = (xp.astype(a, real_dtype(b0)) for a in reals)
        return cls(A, b0, xp.astype(b, kind), *reals, tol=error)

    @property
    def accuracy(self) -> float:
        return max(self.tol, self.A.accuracy)

    def masked(self, weights: Array) -> LinearSystem:
        return self.replace(A=self.A.masked(weights))

    def _forward(self, x: Array) -> Array:
        return sum(b * self.A._forward(phase * x) for phase, b in self._segments(x))

    def _adjoint(self, y: Array) -> Array:
        conj = array_namespace(y).conj
        return sum(conj(phase) * self.A._adjoint(conj(b) * y) for phase, b in self._segments(y))

    def _normal(self, x: Array) -> Array:
        N = self.N
        return N._forward(x) if isinstance(N, ToeplitzNormal) else super()._normal(x)

    @property
    def N(self) -> LinearSystem:
        """AᴴA; of a `NonCartesianMRI` it is a sum of convolutions, found once if b0 is constant.

        The phase exp(i (ω - ω') t) of two voxels is interpolated as that of one is, over a band
        of frequencies twice as wide, with a real b. It takes the memory of some 1.5 L `A.N`.
        """
        A, times, found = self.A, self.times, None
        if not isinstance(A, NonCartesianMRI) or times is None or times.ndim > A.n_sample_axes:
            return super().N
        if is_constant(self.b0, times, A.traj, A.dcf):
            found = self._once("_kept_kernel", lambda: self._convolutions(A, times))
        if found is None:
            return super().N
        kernel, phases = found
        return A._normal_of(kernel).replace(phases=phases, tol=self.accuracy)

    def _convolutions(self, A: NonCartesianMRI, times: Array) -> tuple[Array, Array] | None:
        """Kernels (segment, 2**n, …) and phases (segment, …); None if too many would be needed."""
        xp = array_namespace(self.b0)
        b, instants, error = interpolators_of(
            differences(self.b0), to_numpy(times), self.accuracy, 2 * _MOST
        )
        if error > self.accuracy:
            return None
        b = from_numpy(array_namespace(b).real(b), self.b0)
        kernel = xp.stack([kernel_of(A, factor=b[i, ...]) for i in range(b.shape[0])])
        return kernel, xp.stack([self._phase(float(t), kernel.dtype) for t in instants])

    def _segments(self, like: Array) -> Iterator[tuple[Array, Array]]:
        """Phase exp(-i ω τ_l) of the image and b_l of the samples, of each segment."""
        xp = array_namespace(like)
        for i in range(self.instants.shape[0]):
            b = xp.astype(self.interpolators[i, ...], like.dtype)
            yield self._phase(self.instants[i, ...], like.dtype), b

    def _phase(self, instant: Array | float, kind: Any) -> Array:
        xp = array_namespace(self.b0)
        return xp.astype(xp.exp(-1j * (self.b0 * instant)), kind)

    @classmethod
    def example(cls, rng, like, shape=(6, 5), n_samples=20) -> Self:  # noqa: ANN001
        """Small random instance on the library of `like`, for checks."""
        A = NonCartesianMRI.example(rng, like, shape, n_samples=n_samples)
        b0 = from_numpy(rng.uniform(-300, 300, shape), like)
        times = from_numpy(rng.integers(0, 4, n_samples) * 1e-3, like)
        return cls.of(A, b0, times, n_segments=4)  # of so many times these are exact


def _finite(a: Array) -> bool:
    xp = array_namespace(a)
    return bool(xp.all(xp.isfinite(a)))
