"""Stein's unbiased risk estimate: the error of an image, from noisy measurements alone."""

from __future__ import annotations

import torch
from torch import Tensor

from reconic.operator import LinearSystem, System
from reconic.recons import Recon
from reconic.recons.draws import normal_like
from reconic.recons.noise import noise_level
from reconic.train.losses import KSpaceLoss, Loss, Step, abs2, or_one

__all__ = ["SURE"]

_AVG_POOL = {2: torch.nn.functional.avg_pool2d, 3: torch.nn.functional.avg_pool3d}


class SURE(Loss):
    """Unbiased estimate of the squared error of what an image would measure, ‖A x̂ - A x‖²_W.

    It is the misfit to the noisy measurements, corrected for the noise and for how much of it the
    estimate x̂ = f(y) follows,

        ‖Ax̂ - y‖²_W - σ² tr W + 2σ² Re⟨b, W A (f(y + εb) - f(y))⟩ / ε,

    with b white noise of unit variance, so that one more reconstruction gives the divergence.
    Relative to ‖y‖²_W. Its mean over noise and b is the squared error, up to the step ε. What A
    does not see adds nothing: it is learned from other examples, of which A sees other parts.

    Args:
        sigma: Standard deviation of the complex noise, E|noise|² = σ², in the units of y. None
            estimates it for each example from outer k-space, see `reconic.calibrate.noise_std`.
        window: Side of the window over which the density p of the samples is counted, for weights
            W = 1/p: in the mean over many sampling patterns, all of k-space then counts alike
            (ENSURE). 0 weighs all samples alike (SURE), or as the system's `dcf` does.
        step_size: Step ε in units of σ.
        n_space: Number of space axes.

    Raises:
        ValueError: If an argument is out of range.

    References:
        Stein, Ann. Statist. 9:1135 (1981), Theorem 1; Ramani et al., IEEE TIP 17:1540 (2008)
        (divergence by Monte Carlo); Metzler et al., arXiv:1805.10531 (2018) (as a training loss);
        Aggarwal et al., ENSURE, IEEE TMI 42:1133 (2023) (weights for an ensemble of samplings).
    """

    needs_truth = False

    def __init__(
        self,
        sigma: float | None = None,
        window: int = 0,
        step_size: float = 0.3,
        n_space: int = 2,
    ) -> None:
        super().__init__()
        if (sigma is not None and sigma < 0) or not step_size > 0:
            raise ValueError(
                "SURE: `sigma` must not be negative and `step_size` must be positive, got "
                f"{sigma} and {step_size}."
            )
        if window < 0 or (window and window % 2 == 0):
            raise ValueError(f"SURE: `window` must be odd, or 0 for no weights, got {window}.")
        self.sigma = sigma
        self.window = window
        self.step_size = step_size
        self.n_space = n_space

    def step(self, recon: Recon, x: Tensor | None, y: Tensor, A: LinearSystem) -> Step:  # noqa: ARG002
        sigma = noise_level(y, A, self.sigma, self.n_space)
        weights = self._weights(y, A)
        step = (self.step_size * sigma).clamp_min(torch.finfo(sigma.dtype).tiny)
        b = normal_like(y) * A.sampling(y)
        x_hat = recon(y, A)
        moved = recon(y + step.reshape(-1, *(1,) * (y.ndim - 1)) * b, A)
        divergence = _sum(weights * (b.conj() * A(moved - x_hat)).real) / step
        correction = sigma**2 * (
            2 * divergence - _sum((weights * A.sampling(y) ** 2).expand(y.shape))
        )
        scale = or_one(_sum(weights * abs2(y)))
        misfit = _sum(weights * abs2(A(x_hat) - y))
        terms = {"fit": (misfit / scale).mean(), "correction": (correction / scale).mean()}
        self.report = {name: value.detach() for name, value in terms.items()}
        return Step(x_hat, terms["fit"] + terms["correction"])

    def forward(self, x_hat: Tensor, x: Tensor | None, y: Tensor, A: System) -> Tensor:
        """Misfit without weights and correction, which need more than an image."""
        return KSpaceLoss()(x_hat, x, y, A)

    def _weights(self, y: Tensor, A: LinearSystem) -> Tensor:
        """Weights W, zero where nothing is measured; they broadcast against y."""
        sampled = (A.sampling(y) > 0).to(y.real.dtype)
        if not self.window:
            return sampled
        if A.radius(y) is not None:
            raise ValueError(
                f"SURE: `window` must be 0 for {type(A).__name__}, got {self.window}: its samples "
                "lie on no grid to count them on. Density weights `dcf` of the data do the same."
            )
        space = sampled.shape[-self.n_space :]
        sides = [self.window if n > 1 else 1 for n in space]
        density = _AVG_POOL[self.n_space](
            sampled.reshape(-1, 1, *space),
            sides,
            stride=1,
            padding=[side // 2 for side in sides],
            count_include_pad=False,
        ).reshape(sampled.shape)
        return sampled / or_one(density)


def _sum(value: Tensor) -> Tensor:
    return value.flatten(1).sum(1)
