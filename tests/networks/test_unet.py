import itertools

import numpy as np
import pytest
import torch

from reconic.networks import UNet


def count(channels, width, n_levels, taps, corners, bias, norm):
    """Number of parameters, added up level by level."""
    after_conv = 2 if norm else bias  # scale and shift, or a bias
    widths = [width * 2**i for i in range(n_levels)]

    def double(a, b):
        return (a + b) * b * taps + 2 * after_conv * b

    total = double(2 * channels, width) + (width + bias) * 2 * channels
    for fine, coarse in itertools.pairwise(widths):
        total += double(fine, coarse) + (coarse * corners + bias) * fine + double(2 * fine, fine)
    return total


@pytest.mark.parametrize("n_levels", [1, 2, 4])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("norm", ["none", "batch", "group", "instance"])
@pytest.mark.parametrize("n_space", [2, 3])
def test_number_of_parameters(n_levels, bias, norm, n_space):
    network = UNet(3, 8, n_levels, norm=norm, bias=bias, n_space=n_space)
    expected = count(3, 8, n_levels, 3**n_space, 2**n_space, bias, norm != "none")
    assert sum(p.numel() for p in network.parameters()) == expected


@pytest.mark.parametrize("shape", [(16, 16), (17, 16), (31, 5), (1, 1), (9, 10, 11)], ids=str)
def test_sees_the_whole_of_any_image(shape):
    """Every input sample near the middle reaches the coarsest level and comes back."""
    torch.manual_seed(0)
    network = UNet(width=4, n_levels=4, zero_init=False, n_space=len(shape)).double()
    x = torch.randn(1, *shape, dtype=torch.complex128, requires_grad=True)
    network(x)[(0, *(n // 2 for n in shape))].abs().backward()
    reached = x.grad[0] != 0
    assert reached.double().mean() > 0.5
    assert torch.isfinite(torch.view_as_real(x.grad)).all()


def test_two_levels_by_hand():
    """With hand-set weights the network is x + up(mean of blocks), cropped, for an odd size."""
    network = UNet(width=2, n_levels=2, bias=False).double()
    eye = torch.zeros(2, 2, 3, 3, dtype=torch.float64)
    eye[0, 0, 1, 1] = eye[1, 1, 1, 1] = 1
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        for conv in (network.first[0], network.first[3], network.down[0][0], network.down[0][3]):
            conv.weight[:2, :2] = eye
        network.up[0].weight[:2] = eye[:, :, 1:2, 1:2].expand(2, 2, 2, 2)
        network.join[0][0].weight[:, 2:] = eye
        network.join[0][3].weight[:] = eye
        network.last.weight[:] = eye[:, :, 1:2, 1:2]
    x = np.arange(1.0, 16).reshape(3, 5) * (1 + 2j)  # positive parts pass every ReLU
    blocks = np.array([[x[i : i + 2, j : j + 2].mean() for j in (0, 2, 4)] for i in (0, 2)])
    expected = x + np.kron(blocks, np.ones((2, 2)))[:3, :5]
    result = network(torch.from_numpy(x)[None])[0].detach().numpy()
    np.testing.assert_allclose(result, expected, rtol=1e-12)


def test_commutes_with_translation_by_the_coarsest_sample():
    torch.manual_seed(0)
    network = UNet(width=3, n_levels=2, zero_init=False).double()
    x = torch.zeros(1, 40, 40, dtype=torch.complex128)
    x[:, 16:20, 16:20] = torch.randn(1, 4, 4, dtype=torch.complex128)
    moved = torch.roll(x, (2, 4), (1, 2))
    for parameter in network.parameters():  # no constant far from the object
        if parameter.ndim == 1:
            torch.nn.init.zeros_(parameter)
    torch.testing.assert_close(network(moved), torch.roll(network(x), (2, 4), (1, 2)))
