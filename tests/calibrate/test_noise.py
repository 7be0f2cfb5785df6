import numpy as np
import pytest

from reconic._array import from_numpy, to_numpy
from reconic.calibrate import noise_std


def k_space(normal, sigma, shape=(3, 4, 48, 40)):
    """White noise of standard deviation σ and a bright centre."""
    y = sigma * normal(*shape) / np.sqrt(2)
    y[..., 15:33, 12:28] += 50 * sigma
    return y


def test_finds_the_noise_beside_the_signal(like, normal):
    y = k_space(normal, 0.3)
    found = to_numpy(noise_std(from_numpy(y, like), 3))
    assert found.shape == (3,)
    # 2700 outer samples: the median of so many exponentials scatters by 2 %, its root by 1 %
    np.testing.assert_allclose(found, 0.3, rtol=0.04)


def test_what_is_not_measured_does_not_count(normal, rng):
    y = k_space(normal, 0.3) * (rng.random((1, 1, 48, 40)) < 0.4)
    y[:, 3] = 0  # a coil that is only there for the shape
    np.testing.assert_allclose(noise_std(y, 3), 0.3, rtol=0.08)
    padded = np.pad(y, ((0, 0), (0, 0), (20, 20), (20, 20)))  # an interpolated image
    np.testing.assert_allclose(noise_std(padded, 3), 0.3, rtol=0.08)


def test_each_sample_has_its_own_level(normal):
    y = k_space(normal, 1.0)
    scale = np.asarray([1.0, 1e-6, 1e6])
    found = noise_std(scale[:, None, None, None] * y, 3)
    np.testing.assert_allclose(found / scale, noise_std(y, 3), rtol=1e-12)


@pytest.mark.parametrize("shape", [(2, 3, 4, 24, 20), (4, 9, 24, 20)], ids=["frames", "one"])
def test_other_axes(normal, shape):
    y = normal(*shape) / np.sqrt(2)
    found = noise_std(y, n_core=4, n_space=2)
    assert found.shape == shape[:-4]
    np.testing.assert_allclose(found, 1, rtol=0.1)


def test_three_dimensions(normal):
    np.testing.assert_allclose(noise_std(normal(1, 2, 12, 14, 10), 4, n_space=3), 2**0.5, rtol=0.1)


def test_nothing_measured():
    assert noise_std(np.zeros((2, 1, 8, 8), complex), 3).tolist() == [0, 0]
