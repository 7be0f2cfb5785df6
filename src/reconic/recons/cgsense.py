"""CG-SENSE and the zero-filled image, the references that learned recons are measured against."""

from __future__ import annotations

from torch import Tensor

from reconic.recons.base import Problem, Recon
from reconic.recons.blocks import Positive, regularised_normal
from reconic.solvers import cg

__all__ = ["CGSense", "ZeroFilled"]


class ZeroFilled(Recon):
    """x̂ = Aᴴy, the coil-combined image with zeros where nothing was measured."""

    def reconstruct(self, problem: Problem) -> Tensor:
        return problem.adjoint


class CGSense(Recon):
    """x̂ = argmin ‖Ax - y‖² + λ‖x‖², by conjugate gradients on (AᴴA + λI) x = Aᴴy.

    Args:
        lam: Weight λ, the one parameter; stays positive.
        max_iter: Largest number of CG iterations.
        tol: Relative residual at which CG stops.
        precondition: Whether to solve with `A.preconditioner`, which takes fewer iterations where
            a non-Cartesian trajectory is without density compensation.

    References:
        Pruessmann et al., MRM 46:638 (2001), Eq. 21.
    """

    def __init__(
        self,
        lam: float = 1e-3,
        max_iter: int = 30,
        tol: float = 1e-4,
        precondition: bool = False,
    ) -> None:
        super().__init__()
        self.lam = Positive(lam)
        self.max_iter = max_iter
        self.tol = tol
        self.precondition = precondition

    def reconstruct(self, problem: Problem) -> Tensor:
        lam = self.lam()
        M = regularised_normal(problem.A, lam)
        precond = problem.A.preconditioner(lam) if self.precondition else None
        solution = cg(M, problem.adjoint, max_iter=self.max_iter, tol=self.tol, precond=precond)
        problem.note("lam", lam)
        problem.note("n_cg", solution.n_iter)
        return solution.x
