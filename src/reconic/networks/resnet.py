"""A residual network of pre-activation blocks."""

import itertools

import torch
from torch import Tensor

from reconic.networks.base import Compute, Network, check_kernel, check_positive
from reconic.networks.layers import BATCH_NORM, CONV, ReflectionPad, zero


class ResNetBlock(torch.nn.Module):
    """Pre-activation block: [BN] ReLU conv [BN] ReLU conv + skip, without biases.

    The skip is the identity or, where the block begins or ends a network, a 1x1 convolution.

    Args:
        n_in: Real channels of the input.
        width: Real channels between the two convolutions.
        n_out: Real channels of the result.
        kernel: Side of the convolutions, odd.
        batch_norm: Whether to normalise before each ReLU.
        inner_relu: Whether the second ReLU is there.
        project: Whether the skip is a convolution; it must be if `n_in` and `n_out` differ.
        n_space: Number of space axes, 2 or 3.

    References:
        He et al., Identity mappings in deep residual networks, ECCV (2016), Fig. 4e.
    """

    def __init__(
        self,
        n_in: int,
        width: int,
        n_out: int,
        *,
        kernel: int,
        batch_norm: bool,
        inner_relu: bool,
        project: bool,
        n_space: int,
    ) -> None:
        super().__init__()
        conv, norm = CONV[n_space], BATCH_NORM[n_space]
        self.pad = ReflectionPad(kernel // 2, n_space)
        self.conv0 = conv(n_in, n_out, 1, bias=False) if project else torch.nn.Identity()
        self.conv1 = conv(n_in, width, kernel, bias=False)
        self.conv2 = conv(width, n_out, kernel, bias=False)
        self.bn1 = norm(n_in) if batch_norm else torch.nn.Identity()
        self.bn2 = norm(width) if batch_norm else torch.nn.Identity()
        self.inner_relu = torch.nn.ReLU(inplace=True) if inner_relu else torch.nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.conv1(self.pad(torch.relu(self.bn1(x))))
        return self.conv2(self.pad(self.inner_relu(self.bn2(hidden)))) + self.conv0(x)


class ResNet(Network):
    """Residual network of pre-activation blocks with reflection padding, x + f(x).

    DeepInPy's architecture: the first block widens the image to `width` channels, the last one
    brings it back and has no second ReLU (a single block does both and keeps it). There are no
    biases, so without batch normalisation a scaled image gives an equally scaled result: the
    network does not depend on the unit of its input.

    Args:
        channels: Number of complex images that are seen together (sets of maps, frames).
        width: Real channels of the hidden layers.
        n_blocks: Number of blocks of two convolutions.
        kernel: Side of the convolutions, odd; 7 in DeepInPy.
        batch_norm: Whether to normalise before each ReLU.
        zero_init: Whether the last block starts at zero, so that the network starts as the
            identity.
        n_space: Number of space axes, 2 or 3.
        compute: Precision, compilation and memory layout; None takes the defaults.
    """

    def __init__(
        self,
        channels: int = 1,
        width: int = 64,
        n_blocks: int = 3,
        kernel: int = 3,
        batch_norm: bool = False,
        zero_init: bool = True,
        n_space: int = 2,
        compute: Compute | None = None,
    ) -> None:
        super().__init__(channels, n_space, compute)
        check_positive(self, width=width, n_blocks=n_blocks)
        check_kernel(self, kernel)
        ends = [2 * channels, *[width] * (n_blocks - 1), 2 * channels]
        blocks = [
            ResNetBlock(
                n_in,
                width,
                n_out,
                kernel=kernel,
                batch_norm=batch_norm,
                inner_relu=i < n_blocks - 1 or n_blocks == 1,
                project=i in (0, n_blocks - 1),
                n_space=n_space,
            )
            for i, (n_in, n_out) in enumerate(itertools.pairwise(ends))
        ]
        self.blocks = torch.nn.Sequential(*blocks)
        if zero_init:
            zero(blocks[-1].conv2)
            zero(blocks[-1].conv0)

    def features(self, real: Tensor) -> Tensor:
        return real + self.blocks(real)
