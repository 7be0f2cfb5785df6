"""What a Recon and a block are: measurements and a forward model in, an image out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

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
        scale: What the data were divided by, (batch) or one number.
        report: What blocks did, by name, one entry per call; averaged and logged by the engine.
        passes: Images after each pass, kept only if it is a list (`Recon.trace`).
    """

    y: Tensor
    A: LinearSystem
    adjoint: Tensor
    scale: Tensor | float = 1.0
    report: dict[str, list[Tensor]] = field(default_factory=dict)
    passes: list[Tensor] | None = None

    def note(self, name: str, value: Tensor) -> None:
        """Add a number to the report."""
        self.report.setdefault(name, []).append(value.detach().float().mean())

    def show(self, x: Tensor) -> None:
        """Keep the image after a pass, if someone asked to see it."""
        if self.passes is not None:
            self.passes.append(x.detach())


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
        report: What the last call did ("n_cg", "lam", …), detached scalars; where a name was noted
            more than once, its mean, and "name/0", "name/1", … for each pass.
        fits_each_scan: Whether the recon learns from each scan alone, while it reconstructs it, so
            that there is nothing to train before.
    """

    fits_each_scan: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self.report: dict[str, Tensor] = {}

    def forward(self, y: Tensor, A: LinearSystem) -> Tensor:
        """Image (batch, *A.in_shape) from measurements (batch, *A.out_shape)."""
        return self._run(y, A, None)

    def trace(self, y: Tensor, A: LinearSystem) -> list[Tensor]:
        """Images (batch, *A.in_shape) after each pass, the last one the result; no gradient."""
        passes: list[Tensor] = []
        with torch.no_grad():
            x = self._run(y, A, passes)
        return passes or [x]

    def system(self, y: Tensor, A: LinearSystem) -> LinearSystem:  # noqa: ARG002
        """Forward model to reconstruct with: `A`, unless a recon learns a part of it."""
        return A

    def unit(self, adjoint: Tensor, n_core: int) -> Tensor:
        """What data are divided by before `reconstruct` sees them, (batch)."""
        return typical_magnitude(adjoint, n_core)

    def _run(self, y: Tensor, A: LinearSystem, passes: list[Tensor] | None) -> Tensor:
        A = self.system(y, A)
        adjoint = A.adjoint(y)
        n_core = len(A.in_shape)
        scale = self.unit(adjoint, n_core)
        to_y = scale.reshape(*scale.shape, *(1,) * len(A.out_shape))
        to_x = scale.reshape(*scale.shape, *(1,) * n_core)
        problem = Problem(y / to_y, A, adjoint / to_x, scale, passes=passes)
        x = self.reconstruct(problem) * to_x
        if passes is not None:
            passes[:] = [p * to_x for p in passes]
        self.report = _summary(problem.report)
        return x

    def reconstruct(self, problem: Problem) -> Tensor:
        """Image (batch, *A.in_shape) of a problem of unit scale."""
        raise NotImplementedError


def _summary(report: dict[str, list[Tensor]]) -> dict[str, Tensor]:
    means = {name: torch.stack(v).mean() for name, v in report.items()}
    each = {f"{n}/{i}": v for n, vs in report.items() if len(vs) > 1 for i, v in enumerate(vs)}
    return means | each


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
