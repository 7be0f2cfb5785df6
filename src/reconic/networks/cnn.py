"""A plain convolutional network."""

import itertools

import torch
from torch import Tensor

from reconic.networks.base import Compute, Network, check_kernel, check_positive
from reconic.networks.layers import CONV, zero


class CNN(Network):
    """Residual network of convolutions and ReLUs, x + f(x).

    With its defaults the denoiser of MoDL, without batch normalisation: five convolutions of
    64 channels, no ReLU after the last. Images are continued by zeros.

    Args:
        channels: Number of complex images that are seen together (sets of maps, frames).
        width: Real channels of the hidden layers.
        n_layers: Number of convolutions.
        kernel: Side of the convolutions, odd.
        bias: Whether convolutions add a constant. Without, a scaled image gives an equally scaled
            result, so the network does not depend on the unit of its input.
        residual: Whether the input is added to the result.
        zero_init: Whether the last convolution starts at zero, so that a residual network starts
            as the identity.
        n_space: Number of space axes, 2 or 3.
        compute: Precision, compilation and memory layout; None takes the defaults.

    References:
        Aggarwal et al., MoDL, IEEE Trans. Med. Imaging 38:394 (2019), Fig. 1.
    """

    def __init__(
        self,
        channels: int = 1,
        width: int = 64,
        n_layers: int = 5,
        kernel: int = 3,
        bias: bool = True,
        residual: bool = True,
        zero_init: bool = True,
        n_space: int = 2,
        compute: Compute | None = None,
    ) -> None:
        super().__init__(channels, n_space, compute)
        check_positive(self, width=width, n_layers=n_layers)
        check_kernel(self, kernel)
        self.residual = residual
        widths = [2 * channels, *[width] * (n_layers - 1), 2 * channels]
        convs = [
            CONV[n_space](n_in, n_out, kernel, padding=kernel // 2, bias=bias)
            for n_in, n_out in itertools.pairwise(widths)
        ]
        layers = [layer for conv in convs for layer in (conv, torch.nn.ReLU(inplace=True))]
        self.layers = torch.nn.Sequential(*layers[:-1])
        if zero_init:
            zero(convs[-1])

    def features(self, real: Tensor) -> Tensor:
        return real + self.layers(real) if self.residual else self.layers(real)
