"""Compressed sensing: a classical prior and no training, by FISTA."""

from __future__ import annotations

import torch
from torch import Tensor

from reconic.priors import Prior
from reconic.recons.base import Problem, Recon
from reconic.recons.blocks import Positive
from reconic.solvers import fista, operator_norm

__all__ = ["CompressedSensing", "safe_step"]


class CompressedSensing(Recon):
    """x̂ = argmin ½‖Ax - y‖² + λ g(x), with a classical prior g, by FISTA.

    Without training, choose λ; trained, λ is the one parameter. Where A sees nothing at all (Aᴴy is
    exactly zero, as outside the support of coil maps) the prior would continue the image as it
    likes; there it is set to zero.

    Args:
        prior: Prior g: Wavelet, CycleSpin of a Wavelet, TV, LocallyLowRank …
        lam: Weight λ, for images of a typical magnitude of one; stays positive.
        max_iter: Largest number of iterations.
        tol: Relative change of the image at which FISTA stops; 0 runs all iterations.

    References:
        Lustig et al., Sparse MRI, MRM 58:1182 (2007), Eq. 3, in its unconstrained form.
        Beck & Teboulle, SIAM J. Imaging Sci. 2:183 (2009), Eqs. 4.1-4.3.
    """

    def __init__(
        self, prior: Prior, lam: float = 0.02, max_iter: int = 100, tol: float = 1e-3
    ) -> None:
        super().__init__()
        self.prior = prior
        self.lam = Positive(lam)
        self.max_iter = max_iter
        self.tol = tol

    def reconstruct(self, problem: Problem) -> Tensor:
        lam = self.lam()
        solution = fista(
            problem.A.N,
            problem.adjoint,
            lambda x, step: self.prior.prox(x, lam * step),
            step=safe_step(problem),
            max_iter=self.max_iter,
            tol=self.tol,
        )
        problem.note("lam", lam)
        problem.note("n_fista", solution.n_iter)
        return solution.x * (problem.adjoint != 0)


def safe_step(problem: Problem) -> Tensor:
    """Step size (batch) of about 1/‖A‖², at which gradient steps converge; no gradient.

    Power iteration finds ‖A‖ from below, to about a per cent, which the factor makes up for.
    """
    with torch.no_grad():
        norm = operator_norm(problem.A, problem.adjoint, max_iter=30, tol=1e-3)
        return 0.95 / torch.where(norm > 0, norm, torch.ones_like(norm)).square()
