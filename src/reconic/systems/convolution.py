"""Convolution with a point-spread function: microscopes, telescopes, lensless cameras."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

from scipy.fft import next_fast_len

from reconic._array import Array, array_namespace, device, from_numpy
from reconic.operator import LinearSystem, static, system

__all__ = ["Convolution"]


@system
class Convolution(LinearSystem):
    """Convolution with a point-spread function, and crop: y = C F⁻¹ diag(otf) F x.

    Made by `Convolution.from_psf`. Of real images and a real PSF the measurements are real, and
    only half of the spectrum is computed.

    - x: (*batch, *shape)
    - y: (*batch, *cropped)

    Args:
        otf: Fourier transform of the PSF on the padded grid, complex (*batch, *grid), zero
            frequency at index 0, without normalisation; its phase puts the first measured pixel at
            index 0.
        shape: Shape of an image, 2-D or 3-D.
        cropped: Shape of a measurement.
        real_psf: Whether the PSF is real.

    References:
        Antipa et al., DiffuserCam, Optica 5:1 (2018), Eq. 3 (linear convolution, then crop).
    """

    otf: Array
    shape: tuple[int, ...] = static()
    cropped: tuple[int, ...] = static()
    real_psf: bool = static(default=False)

    def __post_init__(self) -> None:
        """Check that the grid holds images and measurements."""
        n, grid = len(self.shape), tuple(self.otf.shape)[-len(self.shape) :]
        fits = len(self.cropped) == len(grid) == n and all(
            max(a, b) <= g for a, b, g in zip(self.shape, self.cropped, grid, strict=True)
        )
        if not fits:
            raise ValueError(
                f"Convolution: `otf` must be at least as large as images {self.shape} and "
                f"measurements {self.cropped}, got {tuple(self.otf.shape)}. Use from_psf."
            )

    @classmethod
    def from_psf(
        cls,
        psf: Array,
        shape: Sequence[int],
        boundary: Literal["zero", "circular"] = "zero",
        output: Literal["same", "full", "valid"] | Sequence[int] = "same",
    ) -> Self:
        """Convolution with a PSF whose centre is at n//2 of each axis.

        May be called within a forward model that descends on the PSF.

        Args:
            psf: Point-spread function, real or complex (*batch, *psf_shape), any unit; y has the
                unit of x times its sum.
            shape: Shape of an image, 2-D or 3-D.
            boundary: What is beyond the image: nothing, or the image again.
            output: "same" measures the image's field of view, "full" all light, "valid" what no
                boundary touches; a shape measures that much around the centre of the field of view.

        Raises:
            ValueError: If shapes do not fit each other.
        """
        shape = tuple(shape)
        support = tuple(psf.shape)[-len(shape) :]
        _check(shape, support, psf.ndim, boundary, output)
        start, cropped = _window(shape, support, output)
        if boundary == "circular":
            grid = shape
        else:
            sizes = zip(shape, support, start, cropped, strict=True)
            grid = tuple(_fast(max(n + m - 1 - s, s + c, m, n)) for n, m, s, c in sizes)
        xp = array_namespace(psf)
        real = not xp.isdtype(psf.dtype, "complex floating")
        padded = _pad(psf, grid)
        axes = tuple(range(-len(shape), 0))
        padded = xp.roll(padded, tuple(-s for s in start), axis=axes)
        kind = xp.result_type(padded.dtype, xp.complex64)
        otf = xp.fft.fftn(xp.astype(padded, kind), axes=axes)
        return cls(otf, shape, cropped, real)

    @property
    def in_shape(self) -> tuple[int, ...]:
        return self.shape

    @property
    def out_shape(self) -> tuple[int, ...]:
        return self.cropped

    def _forward(self, x: Array) -> Array:
        return self._filter(x, self.otf, self.cropped)

    def _adjoint(self, y: Array) -> Array:
        return self._filter(y, array_namespace(y).conj(self.otf), self.shape)

    def _filter(self, x: Array, otf: Array, shape: tuple[int, ...]) -> Array:
        """First `shape` samples of F⁻¹ diag(otf) F x, on the grid, with zeros after x."""
        xp = array_namespace(x)
        grid = tuple(otf.shape)[-len(shape) :]
        axes = tuple(range(-len(shape), 0))
        if self.real_psf and not xp.isdtype(x.dtype, "complex floating"):
            half = otf[..., : grid[-1] // 2 + 1]
            y = xp.fft.irfftn(half * xp.fft.rfftn(x, s=grid, axes=axes), s=grid, axes=axes)
        else:
            if not xp.isdtype(x.dtype, "complex floating"):
                x = xp.astype(x, otf.dtype)
            y = xp.fft.ifftn(otf * xp.fft.fftn(x, s=grid, axes=axes), axes=axes)
        return y[(..., *(slice(n) for n in shape))]

    @classmethod
    def example(cls, rng, like, shape=(6, 5), psf_shape=(3, 4), **settings) -> Self:  # noqa: ANN001, ANN003
        """Small random instance on the library of `like`, for checks; see `from_psf`."""
        psf = rng.standard_normal(psf_shape) + 1j * rng.standard_normal(psf_shape)
        return cls.from_psf(from_numpy(psf, like), shape, **settings)


def _fast(n: int) -> int:
    """Smallest length from `n` on whose transform is fast."""
    return next_fast_len(n) or n


def _window(
    shape: tuple[int, ...], support: tuple[int, ...], output: str | Sequence[int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Start and length of what is measured, in the full linear convolution."""
    pairs = list(zip(shape, support, strict=True))
    if output == "full":
        return (0,) * len(shape), tuple(n + m - 1 for n, m in pairs)
    if output == "valid":
        return tuple(m - 1 for _, m in pairs), tuple(n - m + 1 for n, m in pairs)
    cropped = shape if isinstance(output, str) else tuple(output)
    start = (m // 2 + n // 2 - c // 2 for (n, m), c in zip(pairs, cropped, strict=True))
    return tuple(start), cropped


def _pad(psf: Array, grid: tuple[int, ...]) -> Array:
    """PSF with zeros after it on each of the last axes; a larger circular one wraps around."""
    xp = array_namespace(psf)
    for axis, n in zip(range(-len(grid), 0), grid, strict=True):
        missing = n - psf.shape[axis]
        if missing:
            shape = list(psf.shape)
            shape[axis] = missing
            zeros = xp.zeros(tuple(shape), dtype=psf.dtype, device=device(psf))
            psf = xp.concat([psf, zeros], axis=axis)
    return psf


def _check(
    shape: tuple[int, ...],
    support: tuple[int, ...],
    psf_ndim: int,
    boundary: str,
    output: str | Sequence[int],
) -> None:
    where = "Convolution.from_psf"
    if len(shape) not in (2, 3) or psf_ndim < len(shape):
        raise ValueError(
            f"{where}: `shape` must have 2 or 3 axes and `psf` as many, got {shape} and {support}."
        )
    if boundary not in ("zero", "circular"):
        raise ValueError(f"{where}: `boundary` must be zero or circular, got {boundary!r}.")
    if isinstance(output, str) and output not in ("same", "full", "valid"):
        raise ValueError(f"{where}: `output` must be same, full, valid or a shape, got {output!r}.")
    larger = any(m > n for n, m in zip(shape, support, strict=True))
    if larger and (boundary == "circular" or output == "valid"):
        raise ValueError(
            f"{where}: `psf` must fit in the image {shape}, got {support}. Crop it, or take "
            "boundary='zero' and output='same'."
        )
    if boundary == "circular" and output in ("full", "valid"):
        raise ValueError(
            f"{where}: `output` must be same or a shape with a circular boundary, got {output!r}."
        )
    if not isinstance(output, str) and (
        len(output) != len(shape)
        or any(not 1 <= c <= n for c, n in zip(output, shape, strict=True))
    ):
        raise ValueError(
            f"{where}: `output` must be a shape within the image {shape}, got {tuple(output)}."
        )
