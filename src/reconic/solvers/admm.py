"""Alternating direction method of multipliers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reconic._array import Array, array_namespace, device, inner, while_loop
from reconic.operator import Identity, LinearSystem
from reconic.solvers.cg import Solution, cg

__all__ = ["admm"]


def admm(
    M: LinearSystem,
    b: Array,
    prox: Callable[[Array, Any], Array],
    x0: Array | None = None,
    *,
    rho: Any = 1.0,
    max_iter: int = 100,
    tol: float = 1e-4,
    cg_iter: int = 10,
    cg_tol: float = 1e-5,
) -> Solution:
    """Minimise ½⟨x, M x⟩ - Re⟨b, x⟩ + g(x), e.g. ½‖Ax - y‖² + g(x) with M = AᴴA and b = Aᴴy.

    x ← (M + ρI)⁻¹ (b + ρ(z - u)) by conjugate gradients; z ← prox_{g/ρ}(x + u); u ← u + x - z.
    Each sample of a batch stops on its own, when both x - z and the change of z are small.

    Args:
        M: Hermitian positive semidefinite system.
        b: Linear term (*batch, *core).
        prox: `prox(x, t)`, the proximal map of t·g.
        x0: Start (*batch, *core); zero if None.
        rho: Penalty ρ > 0, a number or a real scalar array; any converges, one near the typical
            eigenvalue of M fast.
        max_iter: Largest number of iterations.
        tol: max(‖x - z‖, ‖z - z_old‖) / ‖z‖ at which a sample is done; 0 runs all iterations.
        cg_iter: Largest number of CG iterations of a pass, which start at the last x.
        cg_tol: Relative residual at which CG stops.

    Returns:
        Solution z, on which g is finite; its residual is what `tol` is compared with.

    Raises:
        ValueError: If `max_iter` or `tol` is negative.

    References:
        Boyd et al., Found. Trends Mach. Learn. 3:1 (2011), Eqs. 3.5-3.7 and 3.12.
    """
    if max_iter < 0 or tol < 0:
        raise ValueError(
            f"admm: `max_iter` and `tol` must not be negative, got {max_iter} and {tol}."
        )
    xp = array_namespace(b)
    n = len(M.in_shape)
    spread = (..., *(None,) * n)  # (*batch) -> (*batch, 1, …, 1)
    inverse = M + rho * Identity(M.in_shape)

    def update(state: tuple) -> tuple:
        k, x, z, u, residual, n_iter, active = state
        x_new = cg(inverse, b + rho * (z - u), x, max_iter=cg_iter, tol=cg_tol).x
        z_new = prox(x_new + u, 1 / rho)
        gap, change = x_new - z_new, z_new - z
        size = inner(z_new, z_new, n)
        worst = xp.maximum(inner(gap, gap, n), inner(change, change, n))
        relative = worst / xp.where(size > 0, size, xp.ones_like(size))
        keep = active[spread]
        x, u = xp.where(keep, x_new, x), xp.where(keep, u + gap, u)
        z = xp.where(keep, z_new, z)
        residual = xp.where(active, relative, residual)
        n_iter = n_iter + xp.astype(active, n_iter.dtype)
        return k + 1, x, z, u, residual, n_iter, active & (relative > tol * tol)

    x = xp.zeros_like(b) if x0 is None else x0
    one = xp.ones_like(inner(b, b, n))
    n_iter = xp.zeros(one.shape, dtype=xp.int32, device=device(one))
    state = (xp.sum(n_iter), x, x, xp.zeros_like(b), one, n_iter, one > 0)
    state = while_loop(lambda s: (s[0] < max_iter) & xp.any(s[-1]), update, state)
    return Solution(state[2], state[5], xp.sqrt(state[4]), ~state[6])
