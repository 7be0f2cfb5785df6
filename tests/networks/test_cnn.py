import itertools

import numpy as np
import pytest
import scipy.signal
import torch

from reconic.networks import CNN


def convolve(x, weight, bias):
    """Zero-padded correlation of (channels, ny, nx), summed by hand."""
    result = np.zeros((len(weight), *x.shape[1:])) + bias[:, None, None]
    for o, i in np.ndindex(weight.shape[:2]):
        result[o] += scipy.signal.correlate(x[i], weight[o, i], mode="same", method="direct")
    return result


@pytest.mark.parametrize("residual", [True, False])
def test_against_convolutions_by_hand(residual):
    torch.manual_seed(0)
    network = CNN(channels=2, width=5, n_layers=3, residual=residual, zero_init=False).double()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter)
    x = np.random.default_rng(0).standard_normal((2, 2, 7, 6, 2)) @ [1, 1j]
    real = np.concatenate([x.real, x.imag], axis=1)  # (batch, 4, ny, nx)
    convs = [m for m in network.layers if isinstance(m, torch.nn.Conv2d)]
    hidden = real
    for i, conv in enumerate(convs):
        weight, bias = (p.detach().numpy() for p in (conv.weight, conv.bias))
        hidden = np.stack([convolve(h, weight, bias) for h in hidden])
        hidden = np.maximum(hidden, 0) if i < len(convs) - 1 else hidden
    expected = hidden + real if residual else hidden
    result = network(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(
        result, expected[:, :2] + 1j * expected[:, 2:], rtol=1e-10, atol=1e-9
    )


@pytest.mark.parametrize("n_layers", [1, 2, 5])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("n_space", "kernel"), [(2, 3), (2, 5), (3, 3)])
def test_number_of_parameters(n_layers, bias, n_space, kernel):
    channels, width = 3, 8
    network = CNN(channels, width, n_layers, kernel, bias=bias, n_space=n_space)
    ends = [2 * channels] + [width] * (n_layers - 1) + [2 * channels]
    expected = sum((a * kernel**n_space + bias) * b for a, b in itertools.pairwise(ends))
    assert sum(p.numel() for p in network.parameters()) == expected


def test_default_is_modls_denoiser():
    # 2-64-64-64-64-2, 3x3 with bias: 64*19 + 3*64*577 + 2*577
    assert sum(p.numel() for p in CNN().parameters()) == 113154


@pytest.mark.parametrize("n_space", [2, 3])
def test_commutes_with_translation_away_from_the_border(n_space):
    torch.manual_seed(0)
    network = CNN(width=6, n_layers=3, zero_init=False, n_space=n_space).double()
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.standard_normal((1, *[16] * n_space, 2)) @ [1, 1j])
    axes = tuple(range(1, n_space + 1))
    moved = network(torch.roll(x, (2,) * n_space, axes))
    inside = (0, *[slice(5, -3)] * n_space)  # 3 layers of radius 1, and a shift by 2
    torch.testing.assert_close(moved[inside], torch.roll(network(x), (2,) * n_space, axes)[inside])
    assert not torch.allclose(moved, torch.roll(network(x), (2,) * n_space, axes))
