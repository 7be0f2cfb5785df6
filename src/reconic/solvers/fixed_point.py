"""Fixed points by Anderson acceleration, differentiated by a second fixed point."""

from __future__ import annotations

from collections.abc import Callable

from reconic._array import (
    Array,
    array_namespace,
    device,
    eps,
    implicit_fixed_point,
    real_dtype,
    while_loop,
)
from reconic.solvers.cg import Solution

__all__ = ["fixed_point"]


def fixed_point(
    f: Callable[[Array], Array],
    x0: Array,
    *,
    max_iter: int = 50,
    tol: float = 1e-4,
    memory: int = 5,
    n_core: int | None = None,
) -> Solution:
    """Solve x = f(x) by Anderson acceleration.

    In torch gradients flow to all that `f` holds, through the fixed point of one more iteration
    with the same settings; memory is that of one application of `f`. No gradient flows to `x0`.
    Each sample of a batch stops on its own.

    Args:
        f: Map from images (*batch, *core) to images, near a contraction.
        x0: Start (*batch, *core).
        max_iter: Largest number of applications of `f`.
        tol: ‖f(x) - x‖ / ‖f(x)‖ at which a sample is done; 0 runs all iterations.
        memory: Number of previous images that are combined; 1 is the plain iteration x ← f(x).
        n_core: Number of axes of one sample; all axes of `x0` if None.

    Returns:
        Solution: the image f(x) with the smallest residual, which is what `tol` is compared with.
        Where `f` is no contraction that is an early one, and `converged` is False.

    Raises:
        ValueError: If `max_iter` or `memory` is below 1, or `tol` negative.

    References:
        Walker & Ni, SIAM J. Numer. Anal. 49:1715 (2011), Algorithm AA.
        Bai, Kolter & Koltun, Deep equilibrium models, NeurIPS (2019), Theorem 1 (gradient).
    """
    if max_iter < 1 or memory < 1 or tol < 0:
        raise ValueError(
            "fixed_point: `max_iter` and `memory` must be at least 1 and `tol` not negative, got "
            f"{max_iter}, {memory} and {tol}."
        )
    n = x0.ndim if n_core is None else n_core

    def solve(g: Callable, start: Array) -> tuple[Array, tuple]:
        return _anderson(g, start, max_iter, tol, memory, n)

    x, (n_iter, residual, converged) = implicit_fixed_point(f, x0, solve)
    return Solution(x, n_iter, residual, converged)


def _anderson(
    f: Callable, x0: Array, max_iter: int, tol: float, memory: int, n_core: int
) -> tuple[Array, tuple[Array, Array, Array]]:
    xp = array_namespace(x0)
    shape = tuple(x0.shape)
    batch = shape[: len(shape) - n_core]

    def apply(v: Array) -> Array:  # (*batch, n) -> (*batch, n)
        return xp.reshape(f(xp.reshape(v, shape)), (*batch, -1))

    def remember(past: Array, new: Array) -> Array:  # (*batch, memory, n), the newest first
        return xp.concat([new[..., None, :], past[..., :-1, :]], axis=-2)

    def update(state: tuple) -> tuple:
        k, x, images, errors, best, residual, n_iter, active = state
        image = apply(x)
        error = image - x
        relative = _ratio(error, image)
        better = active & (relative < residual)  # never where an image is not finite
        best = xp.where(better[..., None], image, best)
        residual = xp.where(better, relative, residual)
        n_iter = n_iter + xp.astype(active, n_iter.dtype)
        images, errors = remember(images, image), remember(errors, error)
        mixed = xp.sum(_weights(errors)[..., None] * images, axis=-2)
        return k + 1, mixed, images, errors, best, residual, n_iter, active & ~(relative <= tol)

    x = xp.reshape(x0, (*batch, -1))
    none = xp.zeros((*batch, memory, x.shape[-1]), dtype=x.dtype, device=device(x))
    residual = xp.full(batch, xp.inf, dtype=real_dtype(x), device=device(x))
    n_iter = xp.zeros(batch, dtype=xp.int32, device=device(x))
    state = (xp.sum(n_iter), x, none, none, x, residual, n_iter, residual > 0)
    state = while_loop(lambda s: (s[0] < max_iter) & xp.any(s[-1]), update, state)
    *_, best, residual, n_iter, active = state
    return xp.reshape(best, shape), (n_iter, residual, ~active)


def _weights(errors: Array) -> Array:
    """Weights (*batch, memory) of sum one that make the mean error smallest.

    Past images that do not exist yet have an error of zero, which is told from their norm, and a
    weight of zero.
    """
    xp = array_namespace(errors)
    adjoint = xp.matrix_transpose(errors)
    if xp.isdtype(errors.dtype, "complex floating"):
        gram = xp.real(xp.matmul(xp.conj(errors), adjoint))
    else:
        gram = xp.matmul(errors, adjoint)
    power = xp.linalg.diagonal(gram)
    exists = xp.astype(power > 0, gram.dtype)
    largest = xp.max(power, axis=-1)[..., None]
    largest = xp.where(largest > 0, largest, xp.ones_like(largest))
    ridge = 10 * eps(errors) + (1 - exists)  # rounding of the Gram matrix, and a unit for the rest
    one = xp.eye(gram.shape[-1], dtype=gram.dtype, device=device(gram))
    weights = xp.linalg.solve(gram / largest[..., None] + ridge[..., None] * one, exists[..., None])
    weights = weights[..., 0]
    total = xp.sum(weights, axis=-1, keepdims=True)
    return weights / xp.where(total != 0, total, xp.ones_like(total))


def _ratio(error: Array, image: Array) -> Array:
    xp = array_namespace(image)
    size = xp.linalg.vector_norm(image, axis=-1)
    return xp.linalg.vector_norm(error, axis=-1) / xp.where(size > 0, size, xp.ones_like(size))
