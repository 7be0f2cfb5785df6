"""Locally low rank: the nuclear norm of small patches of a series of images."""

from __future__ import annotations

import math
from typing import Any

from reconic._array import Array, array_namespace
from reconic.operator import static, system
from reconic.priors.base import Prior

__all__ = ["LocallyLowRank"]


@system
class LocallyLowRank(Prior):
    """Sum of the nuclear norms of patches, g(x) = Σ_b ‖R_b x‖_*.

    Each patch of space, with all its frames, is a matrix (voxels, frames). Patches tile the image
    without overlap, those at the far edges are smaller, so the proximal map is exact: singular
    values of each patch are shortened by the step. It has a derivative by x where the singular
    values of every patch differ from each other and from zero, as those of noisy patches with more
    voxels than frames do.

    Args:
        block: Side of a patch.
        n_space: Number of spatial axes; the axis before them holds the frames.

    References:
        Trzasko & Manduca, Proc. ISMRM 19:4371 (2011).
        Cai, Candès & Shen, SIAM J. Optim. 20:1956 (2010), Eq. 2.2 and Theorem 2.1.
    """

    block: int = static(default=8)
    n_space: int = static(default=2)

    def __post_init__(self) -> None:
        """Check the settings."""
        if self.block < 1:
            raise ValueError(
                f"LocallyLowRank: `block` must be at least 1, got {self.block}. 8 is usual."
            )

    @property
    def n_core(self) -> int:
        return self.n_space + 1

    def _value(self, x: Array) -> Array:
        xp = array_namespace(x)
        values = xp.linalg.svdvals(self._to_patches(x))
        return xp.sum(values, axis=tuple(range(-self.n_space - 1, 0)))

    def _prox(self, x: Array, step: Any) -> Array:
        xp = array_namespace(x)
        u, values, vh = xp.linalg.svd(self._to_patches(x), full_matrices=False)
        shorter = values - step  # (*batch, *grid, rank): as many axes as x, so steps broadcast
        shorter = xp.where(shorter > 0, shorter, xp.zeros_like(values))
        patches = xp.matmul(u * xp.astype(shorter, u.dtype)[..., None, :], vh)
        return self._to_images(patches, tuple(x.shape))

    def _to_patches(self, x: Array) -> Array:
        """Matrices (*batch, *grid, voxels, frames) of x (*batch, frames, *space)."""
        xp = array_namespace(x)
        d, b = self.n_space, self.block
        n_lead = x.ndim - d
        for axis in range(-d, 0):  # zero rows do not change singular values
            missing = -x.shape[axis] % b
            shape = list(x.shape)
            shape[axis] = missing
            x = xp.concat([x, xp.zeros(tuple(shape), dtype=x.dtype)], axis=axis) if missing else x
        grid = [x.shape[axis] // b for axis in range(-d, 0)]
        x = xp.reshape(x, (*x.shape[:n_lead], *(n for g in grid for n in (g, b))))
        order = [
            *range(n_lead - 1),
            *range(n_lead, x.ndim, 2),  # grid
            *range(n_lead + 1, x.ndim, 2),  # voxels of a patch
            n_lead - 1,  # frames
        ]
        x = xp.permute_dims(x, tuple(order))
        return xp.reshape(x, (*x.shape[: n_lead - 1 + d], b**d, x.shape[-1]))

    def _to_images(self, patches: Array, shape: tuple[int, ...]) -> Array:
        """Inverse of `_to_patches` for images of a shape."""
        xp = array_namespace(patches)
        d, b = self.n_space, self.block
        space = shape[-d:]
        grid = [math.ceil(n / b) for n in space]
        n_lead = len(shape) - d
        x = xp.reshape(patches, (*shape[: n_lead - 1], *grid, *(b,) * d, shape[n_lead - 1]))
        pairs = (n_lead - 1 + i + k * d for i in range(d) for k in (0, 1))
        x = xp.permute_dims(x, (*range(n_lead - 1), x.ndim - 1, *pairs))
        x = xp.reshape(x, (*shape[:n_lead], *(g * b for g in grid)))
        return x[(..., *(slice(0, n) for n in space))]
