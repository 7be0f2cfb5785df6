"""Wave optics: free-space propagation by the angular spectrum, pupils, Zernike polynomials.

Lengths (pixel size, wavelength, distance) share one unit. Frequencies are in cycles per that unit,
zero at index 0, as FFTs have them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Self

from reconic._array import Array, array_namespace, device, fftn, from_numpy, ifftn, real_dtype
from reconic.operator import LinearSystem, system

__all__ = ["AngularSpectrum", "angular_spectrum", "frequencies", "pupil", "zernike"]


@system
class AngularSpectrum(LinearSystem):
    """Free-space propagation of a field to several planes, u_z = F⁻¹ diag(H_z) F u.

    - x: field (*batch, ny, nx), complex
    - y: fields (*batch, plane, ny, nx)

    The boundary is circular: pad the field with zeros where it would wrap around.

    Args:
        kernel: Transfer function of each plane, complex (*batch, plane, ny, nx), zero frequency at
            index 0; see `angular_spectrum`.

    References:
        Goodman, Introduction to Fourier Optics, 3rd ed. (2005), Eq. 3-74.
    """

    kernel: Array

    def __post_init__(self) -> None:
        """Check the shape."""
        if self.kernel.ndim < 3:
            raise ValueError(
                f"AngularSpectrum: `kernel` must have shape (*batch, plane, ny, nx), got "
                f"{tuple(self.kernel.shape)}. Use angular_spectrum to make it."
            )

    @property
    def in_shape(self) -> tuple[int, ...]:
        return tuple(self.kernel.shape[-2:])

    @property
    def out_shape(self) -> tuple[int, ...]:
        return tuple(self.kernel.shape[-3:])

    def _forward(self, x: Array) -> Array:
        spectrum = array_namespace(x).expand_dims(fftn(x, (-2, -1)), axis=-3)
        return ifftn(self.kernel * spectrum, (-2, -1))

    def _adjoint(self, y: Array) -> Array:
        xp = array_namespace(y)
        spectra = xp.conj(self.kernel) * fftn(y, (-2, -1))
        return ifftn(xp.sum(spectra, axis=-3), (-2, -1))

    @classmethod
    def example(cls, rng, like, shape=(6, 5)) -> Self:  # noqa: ANN001
        """Small random instance on the library of `like`, for checks."""
        distances = from_numpy(rng.uniform(-20, 20, 3), like)
        xp = array_namespace(like)
        kernel = angular_spectrum(shape, distances, pixel_size=0.4, wavelength=0.5)
        return cls(xp.astype(kernel, like.dtype))


def frequencies(n: int, pixel_size: float, like: Array) -> Array:
    """Frequencies of an FFT of n samples, in cycles per unit of length; real, kind of `like`."""
    xp = array_namespace(like)
    k = xp.arange(n, dtype=real_dtype(like), device=device(like))
    return xp.where(k < (n + 1) // 2, k, k - n) / (n * pixel_size)


def angular_spectrum(
    shape: Sequence[int],
    distances: Array,
    pixel_size: float,
    wavelength: float,
    index: float = 1.0,
    *,
    band_limited: bool = False,
) -> Array:
    """Transfer functions of propagation over distances z, exp(2πi z √((n/λ)² - f²)).

    Evanescent waves decay in either direction; for z < 0 the phase is conjugate.

    Args:
        shape: Shape (ny, nx) of the field.
        distances: Distances z, real (plane,); may be negative, and descended on.
        pixel_size: Pixel size.
        wavelength: Wavelength in vacuum.
        index: Refractive index n of the medium.
        band_limited: Whether to leave out frequencies that the sampling of the transfer function
            cannot show, and which would wrap around.

    Returns:
        Complex (plane, ny, nx).

    References:
        Goodman (2005), Eq. 3-74; Matsushima & Shimobaba, Opt. Express 17:19662 (2009), Eq. 13.
    """
    xp = array_namespace(distances)
    fy = frequencies(shape[0], pixel_size, distances)[:, None]
    fx = frequencies(shape[1], pixel_size, distances)[None, :]
    square = (index / wavelength) ** 2 - fy**2 - fx**2
    z = distances[:, None, None]
    axial = xp.sqrt(xp.abs(square))
    phase = 2 * math.pi * z * axial
    decay = xp.exp(-2 * math.pi * xp.abs(z) * axial)
    zero = xp.zeros_like(phase)
    real = xp.where(square >= 0, xp.cos(phase), decay)
    kernel = real + 1j * xp.where(square >= 0, xp.sin(phase), zero)
    if not band_limited:
        return kernel
    inside = True
    for f, n in ((fy, shape[0]), (fx, shape[1])):
        limit = index / wavelength / xp.sqrt((2 * z / (n * pixel_size)) ** 2 + 1)
        inside = inside & (xp.abs(f) <= limit)
    return kernel * xp.astype(inside, real.dtype)


def pupil(
    shape: Sequence[int],
    pixel_size: float,
    NA: float,
    wavelength: float,
    NA_in: float = 0.0,
    shift: tuple[float, float] = (0.0, 0.0),
    *,
    like: Array,
) -> Array:
    """Pupil of an objective: one where NA_in ≤ λ |f - shift| ≤ NA, zero elsewhere.

    Args:
        shape: Shape (ny, nx).
        pixel_size: Pixel size, in the object.
        NA: Numerical aperture.
        wavelength: Wavelength in vacuum.
        NA_in: Inner numerical aperture of an annulus.
        shift: Frequency (fy, fx) of the centre, as of oblique illumination.
        like: Array whose library and precision the result has.

    Returns:
        Real (ny, nx), zero frequency at index 0.

    References:
        Goodman (2005), Eq. 6-21 (coherent transfer function).
    """
    xp = array_namespace(like)
    fy = frequencies(shape[0], pixel_size, like)[:, None] - shift[0]
    fx = frequencies(shape[1], pixel_size, like)[None, :] - shift[1]
    radius = xp.sqrt(fy**2 + fx**2)
    inside = (radius <= NA / wavelength) & (radius >= NA_in / wavelength)
    return xp.astype(inside, radius.dtype)


def zernike(n: int, m: int, rho: Array, theta: Array) -> Array:
    """Zernike polynomial Z_n^m on the unit disc, zero beyond it, of mean square one over the disc.

    Args:
        n: Radial degree.
        m: Azimuthal frequency, |m| ≤ n and n - m even; negative ones are odd in θ.
        rho: Radius, in units of the disc's.
        theta: Angle, in radians.

    Raises:
        ValueError: If there is no such polynomial.

    References:
        Noll, J. Opt. Soc. Am. 66:207 (1976), Eqs. 1, 2.
    """
    k = abs(m)
    if n < 0 or k > n or (n - k) % 2:
        raise ValueError(
            f"zernike: `m` must be between -n and n with n - m even, got n = {n} and m = {m}."
        )
    xp = array_namespace(rho, theta)
    radial = xp.zeros_like(rho)
    for s in range((n - k) // 2 + 1):
        top = (-1) ** s * math.factorial(n - s)
        bottom = math.factorial(s) * math.factorial((n + k) // 2 - s)
        radial = radial + top / (bottom * math.factorial((n - k) // 2 - s)) * rho ** (n - 2 * s)
    angular = xp.cos(k * theta) if m >= 0 else xp.sin(k * theta)
    norm = math.sqrt((n + 1) * (1 if m == 0 else 2))
    return xp.where(rho <= 1, norm * radial * angular, xp.zeros_like(rho))
