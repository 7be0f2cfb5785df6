"""A small blur to undo, and what every call here has in common."""

import functools

import numpy as np
import pytest

pytest.importorskip("jax")
pytest.importorskip("optax")

import jax.numpy as jnp

from reconic import descent as rd


@pytest.fixture(scope="session")
def blur():
    """Circular blur of 6 × 5 images and a measurement of one, single precision."""
    rng = np.random.default_rng(0)
    psf = np.zeros((6, 5), np.float32)
    psf[:2, :2] = [[0.5, 0.2], [0.2, 0.1]]
    otf = jnp.fft.rfft2(psf)

    def forward(variables, batch):
        return jnp.fft.irfft2(otf * jnp.fft.rfft2(variables["x"]), s=(6, 5))

    x = rng.random((6, 5)).astype(np.float32)
    return forward, x, np.asarray(forward({"x": x}, {}))


@pytest.fixture
def fit(blur):
    """`reconstruct` of the blurred image, with defaults."""
    forward, x, y = blur
    start = {"x": np.zeros_like(x)}
    return functools.partial(
        _fit, forward=forward, variables=start, data={"y": y}, loss=rd.l2("y"), epochs=20
    )


def _fit(optimizers=None, **settings):
    optimizers = rd.adam(0.1) if optimizers is None else optimizers
    forward, variables = settings.pop("forward"), settings.pop("variables")
    data, loss = settings.pop("data"), settings.pop("loss")
    return rd.reconstruct(forward, variables, data, loss, optimizers, **settings)
