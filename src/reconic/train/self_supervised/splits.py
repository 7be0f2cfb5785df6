"""Losses that predict one part of the measurements from another, and need no true image."""

from __future__ import annotations

import torch
from torch import Tensor

from reconic.operator import LinearSystem, System
from reconic.recons import Recon
from reconic.recons.splitting import mixed_misfit, restrict, split
from reconic.train.losses import Loss, Step

__all__ = ["SSDU"]


class SSDU(Loss):
    """Self-supervision by splits: from the kept samples Θ, predict the held-out samples Λ.

    The loss of an example is the mean over its splits of L(y_Λ, A_Λ f(y_Θ, A_Θ)), with L the
    misfit ‖·‖₂/‖y_Λ‖₂ + ‖·‖₁/‖y_Λ‖₁. Splits are drawn anew in each step. The noise of the held-out
    samples is independent of the others', so noise is not learned.

    Args:
        fraction: Part of the samples to hold out. The papers have 0.4; with fewer, the problem that
            is learned is nearer to the one with all samples, which is to be solved in the end.
        n_splits: Splits of each example in a step, each costs a reconstruction.
        n_calib: Side of the centre of k-space that is always kept, in samples.
        n_space: Number of space axes.
        n_whole: Number of the last axes of y that are held out or kept together: 1 for the samples
            of a spoke, with data of the axes (spoke, readout).

    Raises:
        ValueError: If `fraction` is not between 0 and 1, or a number is not positive.

    References:
        Yaman et al., MRM 84:3172 (2020) (one split); Yaman et al., NMR Biomed. 35:e4798 (2022)
        (several).
    """

    needs_truth = False

    def __init__(
        self,
        fraction: float = 0.1,
        n_splits: int = 1,
        n_calib: int = 4,
        n_space: int = 2,
        n_whole: int = 0,
    ) -> None:
        super().__init__()
        check_splits(self, fraction, n_splits)
        self.fraction = fraction
        self.n_splits = n_splits
        self.n_calib = n_calib
        self.n_space = n_space
        self.n_whole = n_whole

    def step(self, recon: Recon, x: Tensor | None, y: Tensor, A: LinearSystem) -> Step:
        steps = [self._split_step(recon, x, y, A) for _ in range(self.n_splits)]
        return Step(steps[-1].x_hat, torch.stack([s.loss for s in steps]).mean())

    def _split_step(self, recon: Recon, x: Tensor | None, y: Tensor, A: LinearSystem) -> Step:
        kept, held = split(y, A, self.fraction, self.n_calib, self.n_space, n_whole=self.n_whole)
        x_hat = recon(*restrict(y, A, kept))
        return Step(x_hat, self(x_hat, x, *restrict(y, A, held)))

    def forward(self, x_hat: Tensor, x: Tensor | None, y: Tensor, A: System) -> Tensor:  # noqa: ARG002
        return mixed_misfit(x_hat, y, A).mean()


def check_splits(loss: Loss, fraction: float, n_splits: int) -> None:
    """Refuse splits that leave a part empty."""
    if not 0 < fraction < 1 or n_splits < 1:
        raise ValueError(
            f"{type(loss).__name__}: `fraction` must be between 0 and 1 and `n_splits` at least 1, "
            f"got {fraction} and {n_splits}."
        )
