"""Proximal maps as blocks, and unrolled proximal gradient descent."""

from __future__ import annotations

import copy
from typing import Literal

import torch
from torch import Tensor, nn

from reconic.priors import Prior
from reconic.recons.base import Block, Problem, Recon
from reconic.recons.blocks import DataConsistency, GradientStep, Positive, run_pass

__all__ = ["Proximal", "ProximalGradient", "Start", "passes"]


class Proximal(Block):
    """x ← argmin_z w g(z) + ½‖z - x‖², the proximal map of a classical prior.

    Args:
        prior: Prior g: L1, Wavelet, TV, LocallyLowRank, NonNegative …
        weight: Weight w at the start, for images of a typical magnitude of one; stays positive.
        learned: Whether w is learned.

    References:
        Parikh & Boyd, Proximal Algorithms, Found. Trends Optim. 1:127 (2014), Eq. 1.1.
    """

    def __init__(self, prior: Prior, weight: float = 0.01, learned: bool = True) -> None:
        super().__init__()
        self.prior = prior
        self.weight = Positive(weight, learned=learned)

    def forward(self, x: Tensor, problem: Problem) -> Tensor:
        weight = self.weight()
        problem.note("weight", weight)
        return self.prior.prox(x, weight)


class ProximalGradient(Recon):
    """Unrolled proximal gradient descent: x ← P(x - t Aᴴ(Ax - y)), a number of times.

    P is the proximal map of a prior, or a network in its place. With momentum the gradient is
    taken where the last step points to, which is FISTA unrolled.

    Args:
        proximal: P: `Proximal` with a prior, or `Denoise` with a network.
        n_unrolls: Number of passes.
        step_size: Step t at the start, below 2/‖A‖²; each pass learns its own.
        momentum: Whether to extrapolate, x + k/(k + 3) (x - x_old) after pass k = 0, 1, …
        shared: Whether all passes share one P; otherwise each has a copy of its own.
        start: First image: the adjoint Aᴴy, or cgsense with a small, learned λ.
        checkpointing: Whether to keep only the images after each pass for back-propagation and to
            compute the rest again: memory of one pass, up to half more time.

    References:
        Beck & Teboulle, SIAM J. Imaging Sci. 2:183 (2009), Eqs. 4.1-4.3.
        Mardani et al., Neural proximal gradient descent for compressive imaging, NeurIPS
        (2018), Sec. 2.
    """

    def __init__(
        self,
        proximal: Block,
        n_unrolls: int = 8,
        step_size: float = 1.0,
        momentum: bool = False,
        shared: bool = True,
        start: Literal["adjoint", "cgsense"] = "adjoint",
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.proximal = passes("ProximalGradient", proximal, n_unrolls, shared)
        self.gradient = nn.ModuleList(GradientStep(step_size) for _ in range(n_unrolls))
        self.momentum = momentum
        self.start = Start(start)
        self.checkpointing = checkpointing

    def reconstruct(self, problem: Problem) -> Tensor:
        x = z = self.start(problem.adjoint, problem)
        for k in range(len(self.gradient)):
            x, z = run_pass(self._pass, k, x, z, problem, checkpointing=self.checkpointing)
            problem.show(x)
        return x

    def _pass(self, k: int, x: Tensor, z: Tensor, problem: Problem) -> tuple[Tensor, Tensor]:
        """Next image and where to take the next gradient, from the last ones."""
        new = self.proximal[k](self.gradient[k](z, problem), problem)
        return new, new + k / (k + 3) * (new - x) if self.momentum else new


class Start(Block):
    """First image: what comes in, which is Aᴴy, or CG-SENSE with a learned λ.

    Args:
        kind: "adjoint" or "cgsense".
    """

    def __init__(self, kind: Literal["adjoint", "cgsense"]) -> None:
        super().__init__()
        self.consistency = DataConsistency(0.01, 6, 1e-3) if kind == "cgsense" else None

    def forward(self, x: Tensor, problem: Problem) -> Tensor:
        # pulled to zero, data consistency is CG-SENSE
        return x if self.consistency is None else self.consistency(torch.zeros_like(x), problem)


def passes(where: str, block: Block, n: int, shared: bool) -> nn.ModuleList:
    """The block of each of n passes: one for all, or a copy for each.

    Raises:
        ValueError: If n is below 1.
    """
    if n < 1:
        raise ValueError(f"{where}: `n_unrolls` must be at least 1, got {n}.")
    return nn.ModuleList([block] * n if shared else [copy.deepcopy(block) for _ in range(n)])
