"""A recon on data in their own unit, as DeepInPy treats them."""

from __future__ import annotations

import torch
from torch import Tensor

from reconic.operator import LinearSystem
from reconic.recons import Problem, Recon

__all__ = ["AsMeasured"]


class AsMeasured(Recon):
    """Run a recon on data in the unit of the file, where Reconic would scale them to unit size.

    That makes a difference to networks with biases or batch normalisation, of which the result is
    not in proportion to the input: with weights from DeepInPy they need the data as they are.

    Args:
        recon: What reconstructs.
    """

    def __init__(self, recon: Recon) -> None:
        super().__init__()
        self.recon = recon

    def system(self, y: Tensor, A: LinearSystem) -> LinearSystem:
        return self.recon.system(y, A)

    def unit(self, adjoint: Tensor, n_core: int) -> Tensor:
        return torch.ones_like(adjoint.detach().abs().flatten(-n_core)[..., 0])

    def reconstruct(self, problem: Problem) -> Tensor:
        return self.recon.reconstruct(problem)
