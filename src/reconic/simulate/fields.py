"""Random fields and resampling: the raw material of simulated anatomy, phase and texture."""

from __future__ import annotations

import numpy as np
from scipy import fft, ndimage

from reconic._array import Array

_TAIL = 3.0  # modes beyond three cut-offs have weights below exp(-4.5)


def smooth_field(shape: tuple[int, ...], rng: np.random.Generator, cutoff: float) -> Array:
    """Draw a smooth Gaussian random field of zero mean and unit standard deviation.

    A cosine series whose coefficients are independent normals weighted by
    ``exp(-(k / cutoff)^2 / 2)``.

    Args:
        shape: Shape of the field, any number of axes.
        rng: Source of randomness.
        cutoff: Frequency, in half-cycles across the longest axis, where the weight falls to
            ``exp(-1/2)``; 1 to 3 is as smooth as a coil's phase, 10 is mottled.

    Returns:
        Real field of that shape, float64.
    """
    longest = max(shape)
    sizes = [min(n, int(np.ceil(_TAIL * cutoff * n / longest)) + 1) for n in shape]
    coefficients = rng.standard_normal(sizes)
    grids = np.meshgrid(*(np.arange(m) * longest / n for m, n in zip(sizes, shape, strict=True)),
                        indexing="ij")  # fmt: skip
    coefficients *= np.exp(-0.5 * sum(g**2 for g in grids) / cutoff**2)
    coefficients[(0,) * len(shape)] = 0.0
    full = np.zeros(shape)
    full[tuple(slice(m) for m in sizes)] = coefficients
    field: Array = fft.idctn(full)
    return field / max(float(field.std()), np.finfo(float).tiny)


def texture(shape: tuple[int, ...], rng: np.random.Generator, width: float) -> Array:
    """Draw fine-grained noise, about `width` pixels per structure, of unit standard deviation.

    The difference of two Gaussian smoothings of white noise, so there is nothing coarse in it.
    """
    white = rng.standard_normal(shape)
    band = ndimage.gaussian_filter(white, width / 3) - ndimage.gaussian_filter(white, width)
    return band / band.std()


def crop_spectrum(image: Array, shape: tuple[int, ...], window: float = 0.0) -> Array:
    """Resample an image as a scanner would: keep only the central frequencies.

    The object, drawn on a finer grid, is band-limited to the pixels of `shape`, so that sharp
    edges ring exactly as they do in a real acquisition.

    Args:
        image: Image on the finer grid; every axis at least as long as in `shape`.
        shape: Shape to return.
        window: Strength of a Gaussian apodisation, ``exp(-window k^2)`` with ``k = 1`` at the
            edge of k-space; 0 for none.

    Returns:
        Complex64 image on the same field of view; a constant keeps its value.
    """
    spectrum = fft.fftshift(fft.fftn(fft.ifftshift(image.astype(np.complex64))))
    starts = [n // 2 - m // 2 for n, m in zip(image.shape, shape, strict=True)]
    spectrum = spectrum[tuple(slice(s, s + m) for s, m in zip(starts, shape, strict=True))]
    if window:
        spectrum = spectrum * np.exp(-window * radius_squared(shape)).astype(np.float32)
    scale = np.float32(np.prod(shape) / np.prod(image.shape))
    return fft.fftshift(fft.ifftn(fft.ifftshift(spectrum * scale)))


def radius_squared(shape: tuple[int, ...]) -> Array:
    """Return the squared distance of every sample from the centre, 1 at the middle of each edge."""
    axes = [(np.arange(n) - n // 2) / max(n / 2, 1) for n in shape]
    return sum(g**2 for g in np.meshgrid(*axes, indexing="ij"))  # type: ignore[return-value]
