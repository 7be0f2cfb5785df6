"""Power iteration for the norm of a linear system."""

from __future__ import annotations

from reconic._array import Array, array_namespace, while_loop
from reconic.operator import LinearSystem

__all__ = ["operator_norm"]


def operator_norm(A: LinearSystem, x: Array, *, max_iter: int = 100, tol: float = 1e-4) -> Array:
    """Largest singular value ‖A‖₂ by power iteration on AᴴA.

    Args:
        A: Linear system.
        x: Start (*batch, *in_shape), not orthogonal to the leading singular vector; e.g. random.
        max_iter: Largest number of iterations.
        tol: Relative change of the estimate at which to stop.

    Returns:
        Norm (*batch), a lower bound that the iterations approach from below.

    References:
        Golub & Van Loan, Matrix Computations, 4th ed., Sec. 8.2.1.
    """
    xp = array_namespace(x)
    core = tuple(range(-len(A.in_shape), 0))

    def norm(v: Array) -> Array:
        return xp.sqrt(xp.sum(xp.real(xp.conj(v) * v), axis=core, keepdims=True))

    def unit(v: Array, length: Array) -> Array:
        return v / xp.where(length > 0, length, xp.ones_like(length))

    def step(state: tuple) -> tuple:
        k, v, length, _ = state
        v = A.normal(unit(v, length))
        new = norm(v)
        return k + 1, v, new, xp.all(xp.abs(new - length) <= tol * new)

    length = norm(x)
    zero = xp.sum(length * 0)  # a counter and a flag of the library, which JAX can loop over
    state = (zero, x, length, zero > 0)
    _, _, length, _ = while_loop(lambda s: (s[0] < max_iter) & ~s[3], step, state)
    return xp.sqrt(xp.squeeze(length, axis=core))
