"""Blocks that recons are chained from."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from reconic._array import needs_grad
from reconic.operator import Identity, LinearSystem
from reconic.recons.base import Block, Problem
from reconic.solvers import cg

__all__ = ["DataConsistency", "Denoise", "GradientStep", "Positive", "Unroll"]

T = TypeVar("T")


class Positive(nn.Module):
    """A learned number that stays positive, c exp(10 θ) with θ = 0 at the start.

    The ten lets an optimizer whose step suits a network's weights move the number within a short
    training: a step of 0.001 in θ changes it by one per cent.
    """

    def __init__(self, value: float, *, learned: bool = True) -> None:
        super().__init__()
        if not value > 0:
            raise ValueError(f"Positive: `value` must be positive, got {value}.")
        self.start = value
        self.theta = nn.Parameter(torch.zeros(()), requires_grad=learned)

    def forward(self) -> Tensor:
        """The number, 0-d."""
        return self.start * torch.exp(10 * self.theta)


class Denoise(Block):
    """x ← D(x), a network without physics.

    Args:
        network: Complex in, complex out, same shape (batch, *in_shape).
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, problem: Problem) -> Tensor:  # noqa: ARG002
        return self.network(x)


class DataConsistency(Block):
    """x ← argmin_z ‖Az - y‖² + λ‖z - x‖², which is (AᴴA + λI) z = Aᴴy + λx.

    Where AAᴴ is diagonal, d (one coil with maps of constant magnitude, and any map phase), this is
    z = x + Aᴴ((y - Ax) / (d + λ)); elsewhere, and where gradients by the forward model are asked
    for, it is solved by conjugate gradients.

    Args:
        lam: Weight λ at the start; stays positive.
        max_iter: Largest number of CG iterations, forward and backward.
        tol: Relative residual at which CG stops.
        learned: Whether λ is learned.
        precondition: Whether to solve with `A.preconditioner`; see `CGSense`.

    References:
        Aggarwal et al., MoDL, IEEE TMI 38:394 (2019), Eqs. 9 and 11.
    """

    def __init__(
        self,
        lam: float = 0.05,
        max_iter: int = 10,
        tol: float = 1e-4,
        learned: bool = True,
        precondition: bool = False,
    ) -> None:
        super().__init__()
        self.lam = Positive(lam, learned=learned)
        self.max_iter = max_iter
        self.tol = tol
        self.precondition = precondition

    def forward(self, x: Tensor, problem: Problem) -> Tensor:
        return self.solve(x, problem, x)

    def solve(self, x: Tensor, problem: Problem, start: Tensor) -> Tensor:
        """Same as `forward`, where CG starts at `start` instead of `x`."""
        lam = self.lam()
        problem.note("lam", lam)
        d = problem.A.outer_diagonal
        if d is not None and not needs_grad(*problem.A.arrays()):
            problem.note("n_cg", lam.new_zeros(()))
            return x + problem.A.adjoint((problem.y - problem.A(x)) / (d + lam))
        M = regularised_normal(problem.A, lam)
        b = problem.adjoint + lam * x
        precond = problem.A.preconditioner(lam) if self.precondition else None
        solution = cg(M, b, start.detach(), max_iter=self.max_iter, tol=self.tol, precond=precond)
        problem.note("n_cg", solution.n_iter)
        return solution.x


class GradientStep(Block):
    """x ← x - t Aᴴ(Ax - y), a gradient step on the data.

    Args:
        step_size: Step t at the start; stays positive. Below 2/‖A‖² the step is stable.
        learned: Whether t is learned.
    """

    def __init__(self, step_size: float = 1.0, learned: bool = True) -> None:
        super().__init__()
        self.step_size = Positive(step_size, learned=learned)

    def forward(self, x: Tensor, problem: Problem) -> Tensor:
        step = self.step_size()
        problem.note("step_size", step)
        return x - step * (problem.A.normal(x) - problem.adjoint)


class Unroll(Block):
    """Run a list of blocks, in order, n times.

    Args:
        blocks: Blocks of one pass.
        n: Number of passes.
        shared: Whether all passes share one set of weights; otherwise each has a copy of its own.
        checkpointing: Whether to keep only the image after each pass for back-propagation and to
            compute the rest again: memory of one pass, up to half more time.
    """

    def __init__(
        self, blocks: list[Block], n: int = 1, shared: bool = True, checkpointing: bool = False
    ) -> None:
        super().__init__()
        if n < 1 or not blocks:
            found = f"{n} and {len(blocks)} blocks"
            raise ValueError(f"Unroll: `n` and `blocks` must not be empty, got {found}.")
        self.checkpointing = checkpointing
        passes = blocks if shared else [copy.deepcopy(b) for _ in range(n) for b in blocks]
        self.blocks = nn.ModuleList(passes)
        self.repeats = n if shared else 1
        self.per_pass = len(blocks)

    def forward(self, x: Tensor, problem: Problem) -> Tensor:
        for _ in range(self.repeats):
            for first in range(0, len(self.blocks), self.per_pass):
                x = run_pass(self._pass, first, x, problem, checkpointing=self.checkpointing)
                problem.show(x)
        return x

    def _pass(self, first: int, x: Tensor, problem: Problem) -> Tensor:
        for block in self.blocks[first : first + self.per_pass]:
            x = block(x, problem)
        return x


def run_pass(step: Callable[..., T], *state: Any, checkpointing: bool) -> T:
    """`step(*state)`; if `checkpointing`, run a second time for the gradient instead of recorded.

    References:
        Chen et al., Training deep nets with sublinear memory cost, arXiv:1604.06174 (2016), Sec. 3.
    """
    if not (checkpointing and torch.is_grad_enabled()):
        return step(*state)
    return cast(T, checkpoint(step, *state, use_reentrant=False))


def regularised_normal(A: LinearSystem, lam: Tensor | float) -> LinearSystem:
    """AᴴA + λI as a system."""
    return A.N + lam * Identity(A.in_shape)
