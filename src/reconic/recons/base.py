"""What a Recon and a block are: measurements and a forward model in, an image out."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from reconic.operator import LinearSystem

__all__ = ["Block", "Problem", "Recon", "typical_magnitude"]


@dataclass(frozen=True)
class Problem:
    """One batch to reconstruct, scaled so that Aᴴy has a typical magnitude of one.

    Attributes:
        y: Measurements (batch, *A.out_shape).
        A: Forward model.
        adjoint: Aᴴy (batch, *A.in_shape).
        report: What blocks did, by name, one entry per call; averaged and logged by the engine.
    """

    y: Tensor
    A: LinearSystem
    adjoint: Tensor
    report: dict[str, list[Tensor]] = field(default_factory=dict)

    def note(self, name: str, value: Tensor) -> None:
        """Add a number to the report."""
        self.report.setdefault(name, []).append(value.detach().float().mean())


class Block(nn.Module):
    """A step of a reconstruction: maps an image and the problem to a better image."""

    def forward(self, x: Tensor, problem: Problem) -> Tensor:
        """Next image (batch, *A.in_shape) from `x` of the same shape."""
        raise NotImplementedError


class Recon(nn.Module):
    """Maps measurements y and a forward model A to an image x̂; its parameters are what is learned.

    A subclass writes `reconstruct(problem)`. Data reach it divided by `typical_magnitude(Aᴴy)` per
    sample and its image is multiplied back, so a recon treats data of any scale alike, in training
    and in use.

    Attributes:
        report: What the last call did ("n_cg", "lam", …), detached scalars.
    """

    def __init__(self) -> None:
        super().__init__()
        self.report: dict[str, Tensor] = {}

    def forward(self, y: Tensor, A: LinearSystem) -> Tensor:
        """Image (batch, *A.in_shape) from measurements (batch, *A.out_shape)."""
        adjoint = A.adjoint(y)
        n_core = len(A.in_shape)
        scale = typical_magnitude(adjoint, n_core)
        to_y = scale.reshape(*scale.shape, *(1,) * len(A.out_shape))
        to_x = scale.reshape(*scale.shape, *(1,) * n_core)
        problem = Problem(y / to_y, A, adjoint / to_x)
        x = self.reconstruct(problem) * to_x
        self.report = {name: torch.stack(v).mean() for name, v in problem.report.items()}
        return x

    def reconstruct(self, problem: Problem) -> Tensor:
        """Image (batch, *A.in_shape) of a problem of unit scale."""
        raise NotImplementedError


def typical_magnitude(x: Tensor, n_core: int) -> Tensor:
    """Intensity-weighted mean magnitude Σ|x|² / Σ|x| of each sample, whatever its background.

    Args:
        x: Images (batch, *core).
        n_core: Number of axes of one sample.

    Returns:
        Positive numbers (batch); one for a sample that is zero. No gradient flows through them.
    """
    magnitude = x.detach().abs()
    core = tuple(range(-n_core, 0))
    total = magnitude.sum(core)
    mean = magnitude.square().sum(core) / total.clamp_min(torch.finfo(total.dtype).tiny)
    return torch.where(mean > 0, mean, torch.ones_like(mean))
