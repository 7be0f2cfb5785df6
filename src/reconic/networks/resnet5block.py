"""A plain residual network of six convolutions."""

import itertools

import torch
from torch import Tensor

from reconic.networks.base import Compute, Network, check_kernel, check_positive
from reconic.networks.layers import BATCH_NORM, CONV, ReflectionPad, zero


class ResNet5Block(Network):
    """Residual network of six convolutions with biases, five of them with a ReLU, x + f(x).

    DeepInPy's architecture of this name, with reflection padding. Because of its biases the result
    depends on the unit of the image.

    Args:
        channels: Number of complex images that are seen together (sets of maps, frames).
        width: Real channels of the hidden layers.
        kernel: Side of the convolutions, odd; 7 in DeepInPy.
        batch_norm: Whether to normalise before each ReLU.
        zero_init: Whether the last convolution starts at zero, so that the network starts as the
            identity.
        n_space: Number of space axes, 2 or 3.
        compute: Precision, compilation and memory layout; None takes the defaults.
    """

    def __init__(
        self,
        channels: int = 1,
        width: int = 64,
        kernel: int = 7,
        batch_norm: bool = False,
        zero_init: bool = True,
        n_space: int = 2,
        compute: Compute | None = None,
    ) -> None:
        super().__init__(channels, n_space, compute)
        check_positive(self, width=width)
        check_kernel(self, kernel)
        norm = BATCH_NORM[n_space] if batch_norm else torch.nn.Identity
        widths = [2 * channels, *[width] * 5, 2 * channels]
        self.pad = ReflectionPad(kernel // 2, n_space)
        self.convs = torch.nn.ModuleList(
            CONV[n_space](n_in, n_out, kernel) for n_in, n_out in itertools.pairwise(widths)
        )
        self.norms = torch.nn.ModuleList(norm(width) for _ in range(5))
        if zero_init:
            zero(self.convs[-1])

    def features(self, real: Tensor) -> Tensor:
        *hidden, last = self.convs
        x = real
        for conv, norm in zip(hidden, self.norms, strict=True):
            x = torch.relu(norm(conv(self.pad(x))))
        return real + last(self.pad(x))
