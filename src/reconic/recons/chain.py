"""A recon spelled out as a list of blocks, for configs."""

from __future__ import annotations

from torch import Tensor

from reconic.recons.base import Block, Problem, Recon
from reconic.recons.blocks import Unroll

__all__ = ["Chain"]


class Chain(Recon):
    """Blocks run in order, n times, from Aᴴy.

    Args:
        blocks: Blocks of one pass, e.g. `Denoise` then `DataConsistency` (which is MoDL).
        n: Number of passes.
        shared: Whether all passes share one set of weights.
        checkpointing: Whether to save memory in training, see `Unroll`.
    """

    def __init__(
        self, blocks: list[Block], n: int = 1, shared: bool = True, checkpointing: bool = False
    ) -> None:
        super().__init__()
        self.unroll = Unroll(blocks, n, shared, checkpointing)

    def reconstruct(self, problem: Problem) -> Tensor:
        return self.unroll(problem.adjoint, problem)
