"""Layers that the networks share, for two and for three space axes."""

from typing import Literal

import torch
from torch import Tensor

Norm = Literal["none", "batch", "group", "instance"]

CONV = {2: torch.nn.Conv2d, 3: torch.nn.Conv3d}
CONV_TRANSPOSE = {2: torch.nn.ConvTranspose2d, 3: torch.nn.ConvTranspose3d}
AVG_POOL = {2: torch.nn.functional.avg_pool2d, 3: torch.nn.functional.avg_pool3d}
BATCH_NORM = {2: torch.nn.BatchNorm2d, 3: torch.nn.BatchNorm3d}


class ReflectionPad(torch.nn.Module):
    """Extend an image by its mirror image, without repeating the edge, whatever its size.

    Where the image is smaller than the padding, the reflections are reflected again, as
    `numpy.pad(mode="reflect")` does; torch's own padding stops there.

    Args:
        width: Number of samples to add at each side of each space axis.
        n_space: Number of space axes.
    """

    def __init__(self, width: int, n_space: int) -> None:
        super().__init__()
        self.width = width
        self.n_space = n_space

    def forward(self, x: Tensor) -> Tensor:  # (batch, channels, *space)
        if self.width < min(x.shape[2:]):
            return torch.nn.functional.pad(x, (self.width,) * 2 * self.n_space, mode="reflect")
        for axis in range(2, x.ndim):
            x = x.index_select(axis, _reflected_index(x.shape[axis], self.width, x.device))
        return x


def _reflected_index(n: int, width: int, device: torch.device) -> Tensor:
    """Indices 0 ... n - 1 continued by `width` at both ends as a triangle wave of period 2n - 2."""
    period = max(2 * n - 2, 1)
    phase = torch.arange(-width, n + width, device=device) % period
    return torch.minimum(phase, period - phase) if n > 1 else phase


def make_norm(norm: Norm, width: int, n_space: int) -> torch.nn.Module:
    """Normalisation layer over `width` channels; "group" takes groups of 8 channels."""
    if norm == "none":
        return torch.nn.Identity()
    if norm == "batch":
        return BATCH_NORM[n_space](width)
    return torch.nn.GroupNorm(width if norm == "instance" else max(width // 8, 1), width)


def zero(layer: torch.nn.Module) -> None:
    """Set all parameters of `layer` to zero."""
    for parameter in layer.parameters():
        torch.nn.init.zeros_(parameter)
