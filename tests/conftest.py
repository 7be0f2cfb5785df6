"""Array libraries, and random arrays on them."""

import os

os.environ.setdefault("JAX_ENABLE_X64", "1")  # so that JAX keeps the precision it is given
# Of tiny problems nearly all of the time is that of the compiler.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")

import numpy as np
import pytest
from browsers import browser as browser
from browsers import chromium as chromium
from browsers import tensorboard as tensorboard
from libraries import LIBRARIES, dense, example_array


@pytest.fixture(params=LIBRARIES)
def like(request):
    return example_array(request.param)


@pytest.fixture(params=["torch", "jax"])
def like_autodiff(request):
    return example_array(request.param)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def normal(rng):
    """Complex normal NumPy array of a shape."""

    def draw(*shape):
        return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)

    return draw


@pytest.fixture(name="dense")
def dense_fixture():
    return dense
