"""The array libraries under test, and small oracles."""

import numpy as np
import pytest


def _numpy():
    return np.zeros(1, dtype=np.complex128)


def _strict():
    import array_api_strict as xp

    return xp.zeros(1, dtype=xp.complex128)


def _torch():
    import torch

    return torch.zeros(1, dtype=torch.complex128)


def _jax():
    import jax.numpy as jnp

    return jnp.zeros(1, dtype=jnp.complex128)


LIBRARIES = {
    "numpy": (None, _numpy),
    "strict": ("array_api_strict", _strict),
    "torch": ("torch", _torch),
    "jax": ("jax", _jax),
}


def example_array(name):
    """A complex128 array of the library `name`; the test skips where that is not installed."""
    module, make = LIBRARIES[name]
    if module:
        pytest.importorskip(module)
    return make()


def dense(A):
    """Matrix of a NumPy system, column by column, without its adjoint."""
    n = int(np.prod(A.in_shape))
    units = np.eye(n, dtype=np.complex128).reshape(n, *A.in_shape)
    return np.stack([A(u).ravel() for u in units], axis=1)
