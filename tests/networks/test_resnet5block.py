import numpy as np
import pytest
import torch

from reconic.networks import ResNet5Block


def convolve(x, weight, bias):
    """Correlation of (channels, ny, nx) continued by numpy's reflection, tap by tap."""
    side, (ny, nx) = weight.shape[-1], x.shape[1:]
    padded = np.pad(x, [(0, 0)] + [(side // 2, side // 2)] * 2, mode="reflect")
    result = np.zeros((weight.shape[0], ny, nx)) + bias[:, None, None]
    for i, j in np.ndindex(side, side):
        result += np.einsum("oi,iyx->oyx", weight[..., i, j], padded[:, i : i + ny, j : j + nx])
    return result


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("size", [(12, 11), (3, 9)], ids=["large", "smaller-than-kernel"])
def test_against_the_architecture_by_hand(batch_norm, size):
    torch.manual_seed(0)
    network = ResNet5Block(1, 5, batch_norm=batch_norm, zero_init=False).double().eval()
    rng = np.random.default_rng(0)
    state = network.state_dict()
    for key, value in state.items():
        if "norms" in key and "num" not in key:
            value.copy_(torch.from_numpy(rng.uniform(0.5, 1.5, value.shape)))
    weights = {key: value.numpy() for key, value in state.items()}
    x = rng.standard_normal((*size, 2)) @ [1, 1j]
    start = hidden = np.stack([x.real, x.imag])
    for i in range(6):
        hidden = convolve(hidden, weights[f"convs.{i}.weight"], weights[f"convs.{i}.bias"])
        if i < 5 and batch_norm:
            gain, bias, mean, var = (
                weights[f"norms.{i}.{name}"][:, None, None]
                for name in ("weight", "bias", "running_mean", "running_var")
            )
            hidden = gain * (hidden - mean) / np.sqrt(var + 1e-5) + bias
        hidden = np.maximum(hidden, 0) if i < 5 else hidden
    expected = start + hidden
    result = network(torch.from_numpy(x)[None])[0].detach().numpy()
    np.testing.assert_allclose(result, expected[0] + 1j * expected[1], rtol=1e-10, atol=1e-9)


def test_number_of_parameters():
    c, w, taps = 4, 8, 49
    found = sum(p.numel() for p in ResNet5Block(2, w).parameters())
    assert found == (2 * c * w + 4 * w * w) * taps + 5 * w + c
