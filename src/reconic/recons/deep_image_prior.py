"""Deep image prior: the image is the output of an untrained network, fitted to one scan."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from reconic.operator import LinearSystem
from reconic.recons.base import Problem, Recon
from reconic.recons.blocks import DataConsistency
from reconic.recons.fitting import Fitted, Patience, fit_each, fit_scan, learning
from reconic.recons.splitting import Part, mixed_misfit, restrict, split

__all__ = ["DeepImagePrior"]


class DeepImagePrior(Recon):
    """x̂ = D_θ(z) with noise z, and θ fitted to make A D_θ(z) like y, from its random start.

    A convolutional network takes up the image before it takes up the noise, so there is a time to
    stop. It is found by held-out samples, for the running mean of the images, which has less noise
    than any of them. Last, all samples correct that mean, argmin_x ‖Ax - y‖² + λ‖x - D‖²: what the
    network had not yet learned of them, and the held-out ones, come in.

    Args:
        network: Complex in, complex out, such as `Hourglass`; without a residual connection, or
            the image has z in it. It starts in the state it is in.
        n_steps: Largest number of steps.
        lr: Step of Adam.
        holdout: Part of the samples that is held out to judge.
        jitter: Standard deviation of noise that is added to z in each step; z has 1.
        memory: Steps over which images are averaged.
        lam: Weight λ of the last correction; null leaves it out.
        n_calib: Side of the centre of k-space of which no sample is held out.
        every: Steps between two looks at the held-out samples.
        patience: Looks without an improvement after which the fit stops.
        n_space: Number of space axes.
        seed: Seed of z, the jitter and the held-out samples.

    Raises:
        ValueError: If an argument is out of range.

    References:
        Ulyanov, Vedaldi & Lempitsky, Deep image prior, CVPR (2018), Eq. 2 and supplement (noise on
        z, running mean).
    """

    fits_each_scan = True

    def __init__(
        self,
        network: nn.Module,
        n_steps: int = 1000,
        lr: float = 0.01,
        holdout: float = 0.05,
        jitter: float = 0.03,
        memory: int = 20,
        lam: float | None = 0.5,
        n_calib: int = 4,
        every: int = 20,
        patience: int = 10,
        n_space: int = 2,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if lam is not None and lam <= 0:
            raise ValueError(
                f"DeepImagePrior: `lam` must be positive, got {lam}. Use null for no correction."
            )
        if jitter < 0 or memory < 1 or not 0 < holdout < 1:
            raise ValueError(
                "DeepImagePrior: `jitter` must not be negative, `memory` be at least 1 and "
                f"`holdout` between 0 and 1, got {jitter}, {memory} and {holdout}."
            )
        self.network = network
        self.plan = Patience(n_steps, lr, every, patience)
        self.holdout = holdout
        self.jitter = jitter
        self.memory = memory
        self.consistency = None if lam is None else DataConsistency(lam, 20, learned=False)
        self.n_calib = n_calib
        self.n_space = n_space
        self.seed = seed

    def reconstruct(self, problem: Problem) -> Tensor:
        x = fit_each(problem, self._fit)
        problem.show(x)
        if self.consistency is not None:
            x = self.consistency(x, problem)
            problem.show(x)
        return x

    def _fit(self, y: Tensor, A: LinearSystem) -> Fitted[Tensor]:
        generator = torch.Generator().manual_seed(self.seed)
        with learning():
            kept, held = split(y, A, self.holdout, self.n_calib, self.n_space, generator)
            return self._train(restrict(y, A, kept), restrict(y, A, held), generator)

    def _train(self, given: Part, judge: Part, generator: torch.Generator) -> Fitted[Tensor]:
        network = copy.deepcopy(self.network).train()
        adjoint = given.A.adjoint(given.y)
        seen = adjoint != 0  # elsewhere, beyond the support of coil maps, nothing would be fitted
        z = _noise(adjoint, generator)
        mean = network(z).detach() * seen

        def loss() -> Tensor:
            x = network(z + self.jitter * _noise(z, generator)) * seen
            mean.lerp_(x.detach(), 1 / self.memory)
            return mixed_misfit(x, *given).mean()

        def look() -> tuple[float, Tensor]:
            return float(mixed_misfit(mean, *judge).mean()), mean.clone()

        return fit_scan(network.parameters(), loss, look, self.plan)


def _noise(like: Tensor, generator: torch.Generator) -> Tensor:
    """Complex noise of unit variance, the same on every device."""
    noise = torch.randn(like.shape, dtype=like.dtype, generator=generator)
    return noise.to(like.device)
