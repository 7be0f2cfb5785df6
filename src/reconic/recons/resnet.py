"""A network on the zero-filled image: the recon without physics inside."""

from __future__ import annotations

from torch import Tensor, nn

from reconic.recons.base import Problem, Recon

__all__ = ["ResNetRecon"]


class ResNetRecon(Recon):
    """x̂ = D(Aᴴy), a network that cleans up the zero-filled image.

    Args:
        network: Complex in, complex out.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def reconstruct(self, problem: Problem) -> Tensor:
        return self.network(problem.adjoint)
