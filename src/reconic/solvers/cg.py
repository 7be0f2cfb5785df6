"""Conjugate gradients for Hermitian positive definite systems, differentiated by a second solve."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from reconic._array import (
    Array,
    add_scaled,
    array_namespace,
    device,
    inner,
    linear_solve,
    while_loop,
)
from reconic.operator import LinearSystem

__all__ = ["Solution", "cg"]


class Solution(NamedTuple):
    """What a solver found; every entry but `x` has one value per sample.

    Attributes:
        x: Solution (*batch, *core).
        n_iter: Iterations done (*batch).
        residual: ‖b - M x‖₂ / ‖b‖₂ at the end, as the solver tracked it (*batch).
        converged: Whether `residual` is at most the tolerance (*batch).
    """

    x: Array
    n_iter: Array
    residual: Array
    converged: Array


def cg(
    M: LinearSystem | Callable[[Array], Array],
    b: Array,
    x0: Array | None = None,
    *,
    max_iter: int = 30,
    tol: float = 1e-6,
    precond: Callable[[Array], Array] | None = None,
    n_core: int | None = None,
) -> Solution:
    """Solve M x = b for a Hermitian positive definite M by conjugate gradients.

    Each sample of a batch is solved on its own and stops when ‖b - M x‖ ≤ tol ‖b‖, so the result
    does not depend on the scale of the data or on what else is there. Gradients flow to `b` and to
    all that `M` holds (maps, λ, …) through one more solve, with the same settings, whatever the
    number of iterations; they are those of the exact solution, as near as `tol` allows.

    Args:
        M: Hermitian positive definite system, or a function x ↦ M x.
        b: Right-hand side (*batch, *core).
        x0: Start (*batch, *core); zero if None. No gradient flows to it.
        max_iter: Largest number of iterations.
        tol: Relative residual at which a sample is done; 0 runs all iterations.
        precond: Approximation of M⁻¹, Hermitian positive definite.
        n_core: Number of axes of one sample; from `M.in_shape` if None, else all axes of `b`.

    Returns:
        Solution; samples that did not reach `tol` in `max_iter` iterations have `converged` False.

    Raises:
        ValueError: If `max_iter` or `tol` is negative, or `x0` has another shape than `b`.

    References:
        Hestenes & Stiefel, J. Res. Natl. Bur. Stand. 49:409 (1952), Eqs. 3:1a-3:1f.
    """
    if max_iter < 0 or tol < 0:
        raise ValueError(
            f"cg: `max_iter` and `tol` must not be negative, got {max_iter} and {tol}."
        )
    if x0 is not None and tuple(x0.shape) != tuple(b.shape):
        raise ValueError(
            f"cg: `x0` must have the shape of `b`, {tuple(b.shape)}, got {tuple(x0.shape)}."
        )
    system = M if isinstance(M, LinearSystem) else None
    n = n_core if n_core is not None else len(system.in_shape) if system else b.ndim

    def solve(matvec: Callable, rhs: Array, start: Array | None) -> tuple[Array, tuple]:
        return _iterate(matvec, rhs, start, max_iter, tol, precond, n)

    x, (n_iter, residual, converged) = linear_solve(
        M, b, solve, x0, system.recorded() if system else None
    )
    return Solution(x, n_iter, residual, converged)


def _iterate(
    matvec: Callable,
    b: Array,
    x: Array | None,
    max_iter: int,
    tol: float,
    precond: Callable | None,
    n_core: int,
) -> tuple[Array, tuple[Array, Array, Array]]:
    xp = array_namespace(b)
    spread = (..., *(None,) * n_core)  # (*batch) -> (*batch, 1, …, 1)

    def dot(u: Array, v: Array) -> Array:
        return inner(u, v, n_core)

    def ratio(num: Array, den: Array, active: Array) -> Array:
        ok = active & (den > 0)
        return xp.where(ok, num / xp.where(ok, den, xp.ones_like(den)), xp.zeros_like(den))

    def step(state: tuple) -> tuple:
        k, x, r, p, rz, rr, n_iter, active = state
        q = matvec(p)
        alpha = ratio(rz, dot(p, q), active)[spread]  # zero for a sample that is done: x and r stay
        x = add_scaled(x, alpha, p)
        r = add_scaled(r, -alpha, q)
        z = r if precond is None else precond(r)
        rr = dot(r, r)
        rz_new = rr if precond is None else dot(r, z)
        p = add_scaled(z, ratio(rz_new, rz, active)[spread], p)
        n_iter = n_iter + xp.astype(active, n_iter.dtype)
        return k + 1, x, r, p, rz_new, rr, n_iter, active & (rr > limit)

    bb = dot(b, b)
    limit = tol * tol * bb
    r = b if x is None else b - matvec(x)
    x = xp.zeros_like(b) if x is None else x
    z = r if precond is None else precond(r)
    rr = dot(r, r)
    n_iter = xp.zeros(rr.shape, dtype=xp.int32, device=device(rr))
    state = (xp.sum(n_iter), x, r, z, dot(r, z), rr, n_iter, rr > limit)
    state = while_loop(lambda s: (s[0] < max_iter) & xp.any(s[-1]), step, state)
    rr, n_iter = state[5], state[6]
    residual = xp.sqrt(rr / xp.where(bb > 0, bb, xp.ones_like(bb)))
    # a problem with NaN has no residual to go on from; its solution must not pass for a zero
    return state[1] + (0 * rr)[spread], (n_iter, residual, rr <= limit)
