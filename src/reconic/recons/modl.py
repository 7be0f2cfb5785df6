"""MoDL: a learned denoiser and data consistency in turn."""

from __future__ import annotations

from torch import Tensor, nn

from reconic.recons.base import Problem, Recon
from reconic.recons.blocks import DataConsistency, Denoise, Unroll

__all__ = ["MoDL"]


class MoDL(Recon):
    """Model-based deep learning: x ← (AᴴA + λI)⁻¹ (Aᴴy + λ D(x)), a number of times, from Aᴴy.

    Args:
        network: Denoiser D, complex in, complex out; one for all unrolls.
        n_unrolls: Number of passes.
        lam: Weight λ at the start; learned, stays positive.
        cg_iter: Largest number of CG iterations of a pass.
        cg_tol: Relative residual at which CG stops.
        shared: Whether all passes share one network and λ, as in the paper.

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
        shared: bool = True,
    ) -> None:
        super().__init__()
        blocks = [Denoise(network), DataConsistency(lam, cg_iter, cg_tol)]
        self.unroll = Unroll(blocks, n_unrolls, shared)

    def reconstruct(self, problem: Problem) -> Tensor:
        return self.unroll(problem.adjoint, problem)
