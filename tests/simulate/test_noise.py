"""Noise has the variance that its docstring states."""

import numpy as np
import pytest

from reconic.simulate import complex_noise


def test_variance_is_of_the_complex_number_and_shared_by_its_parts():
    n, sigma = 100_000, 0.3
    noise = complex_noise((n,), sigma, np.random.default_rng(0))
    assert noise.dtype == np.complex64
    # |n|^2 / sigma^2 is exponential: the mean of n has a deviation of n^-0.5; five of them
    assert np.mean(np.abs(noise) ** 2) == pytest.approx(sigma**2, rel=5 * n**-0.5)
    # n^2 has mean 0 if the parts are independent and alike, and the same deviation
    assert abs(np.mean(noise**2)) < 5 * sigma**2 * n**-0.5
    assert abs(noise.mean()) < 5 * sigma * n**-0.5


def test_same_seed_same_noise():
    first, second = (complex_noise((4, 5), 1.0, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_negative_deviation_is_refused():
    with pytest.raises(ValueError, match=r"complex_noise: `sigma` must be at least 0, got -1"):
        complex_noise((2,), -1.0, np.random.default_rng(0))
