"""Variational networks: steps down the slope of the data, each with a network of its own."""

from __future__ import annotations

import copy
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn

from reconic.operator import LinearSystem
from reconic.recons.base import Problem, Recon
from reconic.recons.blocks import Positive, run_pass
from reconic.recons.sensitivity import SensitivityNetwork
from reconic.systems import CartesianMRI

__all__ = ["VarNet"]

Domain = Literal["kspace", "image"]


class VarNet(Recon):
    """Cascades of a gradient step on the data and a refinement G by a network.

    In k-space, end to end: k ← k - η M (k - y) + F S G(Sᴴ F⁻¹ k) from k = y, and x̂ = Sᴴ F⁻¹ k. For
    other systems, in the image: x ← x - η Aᴴ(Ax - y) + G(x) from x = Aᴴy. The networks are residual
    ones, D(x) = x + G(x). M is where k-space is measured, S the maps over their sum of squares.

    With a sensitivity network the maps are learned as well, and those of the system are not looked
    at; the image is then right in magnitude alone, so train with a loss on magnitudes.

    Args:
        network: D, complex in, complex out. Every cascade has a copy of its own.
        n_cascades: Number of cascades.
        step_size: Step η at the start of training; each cascade learns its own, positive.
        sensitivity: Estimates the maps; None takes those of the system.
        domain: Where to refine: "kspace", for `CartesianMRI`, or "image", for every system.
        shared: Whether all cascades share one network and one step.
        checkpointing: Whether to keep only the cascades' results for back-propagation and to
            compute the rest again: less memory, up to half more time.

    References:
        Sriram et al., End-to-end variational networks, MICCAI (2020), Sec. 3; Hammernik et al.,
        MRM 79:3055 (2018), Eq. 7 (in the image).
    """

    def __init__(
        self,
        network: nn.Module,
        n_cascades: int = 8,
        step_size: float = 1.0,
        sensitivity: SensitivityNetwork | None = None,
        domain: Domain = "kspace",
        shared: bool = False,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        if n_cascades < 1:
            raise ValueError(f"VarNet: `n_cascades` must be at least 1, got {n_cascades}.")
        if domain not in get_args(Domain):
            raise ValueError(f"VarNet: `domain` must be one of {get_args(Domain)}, got {domain!r}.")
        cascade = _KspaceCascade if domain == "kspace" else _ImageCascade
        own = [network, *(copy.deepcopy(network) for _ in range(0 if shared else n_cascades - 1))]
        self.cascades = nn.ModuleList(cascade(n, step_size) for n in own)
        self.n_cascades = n_cascades
        self.sensitivity = sensitivity
        self.domain = domain
        self.checkpointing = checkpointing

    def system(self, y: Tensor, A: LinearSystem) -> LinearSystem:
        return A if self.sensitivity is None else self.sensitivity(y, A)

    def reconstruct(self, problem: Problem) -> Tensor:
        if self.domain == "kspace":
            return self._in_kspace(problem)
        x = problem.adjoint
        for i in range(self.n_cascades):
            cascade = self.cascades[i % len(self.cascades)]
            x = run_pass(cascade, x, problem, checkpointing=self.checkpointing)
            problem.show(x)
        return x

    def _in_kspace(self, problem: Problem) -> Tensor:
        kspace = _Kspace.of(problem)
        k = problem.y
        for i in range(self.n_cascades):
            cascade = self.cascades[i % len(self.cascades)]
            k = run_pass(cascade, k, problem, kspace, checkpointing=self.checkpointing)
            if problem.passes is not None:
                problem.show(kspace.image(k))
        return kspace.image(k)


class _Kspace(NamedTuple):
    """Between images and the full k-space of all coils.

    Attributes:
        full: The system, measuring everything.
        power: Sum of squares of the maps, one where it is zero.
        sampled: Where k-space is measured.
    """

    full: CartesianMRI
    power: Tensor
    sampled: Tensor

    @classmethod
    def of(cls, problem: Problem) -> _Kspace:
        A = problem.A
        if not isinstance(A, CartesianMRI):
            raise TypeError(
                f"VarNet: the system must be CartesianMRI to refine in k-space, got "
                f'{type(A).__name__}. Use domain="image".'
            )
        power = A.maps.abs().square().sum(-A.n_space - A.n_frame_axes - 1)
        power = torch.where(power > 0, power, 1.0)
        full = A.replace(mask=torch.ones_like(A.mask))
        return cls(full, power, (A.sampling(problem.y) > 0).to(A.mask.dtype))

    def image(self, k: Tensor) -> Tensor:
        """Coils combined, S Σ-normalised: Sᴴ F⁻¹ k."""
        return self.full.adjoint(k) / self.power


class _Cascade(nn.Module):
    def __init__(self, network: nn.Module, step_size: float) -> None:
        super().__init__()
        self.network = network
        self.step_size = Positive(step_size)

    def step(self, problem: Problem) -> Tensor:
        step = self.step_size()
        problem.note("step_size", step)
        return step


class _ImageCascade(_Cascade):
    def forward(self, x: Tensor, problem: Problem) -> Tensor:
        slope = problem.A.normal(x) - problem.adjoint
        return self.network(x) - self.step(problem) * slope


class _KspaceCascade(_Cascade):
    def forward(self, k: Tensor, problem: Problem, kspace: _Kspace) -> Tensor:
        x = kspace.image(k)
        slope = kspace.sampled * (k - problem.y)
        return k - self.step(problem) * slope + kspace.full(self.network(x) - x)
