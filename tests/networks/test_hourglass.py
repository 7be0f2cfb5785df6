"""The hourglass: sizes, axes, and how smooth its images are before training."""

import pytest
import torch

from reconic.networks import Hourglass, UNet


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((2, 24, 20), {}),
        ((1, 13, 7), {"n_levels": 3}),
        ((2, 3, 16, 16), {"channels": 3, "n_levels": 3}),
        ((1, 8, 9, 10), {"n_space": 3, "n_levels": 2}),
    ],
    ids=["even", "odd", "frames", "volume"],
)
def test_keeps_the_shape_and_learns_everywhere(shape, options):
    network = Hourglass(width=8, **options)
    x = network(torch.randn(shape, dtype=torch.complex64))
    assert x.shape == shape
    assert x.dtype == torch.complex64
    x.abs().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in network.parameters())


def outer(network):
    """Power at the highest frequencies of the image of a smooth input, over the mean power."""
    torch.manual_seed(0)
    steps = torch.linspace(0, 3, 64)
    with torch.no_grad():
        k = torch.fft.fft2(network(torch.exp(1j * (steps[:, None] + steps))[None])[0]).abs() ** 2
    return float(k[24:40, 24:40].mean() / k.mean())


def test_smooth_input_gives_a_smooth_image():
    transposed = UNet(width=16, norm="instance", residual=False, zero_init=False)
    # over seeds: 1e-4 to 3e-4; without interpolation 2e-3, with transposed convolutions 0.2 to 0.9
    assert outer(Hourglass(width=16)) < 1e-3 < 0.1 < outer(transposed)


def test_refuses_no_skip():
    with pytest.raises(ValueError, match="`n_skip`"):
        Hourglass(n_skip=0)
