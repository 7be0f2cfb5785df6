"""Unrolled ADMM, with a classical or a learned proximal map."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from reconic.recons.base import Block, Problem, Recon
from reconic.recons.blocks import DataConsistency, run_pass
from reconic.recons.proximal import Start, passes

__all__ = ["ADMM"]


class ADMM(Recon):
    """Unrolled ADMM: z ← P(x + u); u ← u + x - z; x ← (AᴴA + ρI)⁻¹ (Aᴴy + ρ(z - u)).

    Unlike in MoDL, whose passes these are otherwise, u remembers what P took away, so that with a
    proximal map P the passes converge to the minimiser of ½‖Ax - y‖² + ρ w g(x), with `Proximal`'s
    weight w.

    Args:
        proximal: P: `Proximal` with a prior, or `Denoise` with a network.
        n_unrolls: Number of passes.
        rho: Penalty ρ at the start; each pass learns its own, which stays positive.
        cg_iter: Largest number of CG iterations of a pass.
        cg_tol: Relative residual at which CG stops.
        shared: Whether all passes share one P; otherwise each has a copy of its own.
        learned: Whether ρ is learned.
        start: First image: the adjoint Aᴴy, or cgsense with a small, learned λ.
        checkpointing: Whether to keep only the images after each pass for back-propagation and to
            compute the rest again: memory of one pass, up to half more time.

    References:
        Boyd et al., Found. Trends Mach. Learn. 3:1 (2011), Eqs. 3.5-3.7.
        Yang et al., Deep ADMM-Net for compressive sensing MRI, NeurIPS (2016), Sec. 2.
    """

    def __init__(
        self,
        proximal: Block,
        n_unrolls: int = 5,
        rho: float = 0.05,
        cg_iter: int = 6,
        cg_tol: float = 1e-3,
        shared: bool = True,
        learned: bool = True,
        start: Literal["adjoint", "cgsense"] = "adjoint",
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.proximal = passes("ADMM", proximal, n_unrolls, shared)
        self.consistency = nn.ModuleList(
            DataConsistency(rho, cg_iter, cg_tol, learned) for _ in range(n_unrolls)
        )
        self.start = Start(start)
        self.checkpointing = checkpointing

    def reconstruct(self, problem: Problem) -> Tensor:
        x = self.start(problem.adjoint, problem)
        u = torch.zeros_like(x)
        for k in range(len(self.consistency)):
            x, u = run_pass(self._pass, k, x, u, problem, checkpointing=self.checkpointing)
            problem.show(x)
        return x

    def _pass(self, k: int, x: Tensor, u: Tensor, problem: Problem) -> tuple[Tensor, Tensor]:
        z = self.proximal[k](x + u, problem)
        u = u + x - z
        return self.consistency[k](z - u, problem), u
