import numpy as np
import pytest
import torch

from reconic.networks.layers import ReflectionPad, make_norm


@pytest.mark.parametrize("width", [0, 1, 3])
@pytest.mark.parametrize("space", [(8, 9), (4, 3), (2, 5), (1, 1), (6, 1, 2)], ids=str)
def test_reflection_pad_is_numpys(space, width):
    x = np.random.default_rng(0).standard_normal((2, 3, *space))
    expected = np.pad(x, [(0, 0)] * 2 + [(width, width)] * len(space), mode="reflect")
    result = ReflectionPad(width, len(space))(torch.from_numpy(x))
    np.testing.assert_array_equal(result.numpy(), expected)


@pytest.mark.parametrize("norm", ["batch", "group", "instance"])
@pytest.mark.parametrize("n_space", [2, 3])
def test_norms_have_zero_mean_and_unit_variance(norm, n_space):
    rng = np.random.default_rng(1)
    x = torch.from_numpy(3 + 5 * rng.standard_normal((4, 16, *[6] * n_space)))
    result = make_norm(norm, 16, n_space).double()(x).detach().numpy()
    groups = {
        "batch": result.swapaxes(0, 1).reshape(16, -1),
        "group": result.reshape(4 * 2, -1),
        "instance": result.reshape(4 * 16, -1),
    }[norm]
    np.testing.assert_allclose(groups.mean(1), 0, atol=1e-12)
    np.testing.assert_allclose(groups.std(1), 1, rtol=1e-5)  # the layers add 1e-5 to the variance


def test_no_norm_changes_nothing():
    x = torch.randn(2, 3, 4, 4)
    assert make_norm("none", 3, 2)(x) is x
