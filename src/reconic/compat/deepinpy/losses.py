"""DeepInPy's losses: sums over an example, not relative to its size, averaged over the batch."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from reconic.operator import System
from reconic.train.losses import Loss

__all__ = ["SummedError", "SummedMisfit"]

Norm = Literal["l1", "l2"]


class SummedError(Loss):
    """Error of images, Σ|x̂ − x|² or Σ|x̂ − x|, in the unit of the data.

    Unlike `ComplexL2`, bright examples weigh more than dark ones, and large ones more than small
    ones; a gradient has the size that a step or a clipping value of DeepInPy is meant for.

    Args:
        norm: l2 for squares, l1 for magnitudes of the differences.
        magnitude: Whether to compare magnitude images, |x̂| and |x|.
    """

    def __init__(self, norm: Norm = "l2", magnitude: bool = False) -> None:
        super().__init__()
        self.norm: Norm = norm
        self.magnitude = magnitude

    def forward(self, x_hat: Tensor, x: Tensor, y: Tensor, A: System) -> Tensor:  # noqa: ARG002
        return _summed(x_hat, x, self.norm, self.magnitude)


class SummedMisfit(Loss):
    """Misfit to the measurements, Σ|A x̂ − y|² or Σ|A x̂ − y|; needs no true images.

    Args:
        norm: l2 for squares, l1 for magnitudes of the differences.
        magnitude: Whether to compare magnitudes, |A x̂| and |y|.
    """

    needs_truth = False

    def __init__(self, norm: Norm = "l2", magnitude: bool = False) -> None:
        super().__init__()
        self.norm: Norm = norm
        self.magnitude = magnitude

    def forward(self, x_hat: Tensor, x: Tensor, y: Tensor, A: System) -> Tensor:  # noqa: ARG002
        return _summed(A(x_hat), y, self.norm, self.magnitude)


def _summed(estimate: Tensor, reference: Tensor, norm: Norm, magnitude: bool) -> Tensor:
    if magnitude:
        estimate, reference = estimate.abs(), reference.abs()
    error = estimate - reference
    size = error.abs() if norm == "l1" else (error * error.conj()).real
    return size.flatten(1).sum(1).mean()
