"""MoDL: a learned denoiser and data consistency in turn."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from reconic.recons.base import Problem, Recon
from reconic.recons.blocks import DataConsistency, Denoise, run_pass

__all__ = ["MoDL"]


class MoDL(Recon):
    """Model-based deep learning: x ← (AᴴA + λI)⁻¹ (Aᴴy + λ D(x)), a number of times.

    The defaults are the paper's: start at Aᴴy, one network and one λ for all passes. A start at
    CG-SENSE and a λ of its own for each pass learn faster, which counts in a short training.

    Args:
        network: Denoiser D, complex in, complex out; one for all passes.
        n_unrolls: Number of passes.
        lam: Weight λ at the start of training; learned, stays positive.
        cg_iter: Largest number of CG iterations of a pass.
        cg_tol: Relative residual at which CG stops.
        share_lam: Whether all passes share one λ.
        start: First image: the adjoint Aᴴy, or cgsense with a small, learned λ of its own.
        checkpointing: Whether to keep only the image after each pass for back-propagation and to
            compute the rest again: memory of one pass, up to half more time.
        precondition: Whether CG is preconditioned; see `CGSense`.

    References:
        Aggarwal et al., MoDL, IEEE TMI 38:394 (2019), Eqs. 8-11, Fig. 1.
    """

    def __init__(
        self,
        network: nn.Module,
        n_unrolls: int = 5,
        lam: float = 0.05,
        cg_iter: int = 6,
        cg_tol: float = 1e-4,
        share_lam: bool = True,
        start: Literal["adjoint", "cgsense"] = "adjoint",
        checkpointing: bool = False,
        precondition: bool = False,
    ) -> None:
        super().__init__()
        if n_unrolls < 1:
            raise ValueError(f"MoDL: `n_unrolls` must be at least 1, got {n_unrolls}.")
        self.n_unrolls = n_unrolls
        self.checkpointing = checkpointing
        self.denoise = Denoise(network)

        def consistency(lam: float) -> DataConsistency:
            return DataConsistency(lam, cg_iter, cg_tol, precondition=precondition)

        self.consistency = nn.ModuleList(
            consistency(lam) for _ in range(1 if share_lam else n_unrolls)
        )
        self.start = consistency(lam / 5) if start == "cgsense" else None

    def reconstruct(self, problem: Problem) -> Tensor:
        x = problem.adjoint
        if self.start is not None:
            x = self.start(torch.zeros_like(x), problem)  # pulled to zero: CG-SENSE
        for i in range(self.n_unrolls):
            x = run_pass(self._pass, i, x, problem, checkpointing=self.checkpointing)
            problem.show(x)
        return x

    def _pass(self, i: int, x: Tensor, problem: Problem) -> Tensor:
        consistency = self.consistency[i % len(self.consistency)]
        return consistency(self.denoise(x, problem), problem)
