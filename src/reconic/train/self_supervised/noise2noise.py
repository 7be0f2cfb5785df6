"""Noise2Noise: learning from pairs of noisy acquisitions of the same object."""

from __future__ import annotations

import torch
from torch import Tensor

from reconic.operator import LinearSystem, System
from reconic.recons import Recon
from reconic.recons.draws import normal_like
from reconic.recons.noise import noise_level
from reconic.recons.splitting import Part, restrict, split
from reconic.train.losses import KSpaceLoss, Loss, Step

__all__ = ["Noise2Noise"]


class Noise2Noise(Loss):
    """From one noisy acquisition predict another: ‖A₂ f(y₁, A₁) - y₂‖² / ‖y₂‖².

    Where the noise of the two is independent and has zero mean, the best prediction is the object
    without noise, as if that were the target. The two acquisitions are

    - repeats, if the data have them along an axis of y: one half of the axis and the other, in
      random order. (For CartesianMRI keep repeats as further coils, with the same maps.)
    - else made of one: y₁ = y + αn and y₂ = y - n/α with added noise n of the level of the
      measurements' own, which makes the noise of the two independent. Of the samples a part is
      in y₂ alone, as it was measured, so that what is missing is learned too.

    Args:
        axis: Axis of y (batch first, so 1 is the first of one example's) along which repeats lie;
            None makes the two acquisitions of one.
        alpha: Ratio α of added to own noise in y₁.
        fraction: Part of the samples that is left out of y₁; 0 leaves none out.
        sigma: Standard deviation of the complex noise, E|noise|² = σ², in the units of y. None
            estimates it for each example from outer k-space, see `reconic.calibrate.noise_std`.
        n_calib: Side of the centre of k-space that is always in y₁, in samples.
        n_space: Number of space axes.

    Raises:
        ValueError: If an argument is out of range, or the axis has fewer than two entries.

    References:
        Lehtinen et al., Noise2Noise, ICML (2018), Eq. 6; Pang et al., Recorrupted-to-Recorrupted,
        CVPR (2021) (a pair made of one); Yaman et al., MRM 84:3172 (2020) (samples left
        out).
    """

    needs_truth = False

    def __init__(
        self,
        axis: int | None = None,
        alpha: float = 0.5,
        fraction: float = 0.1,
        sigma: float | None = None,
        n_calib: int = 4,
        n_space: int = 2,
    ) -> None:
        super().__init__()
        if not alpha > 0 or not 0 <= fraction < 1 or (sigma is not None and sigma < 0):
            raise ValueError(
                "Noise2Noise: `alpha` must be positive, `fraction` from 0 to below 1 and `sigma` "
                f"not negative, got {alpha}, {fraction} and {sigma}."
            )
        self.axis = axis
        self.alpha = alpha
        self.fraction = fraction
        self.sigma = sigma
        self.n_calib = n_calib
        self.n_space = n_space
        self.misfit = KSpaceLoss()

    def step(self, recon: Recon, x: Tensor | None, y: Tensor, A: LinearSystem) -> Step:
        repeats = self.axis is not None
        first, second = self.repeats(y, A) if repeats else self.recorrupted(y, A)
        x_hat = recon(*first)
        return Step(x_hat, self(x_hat, x, *second))

    def forward(self, x_hat: Tensor, x: Tensor | None, y: Tensor, A: System) -> Tensor:
        return self.misfit(x_hat, x, y, A)

    def repeats(self, y: Tensor, A: LinearSystem) -> tuple[Part, Part]:
        """Both halves of the axis of repeats, in random order."""
        axis = self.axis or 0
        if not 0 < axis < y.ndim or y.shape[axis] < 2:
            raise ValueError(
                f"Noise2Noise: `axis` must be one of y {tuple(y.shape)} with two or more repeats, "
                f"got {self.axis}. Use null for data without repeats."
            )
        n = y.shape[axis]
        half = (torch.arange(n, device=y.device) < n // 2) ^ (torch.rand(()) < 0.5).to(y.device)
        half = half.to(y.real.dtype).reshape(-1, *(1,) * (y.ndim - axis - 1))
        return restrict(y, A, half), restrict(y, A, 1 - half)

    def recorrupted(self, y: Tensor, A: LinearSystem) -> tuple[Part, Part]:
        """Two acquisitions of independent noise, made of one; the second has all samples."""
        if self.fraction:
            kept, _ = split(y, A, self.fraction, self.n_calib, self.n_space)
        else:
            kept = (A.sampling(y) > 0).to(y.real.dtype)
        sigma = noise_level(y, A, self.sigma, self.n_space).reshape(-1, *(1,) * (y.ndim - 1))
        n = sigma * normal_like(y) * kept * A.sampling(y)
        first = restrict(y + self.alpha * n, A, kept)
        return first, Part(y - n / self.alpha, A)
