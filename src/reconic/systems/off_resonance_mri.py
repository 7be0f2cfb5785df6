"""Off-resonance: the phase that a field map adds while k-space is read, by time segmentation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from reconic._array import Array, array_namespace, from_numpy, is_traced, real_dtype, to_numpy
from reconic.operator import LinearSystem, SameSamples, system
from reconic.systems.noncartesian_mri import NonCartesianMRI

__all__ = ["OffResonanceMRI"]

_MOST = 64  # segments; a scan that needs more is in other units
_FREQUENCIES = 256  # that interpolators are fitted to


@system
class OffResonanceMRI(SameSamples):
    """MRI of an object off resonance, y_m = [A (exp(-i ω t_m) x)]_m, for any MRI system A.

    The phase is interpolated between L instants τ_l, exp(-i ω t) ≈ Σ_l b_l(t) exp(-i ω τ_l), which
    costs L applications of A. `of` chooses τ and b. The gradient by `b0` is that of the sum, right
    for frequencies that b was made for.

    Args:
        A: System of the object on resonance, such as `NonCartesianMRI`.
        b0: Field map ω in rad/s (2π times Hz), real, broadcasting against x (*batch, *in_shape).
        interpolators: b, complex (L, *samples), with samples the last axes of y.
        instants: τ in s, real (L,).

    References:
        Noll, Meyer, Pauly, Nishimura & Macovski, IEEE TMI 10:629 (1991); Sutton, Noll & Fessler,
        IEEE TMI 22:178 (2003).
    """

    A: LinearSystem
    b0: Array
    interpolators: Array
    instants: Array

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
        omega = _spread(b0 if frequencies is None else frequencies)
        b, instants = _interpolators(omega, to_numpy(times), tol, n_segments)
        xp = array_namespace(b0)
        kind = xp.complex128 if real_dtype(b0) == xp.float64 else xp.complex64
        b, instants = (from_numpy(a, b0) for a in (b, instants))
        return cls(A, b0, xp.astype(b, kind), xp.astype(instants, real_dtype(b0)))

    def masked(self, weights: Array) -> LinearSystem:
        return self.replace(A=self.A.masked(weights))

    def _forward(self, x: Array) -> Array:
        return sum(b * self.A._forward(phase * x) for phase, b in self._segments(x))

    def _adjoint(self, y: Array) -> Array:
        conj = array_namespace(y).conj
        return sum(conj(phase) * self.A._adjoint(conj(b) * y) for phase, b in self._segments(y))

    def _segments(self, like: Array) -> Iterator[tuple[Array, Array]]:
        """Phase exp(-i ω τ_l) of the image and b_l of the samples, of each segment."""
        xp = array_namespace(like)
        for i in range(self.instants.shape[0]):
            phase = xp.exp(-1j * (self.b0 * self.instants[i, ...]))
            yield xp.astype(phase, like.dtype), xp.astype(self.interpolators[i, ...], like.dtype)

    @classmethod
    def example(cls, rng, like, shape=(6, 5), n_samples=20) -> Self:  # noqa: ANN001
        """Small random instance on the library of `like`, for checks."""
        A = NonCartesianMRI.example(rng, like, shape, n_samples=n_samples)
        b0 = from_numpy(rng.uniform(-300, 300, shape), like)
        times = from_numpy(rng.uniform(0, 5e-3, n_samples), like)
        return cls.of(A, b0, times, tol=1e-2)


def _spread(frequencies: Array) -> Array:
    """Some of many frequencies, as they are distributed, both ends included; double precision."""
    values = to_numpy(frequencies)
    xp = array_namespace(values)
    values = xp.sort(xp.reshape(xp.astype(values, xp.float64), (-1,)))
    last = values.shape[0] - 1
    return values[xp.astype(xp.round(xp.linspace(0, last, _FREQUENCIES)), xp.int64)]


def _interpolators(
    omega: Array, times: Array, tol: float, n_segments: int | None
) -> tuple[Array, Array]:
    """Interpolators (L, *samples) and instants (L,) of the fewest segments that meet `tol`."""
    xp = array_namespace(times)
    if not bool(xp.all(xp.isfinite(times))) or not bool(xp.all(xp.isfinite(omega))):
        raise ValueError("OffResonanceMRI: `b0` and `times` must be finite, got NaN or infinity.")
    distinct, where = xp.unique_inverse(xp.astype(times, xp.float64))
    n = min(n_segments or 1, distinct.shape[0])
    b, instants, error = _fit(omega, distinct, n)
    while not n_segments and error > tol and n < min(_MOST, distinct.shape[0]):
        n += 1
        b, instants, error = _fit(omega, distinct, n)
    if not n_segments and error > tol:
        raise ValueError(
            f"OffResonanceMRI: `b0` must need at most {_MOST} segments, got an error of "
            f"{error:.2g} with these. Give `b0` in rad/s and `times` in s."
        )
    return xp.reshape(b[:, xp.reshape(where, (-1,))], (-1, *times.shape)), instants


def _fit(omega: Array, times: Array, n: int) -> tuple[Array, Array, float]:
    """Interpolators (n, time) and instants (n,) between `times`, and the largest error of any."""
    xp = array_namespace(times)
    instants = xp.linspace(times[0], times[-1], n) if n > 1 else xp.mean(times)[None]
    instants = times if n == times.shape[0] else instants
    wanted, waves = (xp.exp(-1j * omega[:, None] * t) for t in (times, instants))
    b = xp.linalg.pinv(waves) @ wanted
    return b, instants, float(xp.max(xp.sqrt(xp.mean(xp.abs(waves @ b - wanted) ** 2, axis=0))))
