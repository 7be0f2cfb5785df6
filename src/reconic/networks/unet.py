"""A U-Net for images of any size."""

import itertools
from typing import get_args

import torch
from torch import Tensor

from reconic.networks.base import Compute, Network, check_kernel, check_positive
from reconic.networks.layers import AVG_POOL, CONV, CONV_TRANSPOSE, Norm, make_norm, zero


class UNet(Network):
    """Residual U-Net, x + f(x), for images of any size.

    Each level has two convolutions with ReLUs; the next one halves the image by averaging, rounding
    odd sizes up, and doubles the width. On the way back transposed convolutions double the image,
    which is cropped to the size it had and joined with the features of that level. A final 1x1
    convolution gives the image. Images are continued by zeros.

    Args:
        channels: Number of complex images that are seen together (sets of maps, frames).
        width: Real channels of the finest level.
        n_levels: Number of resolutions, the full one included.
        kernel: Side of the convolutions, odd.
        norm: Normalisation after each convolution but the last. With "none" (and no bias) a scaled
            image gives an equally scaled result.
        bias: Whether convolutions that no normalisation follows add a constant.
        residual: Whether the input is added to the result.
        zero_init: Whether the last convolution starts at zero, so that a residual network starts
            as the identity.
        n_space: Number of space axes, 2 or 3.
        compute: Precision, compilation and memory layout; None takes the defaults.

    References:
        Ronneberger et al., U-Net, MICCAI (2015), Fig. 1.
    """

    def __init__(
        self,
        channels: int = 1,
        width: int = 32,
        n_levels: int = 4,
        kernel: int = 3,
        norm: Norm = "none",
        bias: bool = True,
        residual: bool = True,
        zero_init: bool = True,
        n_space: int = 2,
        compute: Compute | None = None,
    ) -> None:
        super().__init__(channels, n_space, compute)
        check_positive(self, width=width, n_levels=n_levels)
        check_kernel(self, kernel)
        if norm not in get_args(Norm):
            raise ValueError(
                f"UNet: `norm` must be one of {get_args(Norm)}, got {norm!r}. "
                "Use 'none' to keep the scale of the image."
            )
        self.residual = residual

        def double(n_in: int, n_out: int) -> torch.nn.Sequential:
            return _double_conv(n_in, n_out, kernel, norm, bias, n_space)

        def up(n_in: int, n_out: int) -> torch.nn.Module:
            return CONV_TRANSPOSE[n_space](n_in, n_out, 2, stride=2, bias=bias)

        widths = [width * 2**level for level in range(n_levels)]
        pairs = list(itertools.pairwise(widths))  # (finer, coarser)
        self.first = double(2 * channels, width)
        self.down = torch.nn.ModuleList(double(fine, coarse) for fine, coarse in pairs)
        self.up = torch.nn.ModuleList(up(coarse, fine) for fine, coarse in reversed(pairs))
        self.join = torch.nn.ModuleList(double(2 * fine, fine) for fine, _ in reversed(pairs))
        self.last = CONV[n_space](width, 2 * channels, 1, bias=bias)
        if zero_init:
            zero(self.last)

    def features(self, real: Tensor) -> Tensor:
        hidden = self.first(real)
        skips = []
        for down in self.down:
            skips.append(hidden)
            hidden = down(_halve(hidden))
        for up, join in zip(self.up, self.join, strict=True):
            skip = skips.pop()
            hidden = join(torch.cat([skip, _crop(up(hidden), skip)], dim=1))
        result = self.last(hidden)
        return real + result if self.residual else result


def _double_conv(
    n_in: int, n_out: int, kernel: int, norm: Norm, bias: bool, n_space: int
) -> torch.nn.Sequential:
    layers: list[torch.nn.Module] = []
    for n in (n_in, n_out):
        conv = CONV[n_space](n, n_out, kernel, padding=kernel // 2, bias=bias and norm == "none")
        layers += [conv, make_norm(norm, n_out, n_space), torch.nn.ReLU(inplace=True)]
    return torch.nn.Sequential(*layers)


def _halve(x: Tensor) -> Tensor:
    """Mean of each block of two samples per axis; the last block of an odd axis has one."""
    sides = [min(2, n) for n in x.shape[2:]]  # torch refuses a block larger than the image
    return AVG_POOL[len(sides)](x, sides, ceil_mode=True)


def _crop(x: Tensor, like: Tensor) -> Tensor:
    """First samples of `x` along each space axis, as many as `like` has."""
    for axis in range(2, x.ndim):
        x = x.narrow(axis, 0, like.shape[axis])
    return x
