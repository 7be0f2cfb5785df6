import numpy as np
import pytest
import torch

from reconic.networks import ResNet


def convolve(x, weight):
    """Correlation of (channels, ny, nx) continued by numpy's reflection, tap by tap."""
    side, (ny, nx) = weight.shape[-1], x.shape[1:]
    padded = np.pad(x, [(0, 0)] + [(side // 2, side // 2)] * 2, mode="reflect")
    result = np.zeros((weight.shape[0], ny, nx))
    for i in range(side):
        for j in range(side):
            result += np.einsum("oi,iyx->oyx", weight[..., i, j], padded[:, i : i + ny, j : j + nx])
    return result


def normalise(x, weights, name):
    """Batch normalisation in evaluation mode, or nothing."""
    if f"{name}.weight" not in weights:
        return x
    gain, bias, mean, var = (
        weights[f"{name}.{key}"][:, None, None]
        for key in ("weight", "bias", "running_mean", "running_var")
    )
    return gain * (x - mean) / np.sqrt(var + 1e-5) + bias


def block(x, weights, name, inner_relu):
    hidden = np.maximum(normalise(x, weights, f"{name}.bn1"), 0)
    hidden = normalise(convolve(hidden, weights[f"{name}.conv1.weight"]), weights, f"{name}.bn2")
    hidden = np.maximum(hidden, 0) if inner_relu else hidden
    hidden = convolve(hidden, weights[f"{name}.conv2.weight"])
    skip = weights.get(f"{name}.conv0.weight")
    return hidden + (x if skip is None else convolve(x, skip))


@pytest.mark.parametrize("kernel", [3, 7])
@pytest.mark.parametrize("size", [(12, 11), (3, 9)], ids=["large", "smaller-than-kernel"])
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("n_blocks", [1, 2, 4])
def test_against_the_architecture_by_hand(kernel, size, batch_norm, n_blocks):
    torch.manual_seed(0)
    network = ResNet(1, 5, n_blocks, kernel, batch_norm=batch_norm, zero_init=False).double().eval()
    rng = np.random.default_rng(0)
    for key, value in network.state_dict().items():
        if "bn" in key and "num" not in key:
            value.copy_(torch.from_numpy(rng.uniform(0.5, 1.5, value.shape)))
    weights = {key: value.numpy() for key, value in network.state_dict().items()}
    x = rng.standard_normal((*size, 2)) @ [1, 1j]
    start = np.stack([x.real, x.imag])
    hidden = start
    for i in range(n_blocks):
        last = i == n_blocks - 1
        hidden = block(hidden, weights, f"blocks.{i}", not last or n_blocks == 1)
    expected = start + hidden
    result = network(torch.from_numpy(x)[None])[0].detach().numpy()
    np.testing.assert_allclose(result, expected[0] + 1j * expected[1], rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize("n_blocks", [1, 2, 3])
@pytest.mark.parametrize(("n_space", "kernel"), [(2, 7), (3, 3)])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_number_of_parameters(n_blocks, n_space, kernel, batch_norm):
    c, w, taps = 4, 8, kernel**n_space
    network = ResNet(2, w, n_blocks, kernel, batch_norm=batch_norm, n_space=n_space)
    expected = {
        1: 2 * c * w * taps + c * c,
        2: 2 * (c * w * taps + w * w * taps + c * w),
        3: 2 * (c * w * taps + w * w * taps + c * w) + 2 * w * w * taps,
    }[n_blocks]
    expected += batch_norm * 2 * (c + (2 * n_blocks - 1) * w)
    assert sum(p.numel() for p in network.parameters()) == expected


def test_starts_as_the_identity_also_where_no_block_changes_the_width():
    x = torch.randn(1, 9, 8, dtype=torch.complex64)
    assert torch.equal(ResNet(width=2, n_blocks=3)(x), x)


def test_names_of_the_weights_follow_the_blocks():
    names = set(ResNet(n_blocks=3).state_dict())
    ends = {f"blocks.{i}.conv{j}.weight" for i in (0, 2) for j in (0, 1, 2)}
    assert names == ends | {"blocks.1.conv1.weight", "blocks.1.conv2.weight"}
