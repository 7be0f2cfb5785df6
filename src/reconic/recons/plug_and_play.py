"""Plug-and-play: a denoiser, trained on its own, in the place of a prior's proximal map."""

from __future__ import annotations

import dataclasses
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from reconic.recons.base import Problem, Recon
from reconic.recons.blocks import DataConsistency, Denoise
from reconic.recons.compressed_sensing import safe_step

__all__ = ["PlugAndPlay"]

Algorithm = Literal["fista", "admm", "hqs"]


class PlugAndPlay(Recon):
    """Plug-and-play: an algorithm of convex optimisation with a denoiser D for its proximal map.

    D is trained to remove noise from images (`train.Denoising`), with no forward model, so one
    denoiser serves any of them.

    - fista: x ← D(z - t Aᴴ(Az - y)), with momentum; t is `step_size`/‖A‖².
    - admm: z ← D(x + u); u ← u + x - z; x ← (AᴴA + λI)⁻¹ (Aᴴy + λ(z - u)).
    - hqs: x ← (AᴴA + λI)⁻¹ (Aᴴy + λ D(x)).

    Args:
        network: Denoiser D, complex in, complex out.
        algorithm: Which algorithm.
        n_iter: Number of iterations.
        lam: Weight λ of admm and hqs, which is how much the denoiser counts; not learned.
        step_size: Step of fista in units of 1/‖A‖², up to 1; the smaller, the more D counts.
        cg_iter: Largest number of CG iterations of admm and hqs.
        cg_tol: Relative residual at which CG stops.

    References:
        Kamilov et al., IEEE Signal Process. Mag. 40(1):85 (2023), PnP-FISTA and PnP-ADMM.
        Venkatakrishnan et al., Plug-and-play priors, GlobalSIP (2013) (the first, by ADMM).
        Zhang et al., IEEE TPAMI 44:6360 (2022), Eq. 6 (half quadratic splitting).
    """

    def __init__(
        self,
        network: nn.Module,
        algorithm: Algorithm = "admm",
        n_iter: int = 12,
        lam: float = 0.5,
        step_size: float = 1.0,
        cg_iter: int = 5,
        cg_tol: float = 1e-3,
    ) -> None:
        super().__init__()
        if algorithm not in get_args(Algorithm) or n_iter < 1:
            raise ValueError(
                f"PlugAndPlay: `algorithm` must be one of {get_args(Algorithm)} and `n_iter` at "
                f"least 1, got {algorithm!r} and {n_iter}."
            )
        self.denoise = Denoise(network)
        self.consistency = DataConsistency(lam, cg_iter, cg_tol, learned=False)
        self.algorithm: Algorithm = algorithm
        self.n_iter = n_iter
        self.step_size = step_size

    def reconstruct(self, problem: Problem) -> Tensor:
        steps = {"fista": self._fista, "admm": self._admm, "hqs": self._hqs}
        inner = dataclasses.replace(problem, report={})  # not a line for every iteration
        x = steps[self.algorithm](inner)
        for name, values in inner.report.items():
            problem.note(name, torch.stack(values))
        return x

    def _fista(self, problem: Problem) -> Tensor:
        step = safe_step(problem).reshape(-1, *(1,) * (problem.adjoint.ndim - 1))
        x = z = problem.adjoint
        for k in range(self.n_iter):
            old = x
            gradient = problem.A.normal(z) - problem.adjoint
            x = self.denoise(z - self.step_size * step * gradient, problem)
            z = x + k / (k + 3) * (x - old)
            problem.show(x)
        return x

    def _admm(self, problem: Problem) -> Tensor:
        x = self.consistency(torch.zeros_like(problem.adjoint), problem)
        u = torch.zeros_like(x)
        for _ in range(self.n_iter):
            z = self.denoise(x + u, problem)
            u = u + x - z
            x = self.consistency(z - u, problem)
            problem.show(x)
        return x

    def _hqs(self, problem: Problem) -> Tensor:
        x = self.consistency(torch.zeros_like(problem.adjoint), problem)
        for _ in range(self.n_iter):
            x = self.consistency(self.denoise(x, problem), problem)
            problem.show(x)
        return x
