"""Deep equilibrium: the passes of an unrolled recon, run until nothing changes any more."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from reconic.recons.base import Block, Problem, Recon
from reconic.solvers import fixed_point

__all__ = ["DeepEquilibrium"]


class DeepEquilibrium(Recon):
    """x̂ = f(c x̂), the fixed point of a pass f over blocks, found by Anderson acceleration.

    The gradient comes from a second fixed point, so memory is that of one pass, whatever their
    number, and a trained recon may be run for more or fewer passes. The constant c < 1 pulls the
    passes together where neither data nor network do: with a network that starts as the identity,
    the first fixed point is CG-SENSE, with λ(1 - c) for the blocks `Denoise` and
    `DataConsistency(λ)`, with (1 - c)/(c t) for `GradientStep(t)` and `Denoise`.

    Args:
        blocks: Blocks of one pass.
        max_iter: Largest number of passes, forward and backward.
        tol: Relative change of a pass at which to stop.
        memory: Number of previous images that Anderson acceleration combines.
        contraction: Constant c, above 0 and up to 1. A network may amplify errors by up to 1/c
            before passes no longer converge: near 1, training can lose the fixed point.

    References:
        Gilton, Ongie & Willett, Deep equilibrium architectures for inverse problems in imaging,
        IEEE TCI 7:1123 (2021), Sec. III (DE-Prox: `GradientStep`, `Denoise`).
        Walker & Ni, SIAM J. Numer. Anal. 49:1715 (2011), Algorithm AA.
    """

    def __init__(
        self,
        blocks: list[Block],
        max_iter: int = 20,
        tol: float = 1e-3,
        memory: int = 5,
        contraction: float = 0.6,
    ) -> None:
        super().__init__()
        if not 0 < contraction <= 1 or not blocks:
            raise ValueError(
                "DeepEquilibrium: `contraction` must be above 0 and at most 1 and `blocks` not "
                f"empty, got {contraction} and {len(blocks)} blocks. 0.6 is usual."
            )
        self.blocks = nn.ModuleList(blocks)
        self.max_iter = max_iter
        self.tol = tol
        self.memory = memory
        self.contraction = contraction

    def reconstruct(self, problem: Problem) -> Tensor:
        inner = dataclasses.replace(problem, report={}, passes=None)

        def one_pass(x: Tensor) -> Tensor:
            x = self.contraction * x
            for block in self.blocks:
                x = block(x, inner)
            return x

        found = fixed_point(
            one_pass,
            problem.adjoint,
            max_iter=self.max_iter,
            tol=self.tol,
            memory=self.memory,
            n_core=len(problem.A.in_shape),
        )
        problem.note("n_passes", found.n_iter)
        problem.note("change", found.residual)
        for name, values in inner.report.items():
            problem.note(name, torch.stack(values))
        return found.x
