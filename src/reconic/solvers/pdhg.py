"""Primal-dual hybrid gradients, for what has a proximal map only behind a linear system."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reconic._array import Array, array_namespace, device, inner, while_loop
from reconic.operator import LinearSystem
from reconic.solvers.cg import Solution

__all__ = ["pdhg"]


def pdhg(
    K: LinearSystem,
    prox_f: Callable[[Array, Any], Array],
    prox_g: Callable[[Array, Any], Array],
    x0: Array,
    *,
    norm: Any,
    ratio: float = 1.0,
    max_iter: int = 200,
    tol: float = 1e-4,
) -> Solution:
    """Minimise f(K x) + g(x), e.g. g(x) such that ‖Ax - y‖ ≤ ε, with f the ball around y.

    Each sample of a batch stops on its own.

    Args:
        K: Linear system.
        prox_f: `prox_f(y, t)`, the proximal map of t·f, e.g. `L2Ball(eps, y, n).prox`.
        prox_g: `prox_g(x, t)`, the proximal map of t·g.
        x0: Start (*batch, *K.in_shape).
        norm: Upper bound of ‖K‖, as from `operator_norm`: a number, or real (*batch).
        ratio: Primal over dual step size; their product is 1/‖K‖².
        max_iter: Largest number of iterations.
        tol: Relative change of x and of the dual variable at which a sample is done.

    Returns:
        Solution; its residual is what `tol` is compared with.

    Raises:
        ValueError: If `max_iter` or `tol` is negative, or `ratio` not positive.

    References:
        Chambolle & Pock, J. Math. Imaging Vis. 40:120 (2011), Algorithm 1 with θ = 1.
    """
    if max_iter < 0 or tol < 0 or not ratio > 0:
        raise ValueError(
            "pdhg: `max_iter` and `tol` must not be negative and `ratio` must be positive, got "
            f"{max_iter}, {tol} and {ratio}."
        )
    xp = array_namespace(x0)
    n, n_out = len(K.in_shape), len(K.out_shape)
    norm = norm * xp.ones_like(inner(x0, x0, n))
    tau, sigma = ratio**0.5 / norm, 1 / (ratio**0.5 * norm)
    to_x, to_y = ((..., *(None,) * m) for m in (n, n_out))

    def relative(new: Array, old: Array, m: int) -> Array:
        size, change = inner(new, new, m), inner(new - old, new - old, m)
        return change / xp.where(size > 0, size, xp.ones_like(size))

    def update(state: tuple) -> tuple:
        k, x, bar, u, residual, n_iter, active = state
        s = sigma[to_y]
        v = u + s * K(bar)
        u_new = v - s * prox_f(v / s, 1 / s)  # Moreau: the proximal map of the conjugate of f
        x_new = prox_g(x - tau[to_x] * K.adjoint(u_new), tau[to_x])
        change = xp.maximum(relative(x_new, x, n), relative(u_new, u, n_out))
        bar = xp.where(active[to_x], 2 * x_new - x, bar)
        x, u = xp.where(active[to_x], x_new, x), xp.where(active[to_y], u_new, u)
        residual = xp.where(active, change, residual)
        n_iter = n_iter + xp.astype(active, n_iter.dtype)
        return k + 1, x, bar, u, residual, n_iter, active & (change > tol * tol)

    one = xp.ones_like(norm)
    n_iter = xp.zeros(one.shape, dtype=xp.int32, device=device(one))
    state = (xp.sum(n_iter), x0, x0, xp.zeros_like(K(x0)), one, n_iter, one > 0)
    state = while_loop(lambda s: (s[0] < max_iter) & xp.any(s[-1]), update, state)
    return Solution(state[1], state[5], xp.sqrt(state[4]), ~state[6])
