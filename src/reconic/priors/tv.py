"""Total variation and its proximal map."""

from __future__ import annotations

from typing import Any

from reconic._array import Array, array_namespace, while_loop
from reconic.operator import static, system
from reconic.priors.base import Prior, abs2, part, root
from reconic.priors.l1 import soft_threshold

__all__ = ["TV", "differences", "differences_adjoint"]


@system
class TV(Prior):
    """Isotropic total variation, g(x) = Σᵢ (Σ_d |(D_d x)ᵢ|²)^½, with forward differences D_d.

    The difference at the far edge of an axis is zero. The proximal map is found by accelerated
    projected gradients on its dual, a fixed number of them, which makes it the same whatever else
    is in the batch; after n iterations its objective is within 8 d ‖q‖² / (n + 1)² of the smallest,
    with d axes and the dual solution q.

    Args:
        n_iter: Number of dual iterations of the proximal map.
        n_space: Number of axes of one image.

    References:
        Rudin, Osher & Fatemi, Physica D 60:259 (1992), Sec. 2.
        Beck & Teboulle, IEEE TIP 18:2419 (2009), Sec. IV, algorithm FGP.
    """

    n_iter: int = static(default=40)
    n_space: int = static(default=2)

    def __post_init__(self) -> None:
        """Check the settings."""
        if self.n_iter < 1:
            raise ValueError(f"TV: `n_iter` must be at least 1, got {self.n_iter}. 40 is usual.")

    @property
    def n_core(self) -> int:
        return self.n_space

    def _value(self, x: Array) -> Array:
        xp = array_namespace(x)
        length = root(xp.sum(abs2(differences(x, self.n_space)), axis=0))
        return xp.sum(length, axis=tuple(range(-self.n_space, 0)))

    def _prox(self, x: Array, step: Any) -> Array:
        # x - Dᴴq with |q| ≤ step at each voxel; scaled so, a step of zero needs no exception
        rate = 1 / (4 * self.n_space)  # 1 / ‖D‖² at most

        def update(state: tuple) -> tuple:
            k, q, r, t = state
            ascent = r + rate * differences(x - differences_adjoint(r), self.n_space)
            new = ascent - soft_threshold(ascent, step, group=(0,))  # projected on |q| ≤ step
            t_new = (1 + (1 + 4 * t * t) ** 0.5) / 2
            return k + 1, new, new + ((t - 1) / t_new) * (new - q), t_new

        q = 0 * differences(x, self.n_space)
        zero = array_namespace(x).sum(abs2(q))  # a counter of the library, which JAX can loop over
        state = while_loop(lambda s: s[0] < self.n_iter, update, (zero, q, q, zero + 1))
        return x - differences_adjoint(state[1])


def differences(x: Array, n_space: int) -> Array:
    """Forward differences (n_space, *batch, *space) along the last axes; zero at the far edges."""
    xp = array_namespace(x)
    found = []
    for axis in range(-n_space, 0):
        step = part(x, axis, 1, None) - part(x, axis, 0, -1)
        found.append(xp.concat([step, xp.zeros_like(part(x, axis, 0, 1))], axis=axis))
    return xp.stack(found)


def differences_adjoint(q: Array) -> Array:
    """Adjoint of `differences`: (*batch, *space) from (n_space, *batch, *space)."""
    xp = array_namespace(q)
    n_space = q.shape[0]
    total = xp.zeros_like(q[0, ...])
    for i, axis in enumerate(range(-n_space, 0)):
        step = part(q[i, ...], axis, 0, -1)
        edge = xp.zeros_like(part(q[i, ...], axis, 0, 1))
        total = total + xp.concat([edge, step], axis=axis) - xp.concat([step, edge], axis=axis)
    return total
