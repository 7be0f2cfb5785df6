"""Equivariant imaging: learning what A does not see from the symmetries of images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from reconic.operator import LinearSystem, System
from reconic.recons import Recon
from reconic.recons.draws import normal_like
from reconic.recons.noise import noise_level
from reconic.train.losses import ComplexL2, Loss, Step

__all__ = ["EquivariantImaging", "rotate"]

Transform = Literal["rotate", "shift", "flip"]


class EquivariantImaging(Loss):
    """A data term, and ‖f(A T x̂ + n, A) - T x̂‖² / ‖T x̂‖² for a random change T of the image.

    The set of images is the same after a rotation, a shift or a reflection. So the estimate,
    changed and measured again, has to be found again: with that, T turns what A does not see of
    the image into what it sees. The noise n, of the level of the measurements', and a data term
    that does not follow noise make it robust.

    Args:
        data: Data term, a loss without truth: SURE (robust equivariant imaging), SSDU, or
            KSpaceLoss for measurements without noise.
        alpha: Weight of the second term.
        transforms: Which changes T is made of: "rotate" by any angle up to `angle`, "shift"
            periodically by any number of samples up to `distance`, "flip" along the last axis.
        angle: Largest rotation, in degrees, in the plane of the last two axes.
        distance: Largest shift along each of the last two axes, as a fraction of its length.
        sigma: Standard deviation of the complex noise, E|noise|² = σ², in the units of y. None
            estimates it for each example from outer k-space, see `reconic.calibrate.noise_std`; 0
            adds none.
        n_space: Number of space axes.

    Raises:
        ValueError: If the data term needs truth, or an argument is out of range.

    References:
        Chen, Tachella & Davies, Equivariant imaging, ICCV (2021), "Equivariant imaging" loss; Chen,
        Tachella & Davies, Robust equivariant imaging, CVPR (2022) (SURE as the data term).
    """

    needs_truth = False

    def __init__(
        self,
        data: Loss,
        alpha: float = 0.3,
        transforms: Sequence[Transform] = ("rotate", "shift", "flip"),
        angle: float = 180.0,
        distance: float = 0.1,
        sigma: float | None = None,
        n_space: int = 2,
    ) -> None:
        super().__init__()
        unknown = sorted(set(transforms) - set(get_args(Transform)))
        if unknown or not transforms:
            raise ValueError(
                f"EquivariantImaging: `transforms` must be of {', '.join(get_args(Transform))}, "
                f"got {', '.join(unknown) or 'none'}."
            )
        if data.needs_truth:
            raise ValueError(
                "EquivariantImaging: `data` must be a loss without truth, got "
                f"{type(data).__name__}. Use SURE, SSDU or KSpaceLoss."
            )
        if alpha < 0 or angle < 0 or not 0 <= distance < 1:
            raise ValueError(
                "EquivariantImaging: `alpha` and `angle` must not be negative and `distance` be "
                f"from 0 to below 1, got {alpha}, {angle} and {distance}."
            )
        self.data = data
        self.alpha = alpha
        self.transforms = tuple(transforms)
        self.angle = angle
        self.distance = distance
        self.sigma = sigma
        self.n_space = n_space
        self.distance_to = ComplexL2()

    def step(self, recon: Recon, x: Tensor | None, y: Tensor, A: LinearSystem) -> Step:
        x_hat, data = self.data.step(recon, x, y, A)
        seen = A.adjoint(y) != 0  # beyond the support of coil maps nothing is measured
        changed = self.transform(x_hat) * seen
        found = recon(self._measure(changed, y, A), A)
        same = self.distance_to(found, changed, y, A)
        terms = {"data": data.detach(), "equivariance": same.detach()}
        self.report = {**self.data.report, **terms}
        return Step(x_hat, data + self.alpha * same)

    def forward(self, x_hat: Tensor, x: Tensor | None, y: Tensor, A: System) -> Tensor:
        return self.data(x_hat, x, y, A)

    def transform(self, x: Tensor) -> Tensor:
        """A random change T of images (batch, …, ny, nx), the same for the whole batch."""
        u = (2 * torch.rand(4) - 1).tolist()
        if "flip" in self.transforms and u[0] > 0:
            x = x.flip(-1)
        if "rotate" in self.transforms:
            x = rotate(x, math.radians(self.angle * u[1]))
        if "shift" in self.transforms:
            steps = [round(self.distance * v * n) for v, n in zip(u[2:], x.shape[-2:], strict=True)]
            x = torch.roll(x, steps, (-2, -1))
        return x

    def _measure(self, x: Tensor, y: Tensor, A: LinearSystem) -> Tensor:
        """A x with noise of the level of y, where something is measured."""
        sigma = noise_level(y, A, self.sigma, self.n_space).reshape(-1, *(1,) * (y.ndim - 1))
        return A(x) + sigma * normal_like(y) * A.sampling(y)


def rotate(x: Tensor, angle: float) -> Tensor:
    """Images rotated about the centre of the last two axes, by linear interpolation.

    Args:
        x: Complex images (..., ny, nx).
        angle: Angle in radians, from the last axis towards the one before.

    Returns:
        Images of the same shape; zero where the rotated image has nothing.
    """
    ny, nx = x.shape[-2:]
    parts = torch.view_as_real(x).movedim(-1, -3).reshape(1, -1, ny, nx)
    c, s = math.cos(angle), math.sin(angle)
    matrix = parts.new_tensor([[[c, -s * ny / nx, 0], [s * nx / ny, c, 0]]])
    grid = torch.nn.functional.affine_grid(matrix, [1, 1, ny, nx], align_corners=False)
    turned = torch.nn.functional.grid_sample(parts, grid, align_corners=False)
    shape = (*x.shape[:-2], 2, ny, nx)
    return torch.view_as_complex(turned.reshape(shape).movedim(-3, -1).contiguous())
