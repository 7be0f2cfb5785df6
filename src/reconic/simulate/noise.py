"""Complex Gaussian noise."""

from __future__ import annotations

import numpy as np

from reconic._array import Array


def complex_noise(shape: tuple[int, ...], sigma: float, rng: np.random.Generator) -> Array:
    """Draw circular complex Gaussian noise with ``E|n|^2 = sigma^2``.

    The real and the imaginary part are independent, each of standard deviation
    ``sigma / sqrt(2)``. An orthonormal Fourier transform leaves `sigma` as it is.

    Args:
        shape: Shape of the noise.
        sigma: Standard deviation of the complex number, not of one of its parts.
        rng: Source of randomness.

    Returns:
        Complex64 array.

    Raises:
        ValueError: If `sigma` is negative.
    """
    if sigma < 0:
        raise ValueError(f"complex_noise: `sigma` must be at least 0, got {sigma}.")
    parts = rng.standard_normal((*shape, 2), dtype=np.float32)
    return parts.view(np.complex64)[..., 0] * np.float32(sigma / np.sqrt(2))
