"""Deep basis pursuit: a learned denoiser, and images that explain the data up to the noise."""

from __future__ import annotations

import dataclasses
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from reconic.operator import LinearSystem
from reconic.recons.base import Problem, Recon
from reconic.recons.blocks import DataConsistency, Denoise, run_pass
from reconic.recons.noise import noise_level
from reconic.systems import CartesianMRI, NonCartesianMRI

__all__ = ["DeepBasisPursuit"]


class _State(NamedTuple):
    """What ADMM iterates on, and whether a sample is done.

    Attributes:
        x: Images (batch, *in_shape).
        z: What the measurements could be, within ε of y (batch, *out_shape).
        u: Scaled dual variable of z = Ax (batch, *out_shape).
        done: Whether a sample has converged (batch).
    """

    x: Tensor
    z: Tensor
    u: Tensor
    done: Tensor


class DeepBasisPursuit(Recon):
    """x ← argmin ‖x - D(x)‖² with ‖y - Ax‖ ≤ ε, by ADMM, a number of times.

    Fits the data as well as their noise allows and not better: ε is the expected norm of the
    noise, σ times the root of the number of measurements. One pass is r = D(x), then repeatedly

        x ← (AᴴA + λI)⁻¹ (Aᴴ(z - u) + λr),  z ← y + P(Ax + u - y),  u ← u + Ax - z

    where P projects on the ball of radius ε. z and u are carried over to the next pass. Any λ leads
    to the same image, at its own speed: 1/λ is ADMM's penalty. At convergence the constraint holds,
    unless no image satisfies it.

    Args:
        network: Denoiser D, complex in, complex out; one for all passes.
        n_unrolls: Number of passes.
        n_admm: Largest number of ADMM iterations of a pass.
        sigma: Standard deviation of the complex noise, E|noise|² = σ², in the units of y. None
            estimates it for each sample from outer k-space, see `reconic.calibrate.noise_std`.
        lam: Weight λ at the start of training; learned, stays positive.
        cg_iter: Largest number of CG iterations of an ADMM iteration.
        cg_tol: Relative residual at which CG stops.
        admm_tol: A sample stops in a pass when ‖Ax - z‖ and ‖z - z_before‖ are at most this times
            ‖y‖; 0 runs all iterations.
        start: First image: the adjoint Aᴴy, as in the paper, or feasible, the smallest image that
            fits the data as well, which the network then learns from faster.
        checkpointing: Whether to keep only the results of each pass for back-propagation and to
            compute the rest again: memory of one pass, up to half more time.

    References:
        Tamir et al., Unsupervised deep basis pursuit, arXiv:1910.13110 (2019); Boyd et al.,
        Found. Trends Mach. Learn. 3:1 (2011), Sec. 3.1.1 (scaled ADMM).
    """

    def __init__(
        self,
        network: nn.Module,
        n_unrolls: int = 4,
        n_admm: int = 5,
        sigma: float | None = None,
        lam: float = 0.1,
        cg_iter: int = 8,
        cg_tol: float = 1e-4,
        admm_tol: float = 1e-3,
        start: Literal["adjoint", "feasible"] = "adjoint",
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        if n_unrolls < 1 or n_admm < 1:
            raise ValueError(
                f"DeepBasisPursuit: `n_unrolls` and `n_admm` must be at least 1, got {n_unrolls} "
                f"and {n_admm}."
            )
        if sigma is not None and sigma < 0:
            raise ValueError(f"DeepBasisPursuit: `sigma` must not be negative, got {sigma}.")
        self.n_unrolls = n_unrolls
        self.n_admm = n_admm
        self.sigma = sigma
        self.admm_tol = admm_tol
        self.start = start
        self.checkpointing = checkpointing
        self.denoise = Denoise(network)
        self.consistency = DataConsistency(lam, cg_iter, cg_tol)

    def reconstruct(self, problem: Problem) -> Tensor:
        epsilon = _noise_norm(problem, self.sigma)
        x = problem.adjoint
        z = problem.A(x)
        state = _State(x, z, torch.zeros_like(z), torch.zeros_like(epsilon, dtype=torch.bool))
        if self.start == "feasible":
            state = self._pursue(torch.zeros_like(x), state, problem, epsilon)
        for _ in range(self.n_unrolls):
            state = run_pass(self._pass, state, problem, epsilon, checkpointing=self.checkpointing)
            problem.show(state.x)
        problem.note("epsilon", epsilon * problem.scale)
        misfit = _norm(problem.y - problem.A(state.x.detach()), problem.A)
        problem.note("residual", misfit * problem.scale)
        return state.x

    def _pass(self, state: _State, problem: Problem, epsilon: Tensor) -> _State:
        return self._pursue(self.denoise(state.x, problem), state, problem, epsilon)

    def _pursue(self, r: Tensor, state: _State, problem: Problem, epsilon: Tensor) -> _State:
        """ADMM towards the image nearest to `r` that fits the data."""
        inner = dataclasses.replace(problem, report={})
        state = state._replace(done=torch.zeros_like(state.done))
        for _ in range(self.n_admm):
            state = self._iterate(state, r, inner, epsilon)
            if bool(state.done.all()):
                break
        n_cg = torch.stack(inner.report["n_cg"])
        problem.note("lam", self.consistency.lam())
        problem.note("n_cg", n_cg.sum())
        problem.note("n_admm", torch.tensor(len(n_cg)))
        return state

    def _iterate(self, state: _State, r: Tensor, problem: Problem, epsilon: Tensor) -> _State:
        A, y = problem.A, problem.y
        target = state.z - state.u
        around = dataclasses.replace(problem, y=target, adjoint=A.adjoint(target))
        x = self.consistency.solve(r, around, start=state.x)
        predicted = A(x)
        z = y + _into_ball(predicted + state.u - y, epsilon, A)
        new = _keep_done(state, _State(x, z, state.u + predicted - z, state.done))
        moved = torch.maximum(_norm(predicted - z, A), _norm(z - state.z, A))
        return new._replace(done=state.done | (moved <= self.admm_tol * _norm(y, A)))


def _keep_done(old: _State, new: _State) -> _State:
    def choose(a: Tensor, b: Tensor) -> Tensor:
        return torch.where(_spread(old.done, a.ndim - 1), a, b)

    return _State(*map(choose, old, new))


def _into_ball(v: Tensor, radius: Tensor, A: LinearSystem) -> Tensor:
    """Nearest point to v (batch, *out_shape) of the ball around zero of a radius (batch)."""
    norm = _norm(v, A)
    outside = norm > radius
    factor = torch.where(outside, radius / torch.where(outside, norm, 1.0), 1.0)
    return v * _spread(factor, len(A.out_shape))


def _noise_norm(problem: Problem, sigma: float | None) -> Tensor:
    """Expected norm ε (batch) of the noise, which a weight of the system weighs too."""
    A, y = problem.A, problem.y
    if sigma is not None:
        level = sigma / torch.as_tensor(problem.scale, device=y.device).expand(len(y))
    elif isinstance(A, CartesianMRI | NonCartesianMRI):
        level = noise_level(y, A, None, A.n_space)
    else:
        raise ValueError(
            f"DeepBasisPursuit: `sigma` must be given for {type(A).__name__}, got None: only of "
            "MRI is it known where its measurements are noise. Give the noise level."
        )
    return level * _norm(torch.where(y.detach().abs() > 0, A.sampling(y), 0.0), A)


def _norm(v: Tensor, A: LinearSystem) -> Tensor:
    """‖v‖₂ of each sample (batch) of measurements; its gradient at zero is zero."""
    return torch.linalg.vector_norm(v, dim=tuple(range(-len(A.out_shape), 0)))


def _spread(value: Tensor, n_core: int) -> Tensor:
    """(batch) as (batch, 1, …, 1)."""
    return value.reshape(*value.shape, *(1,) * n_core)
