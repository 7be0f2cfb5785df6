"""Proximal gradient descent, plain (ISTA) and accelerated (FISTA)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reconic._array import Array, array_namespace, device, inner, while_loop
from reconic.operator import LinearSystem
from reconic.solvers.cg import Solution

__all__ = ["fista"]


def fista(
    M: LinearSystem | Callable[[Array], Array],
    b: Array,
    prox: Callable[[Array, Any], Array],
    x0: Array | None = None,
    *,
    step: Any,
    max_iter: int = 100,
    tol: float = 1e-4,
    accelerated: bool = True,
    n_core: int | None = None,
) -> Solution:
    """Minimise ½⟨x, M x⟩ - Re⟨b, x⟩ + g(x), e.g. ½‖Ax - y‖² + g(x) with M = AᴴA and b = Aᴴy.

    The momentum starts anew wherever it points uphill, which makes the convergence monotone in
    practice, and linear near a solution. Each sample of a batch stops on its own.

    Args:
        M: Hermitian positive semidefinite system, or a function x ↦ M x.
        b: Linear term (*batch, *core).
        prox: `prox(x, t)`, the proximal map of t·g; `prior.prox`, or with a weight
            `lambda x, t: prior.prox(x, lam * t)`.
        x0: Start (*batch, *core); zero if None.
        step: Step size, at most 1/‖M‖: a number, or real (*batch).
        max_iter: Largest number of iterations.
        tol: ‖x_k - x_{k-1}‖ / ‖x_k‖, with x_k one step from where the gradient was taken, at which
            a sample is done; 0 runs all iterations.
        accelerated: Whether to use momentum; without it, this is ISTA.
        n_core: Number of axes of one sample; from `M.in_shape` if None, else all axes of `b`.

    Returns:
        Solution, whose residual is what `tol` is compared with. Torch differentiates through the
        iterations; without a graph memory does not grow with their number.

    Raises:
        ValueError: If `max_iter` or `tol` is negative.

    References:
        Beck & Teboulle, SIAM J. Imaging Sci. 2:183 (2009), Eqs. 4.1-4.3.
        O'Donoghue & Candès, Found. Comput. Math. 15:715 (2015), Sec. 3.2 (gradient restart).
    """
    if max_iter < 0 or tol < 0:
        raise ValueError(
            f"fista: `max_iter` and `tol` must not be negative, got {max_iter} and {tol}."
        )
    n = n_core if n_core is not None else len(M.in_shape) if isinstance(M, LinearSystem) else b.ndim
    xp = array_namespace(b)
    spread = (..., *(None,) * n)  # (*batch) -> (*batch, 1, …, 1)
    t = step * xp.ones_like(inner(b, b, n))

    def update(state: tuple) -> tuple:
        k, x, z, momentum, residual, n_iter, active = state
        new = prox(z - t[spread] * (M(z) - b), t[spread])
        change, moved = new - z, new - x
        size, step2 = inner(new, new, n), inner(change, change, n)
        uphill = inner(change, moved, n) < 0
        m = xp.where(uphill, xp.ones_like(momentum), momentum)
        m_new = (1 + xp.sqrt(1 + 4 * m * m)) / 2
        speed = (m - 1) / m_new if accelerated else 0 * m
        relative = _ratio(step2, size)
        keep = active[spread]
        x = xp.where(keep, new, x)
        z = xp.where(keep, new + speed[spread] * moved, z)
        residual = xp.where(active, relative, residual)
        n_iter = n_iter + xp.astype(active, n_iter.dtype)
        return k + 1, x, z, m_new, residual, n_iter, active & (relative > tol * tol)

    x = xp.zeros_like(b) if x0 is None else x0
    one = xp.ones_like(t)
    n_iter = xp.zeros(t.shape, dtype=xp.int32, device=device(t))
    state = (xp.sum(n_iter), x, x, one, one, n_iter, one > 0)
    state = while_loop(lambda s: (s[0] < max_iter) & xp.any(s[-1]), update, state)
    return Solution(state[1], state[5], xp.sqrt(state[4]), ~state[6])


def _ratio(num: Array, den: Array) -> Array:
    """Ratio of squared norms; 0/0 is 0."""
    xp = array_namespace(num)
    return xp.where(den > 0, num / xp.where(den > 0, den, xp.ones_like(den)), num)
