"""Interpolators of the phase of frequencies between a few instants, by least squares."""

from __future__ import annotations

import math

from reconic._array import Array, array_namespace, to_numpy

__all__ = ["differences", "interpolators_of", "some_of"]

_FREQUENCIES = 256  # that interpolators are fitted to


def some_of(frequencies: Array) -> Array:
    """Some of many frequencies, as they are distributed, both ends included; double precision."""
    values = to_numpy(frequencies)
    xp = array_namespace(values)
    values = xp.sort(xp.reshape(xp.astype(values, xp.float64), (-1,)))
    last = values.shape[0] - 1
    return values[xp.astype(xp.round(xp.linspace(0, last, _FREQUENCIES)), xp.int64)]


def differences(frequencies: Array) -> Array:
    """Some of the differences of any two frequencies, likewise; as many of either sign."""
    some = some_of(frequencies)
    return some_of(some[:, None] - some)


def interpolators_of(
    omega: Array, times: Array, tol: float, most: int, n_segments: int | None = None
) -> tuple[Array, Array, float]:
    """Interpolators of exp(-i ω t) between exp(-i ω τ_l), and instants τ_l.

    Args:
        omega: Frequencies in rad/s to be right for.
        times: Times t in s, of any shape.
        tol: Largest error at any time, root mean square over the frequencies.
        most: Largest number of segments; as many as there are different times are exact.
        n_segments: Number of segments; None takes the fewest that meet `tol`, or else `most`.

    Returns:
        Interpolators, complex (L, *times), instants (L,), and the error.
    """
    xp = array_namespace(times)
    distinct, where = xp.unique_inverse(xp.astype(times, xp.float64))
    wanted = _waves(omega, distinct)
    n = min(n_segments or 1, distinct.shape[0])
    b, instants, error = _fit(omega, distinct, wanted, n)
    while not n_segments and error > tol and n < min(most, distinct.shape[0]):
        n += 1
        b, instants, error = _fit(omega, distinct, wanted, n)
    return xp.reshape(b[:, xp.reshape(where, (-1,))], (-1, *times.shape)), instants, error


def _fit(omega: Array, times: Array, wanted: Array, n: int) -> tuple[Array, Array, float]:
    """Interpolators (n, time) and instants (n,) between `times`, and the largest error of any."""
    xp = array_namespace(times)
    instants = xp.linspace(times[0], times[-1], n) if n > 1 else xp.mean(times)[None]
    instants = times if n == times.shape[0] else instants
    waves = _waves(omega, instants)
    b = xp.linalg.pinv(waves) @ wanted
    missed = xp.linalg.vector_norm(waves @ b - wanted, axis=0)
    return b, instants, float(xp.max(missed)) / math.sqrt(omega.shape[0])


def _waves(omega: Array, times: Array) -> Array:
    return array_namespace(times).exp(-1j * omega[:, None] * times)
