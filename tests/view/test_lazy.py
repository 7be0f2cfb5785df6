"""Arrays seen differently, against NumPy's functions on the whole array."""

import itertools

import numpy as np
import pytest

from reconic.view.lazy import Centred, Lead, Part, host

KEYS = [0, 2, slice(None), slice(1, 3), slice(1, None, 2)]


def alike(seen, whole):
    assert tuple(seen.shape) == whole.shape
    for key in itertools.product(KEYS, repeat=whole.ndim):
        assert np.array_equal(seen[key], whole[key]), key


def test_part(rng):
    x = rng.random((3, 4, 5))
    alike(Part(x, 1, 2), x[:, 2])
    alike(Part(x, 0, 1), x[1])


@pytest.mark.parametrize("axes", [(0,), (1, 2), (0, 1, 2)])
def test_centred_is_fftshift(rng, axes):
    x = rng.random((4, 5, 3))
    alike(Centred(x, axes), np.fft.fftshift(x, axes))


def test_lead(rng):
    x = rng.random((4, 5))
    seen = Lead(x, 4)
    assert seen.shape == (1, 1, 4, 5)
    assert np.array_equal(seen[0, slice(None), slice(None), 2], x[None, :, 2])
    assert np.array_equal(seen[slice(None), 0, 1, 2], x[None, 1, 2])


def test_host_makes_numbers():
    assert host(np.array([True])).dtype == np.uint8
    with pytest.raises(TypeError, match="values must be numbers"):
        host(np.array(["a"]))
