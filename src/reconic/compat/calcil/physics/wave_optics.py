"""CalCIL's helpers of wave optics, on `reconic.systems.wave_optics`."""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from reconic._array import Array
from reconic.systems.wave_optics import angular_spectrum, pupil, zernike

__all__ = [
    "cart2Pol",
    "genGrid",
    "genGridNumpy",
    "genPupil",
    "genPupilNumpy",
    "propKernel",
    "propKernelNumpy",
    "zernikePolynomial",
]


def genGridNumpy(size: int, dx: float, flag_shift: bool = False) -> np.ndarray:
    """Coordinates (i - n//2) dx of an axis; with `flag_shift` zero comes first, as FFTs have it."""
    grid = (np.arange(size) - size // 2) * dx
    return np.fft.ifftshift(grid) if flag_shift else grid


def genGrid(size: int, dx: float, flag_shift: bool = False) -> Array:
    """The same as a JAX array."""
    return jnp.asarray(genGridNumpy(size, dx, flag_shift))


def genPupilNumpy(
    shape: Sequence[int],
    pixel_size: float,
    NA: float,
    wavelength: float,
    NA_in: float = 0.0,
    fx_illu: float = 0.0,
    fy_illu: float = 0.0,
) -> np.ndarray:
    """Pupil, boolean (ny, nx), zero frequency first; annular by NA_in, shifted by fx, fy."""
    shift = (fy_illu, fx_illu)
    like = np.zeros(1)
    return pupil(shape, pixel_size, NA, wavelength, NA_in, shift, like=like).astype(bool)


def genPupil(
    shape: Sequence[int],
    pixel_size: float,
    NA: float,
    wavelength: float,
    NA_in: float = 0.0,
    fx_illu: float = 0.0,
    fy_illu: float = 0.0,
) -> Array:
    """The same as a JAX array."""
    return jnp.asarray(genPupilNumpy(shape, pixel_size, NA, wavelength, NA_in, fx_illu, fy_illu))


def propKernel(
    dim_yx: Sequence[int], distances: Array, pixel_size: float, wavelength: float, RI: float
) -> Array:
    """Angular-spectrum kernels (plane, ny, nx) of propagation over distances, negative ones too."""
    z = jnp.atleast_1d(jnp.asarray(distances, float))
    return angular_spectrum(dim_yx, z, pixel_size, wavelength, RI)


def propKernelNumpy(
    dim_yx: Sequence[int],
    distances: Array,
    pixel_size: float,
    wavelength: float,
    NA: float,
    RI: float = 1.0,
    band_limited: bool = True,
) -> np.ndarray:
    """The same as NumPy arrays within the pupil of NA, by default only where well sampled."""
    z = np.atleast_1d(np.asarray(distances, float))
    kernel = angular_spectrum(dim_yx, z, pixel_size, wavelength, RI, band_limited=band_limited)
    return kernel * genPupilNumpy(dim_yx, pixel_size, NA, wavelength)


def cart2Pol(x: Array, y: Array) -> tuple[Array, Array]:
    """Radius and angle of points."""
    return jnp.hypot(x, y), jnp.arctan2(y, x)


def zernikePolynomial(n: int, m: int, rho: Array, theta: Array) -> Array:
    """Zernike polynomial; see `reconic.systems.wave_optics.zernike`."""
    return zernike(n, m, jnp.asarray(rho), jnp.asarray(theta))
