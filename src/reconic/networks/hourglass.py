"""The hourglass of the deep image prior: a network whose output is smooth before it is trained."""

from __future__ import annotations

import torch
from torch import Tensor

from reconic.networks.base import Network, check_kernel, check_positive
from reconic.networks.layers import AVG_POOL, CONV, make_norm

__all__ = ["Hourglass"]

_LINEAR = {2: "bilinear", 3: "trilinear"}


class Hourglass(Network):
    """Encoder and decoder of one width, joined by few skip channels, for images of any size.

    Upsampling is linear: transposed convolutions would leave a pattern of period two, which lies at
    the edge of k-space, where measurements often do not tell of it.

    Args:
        channels: Number of complex images that are seen together (sets of maps, frames).
        width: Real channels of all levels.
        n_levels: Number of times the image is halved.
        n_skip: Real channels that lead from each level of the encoder to the decoder.
        kernel: Side of the convolutions, odd.
        n_space: Number of space axes, 2 or 3.

    References:
        Ulyanov, Vedaldi & Lempitsky, Deep image prior, CVPR (2018), supplement (architecture).
    """

    def __init__(
        self,
        channels: int = 1,
        width: int = 32,
        n_levels: int = 4,
        n_skip: int = 4,
        kernel: int = 3,
        n_space: int = 2,
    ) -> None:
        super().__init__(channels, n_space)
        check_positive(self, width=width, n_levels=n_levels, n_skip=n_skip)
        check_kernel(self, kernel)

        def unit(n_in: int, n_out: int, side: int) -> torch.nn.Sequential:
            return _unit(n_in, n_out, side, n_space)

        ends = [2 * channels, *[width] * n_levels]
        self.down = torch.nn.ModuleList(unit(n, width, kernel) for n in ends[:-1])
        self.skip = torch.nn.ModuleList(unit(n, n_skip, 1) for n in ends[:-1])
        self.up = torch.nn.ModuleList(unit(width + n_skip, width, kernel) for _ in range(n_levels))
        self.last = CONV[n_space](width, 2 * channels, 1)

    def features(self, real: Tensor) -> Tensor:
        skips = []
        hidden = real
        for down, skip in zip(self.down, self.skip, strict=True):
            skips.append(skip(hidden))
            hidden = down(_halve(hidden))
        for up in self.up:
            beside = skips.pop()
            hidden = torch.nn.functional.interpolate(
                hidden, beside.shape[2:], mode=_LINEAR[self.n_space], align_corners=False
            )
            hidden = up(torch.cat([hidden, beside], dim=1))
        return self.last(hidden)


def _unit(n_in: int, n_out: int, kernel: int, n_space: int) -> torch.nn.Sequential:
    conv = CONV[n_space](n_in, n_out, kernel, padding=kernel // 2, bias=False)
    norm = make_norm("instance", n_out, n_space)
    return torch.nn.Sequential(conv, norm, torch.nn.LeakyReLU(0.2, inplace=True))


def _halve(x: Tensor) -> Tensor:
    """Mean of each block of two samples per axis; the last block of an odd axis has one."""
    sides = [min(2, n) for n in x.shape[2:]]
    return AVG_POOL[len(sides)](x, sides, ceil_mode=True)
