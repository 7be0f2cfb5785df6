"""The denoising objective: trains the denoiser of a recon on noisy images, without physics."""

from __future__ import annotations

import torch
from torch import Tensor

from reconic.operator import LinearSystem, System
from reconic.recons import Denoise, Recon
from reconic.recons.base import typical_magnitude
from reconic.recons.draws import normal_like, uniform
from reconic.train.losses import ComplexL2, Loss, Step

__all__ = ["Denoising"]


class Denoising(Loss):
    """Noise energy that the recon's denoiser D leaves, ‖D(x + n) - x‖₂² / E‖n‖₂².

    Trains the network of a recon's one `Denoise` block alone: for plug-and-play, and to begin deep
    equilibrium or unrolled recons with. Images have the scale at which the recon sees them; the
    noise is complex Gaussian, its level σ drawn anew for each image, uniformly in log σ, so that
    one denoiser serves a range. In validation the whole recon is judged, by `ComplexL2`.

    Args:
        sigma_min: Smallest σ, relative to the typical magnitude of Aᴴy; E|n|² = σ².
        sigma_max: Largest σ.

    Raises:
        ValueError: If not 0 < sigma_min ≤ sigma_max.

    References:
        Zhang et al., DnCNN, IEEE TIP 26:3142 (2017), Eq. 1, for a range of σ as in its Sec. III.
    """

    def __init__(self, sigma_min: float = 0.02, sigma_max: float = 0.2) -> None:
        super().__init__()
        if not 0 < sigma_min <= sigma_max:
            raise ValueError(
                "Denoising: `sigma_min` must be positive and at most `sigma_max`, got "
                f"{sigma_min} and {sigma_max}. 0.02 and 0.2 suit images of any scale."
            )
        self.sigma_min = sigma_min
        self.sigma_max = sigma_max
        self.of_recon = ComplexL2()

    def step(self, recon: Recon, x: Tensor | None, y: Tensor, A: LinearSystem) -> Step:
        if x is None:
            raise ValueError("Denoising: the data must have true images, got none. Add `imgs`.")
        to_x = (-1, *(1,) * (x.ndim - 1))
        scale = typical_magnitude(A.adjoint(y), len(A.in_shape)).reshape(to_x)
        spread = uniform((len(x),), x.device).reshape(to_x)
        sigma = self.sigma_min * (self.sigma_max / self.sigma_min) ** spread
        noisy = x / scale + sigma * normal_like(x)  # complex: of unit variance
        x_hat = _denoiser(recon)(noisy)
        left = torch.view_as_real((x_hat - x / scale) / sigma).square()
        return Step(x_hat * scale, left.sum() / x.numel())

    def forward(self, x_hat: Tensor, x: Tensor, y: Tensor, A: System) -> Tensor:
        return self.of_recon(x_hat, x, y, A)


def _denoiser(recon: Recon) -> torch.nn.Module:
    found = [block.network for block in recon.modules() if isinstance(block, Denoise)]
    if len(found) != 1:
        raise ValueError(
            f"Denoising: the recon must have one `Denoise` block, got {len(found)} in "
            f"{type(recon).__name__}. Use PlugAndPlay, MoDL or DeepEquilibrium."
        )
    return found[0]
