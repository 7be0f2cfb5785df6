"""Image quality: NRMSE on complex images, PSNR and SSIM on magnitudes.

Each metric compares an estimate `x_hat` with its reference `x` over the last `n_space` axes and
returns one real value per leading index, so a batch of shape (batch, frames, ny, nx) gives
(batch, frames). PSNR and SSIM take as data range L = max |x|, the maximum of the reference
magnitude over the same axes. NumPy, torch and JAX arrays alike; torch and JAX can differentiate it.
"""

from typing import Literal

from reconic._array import Array, array_namespace, device, real_dtype

__all__ = ["nrmse", "psnr", "ssim"]

_RADIUS = {"gaussian": 5, "uniform": 3}  # windows of 11 and of 7 samples per axis
_SIGMA = 1.5  # samples
_K1, _K2 = 0.01, 0.03


def nrmse(x_hat: Array, x: Array, *, n_space: int = 2) -> Array:
    """Normalised root-mean-square error of complex images, ‖x̂ − x‖₂ / ‖x‖₂.

    Args:
        x_hat: Estimate `(..., *space)`, real or complex.
        x: Reference of the same shape.
        n_space: Number of trailing axes that make up one image.

    Returns:
        Real `(...)`; 0 for identical images, infinite for a wrong image of a zero reference.

    Raises:
        ValueError: If the shapes differ or have fewer than `n_space` axes.
    """
    axes = _check("nrmse", x_hat, x, n_space)
    xp = array_namespace(x_hat, x)
    error = xp.sum(_abs2(x_hat - x), axis=axes)
    return xp.sqrt(_ratio(error, xp.sum(_abs2(x), axis=axes)))


def psnr(x_hat: Array, x: Array, *, n_space: int = 2) -> Array:
    """Peak signal-to-noise ratio of magnitude images in dB, 10 log₁₀(L² / mean (|x̂| − |x|)²).

    The data range is L = max |x|.

    Args:
        x_hat: Estimate `(..., *space)`, real or complex.
        x: Reference of the same shape.
        n_space: Number of trailing axes that make up one image.

    Returns:
        Real `(...)`; infinite for identical magnitudes, -inf for a wrong image of a zero reference.

    Raises:
        ValueError: If the shapes differ or have fewer than `n_space` axes.
    """
    axes = _check("psnr", x_hat, x, n_space)
    xp = array_namespace(x_hat, x)
    reference = xp.abs(x)
    error = xp.mean((xp.abs(x_hat) - reference) ** 2, axis=axes)
    peak = xp.max(reference, axis=axes)
    finite = (peak > 0) & (error > 0)
    ratio = xp.where(finite, _ratio(peak**2, error), xp.ones_like(error))
    limit = xp.where(error > 0, xp.full_like(error, -xp.inf), xp.inf)
    return xp.where(finite, 10 * xp.log10(ratio), limit)


def ssim(
    x_hat: Array,
    x: Array,
    *,
    n_space: int = 2,
    window: Literal["gaussian", "uniform"] = "gaussian",
) -> Array:
    """Structural similarity of magnitude images, averaged over all windows inside the image.

    With local means μ, variances σ² and covariance σ₁₂ of the two magnitudes in a window,
    SSIM = (2 μ₁μ₂ + C₁)(2 σ₁₂ + C₂) / ((μ₁² + μ₂² + C₁)(σ₁² + σ₂² + C₂)), C₁ = (0.01 L)²,
    C₂ = (0.03 L)², and data range L = max |x|. Differentiable with respect to `x_hat`.

    Args:
        x_hat: Estimate `(..., *space)`, real or complex.
        x: Reference of the same shape.
        n_space: Number of trailing axes that make up one image.
        window: "gaussian" is the paper's: σ = 1.5 samples, cut to 11 per axis, with weighted
            (population) variances. "uniform" is 7 samples per axis with sample variances,
            scikit-image's default and the one that fastMRI reports.

    Returns:
        Real `(...)`, at most 1, which only identical magnitudes reach.

    Raises:
        ValueError: If the shapes differ, `window` is unknown or the image is smaller than it.

    References:
        Wang et al., IEEE Trans. Image Process. 13:600 (2004), Eq. 13 and section III-C.
    """
    axes = _check("ssim", x_hat, x, n_space)
    _check_window(x, n_space, window)
    xp = array_namespace(x_hat, x)
    a, b = xp.abs(x_hat), xp.abs(x)
    peak = xp.max(b, axis=axes, keepdims=True)
    peak = xp.where(peak > 0, peak, xp.ones_like(peak))
    # In units of L and about the reference's mean: moments in float32 then lose no digits.
    a, b = a / peak, b / peak
    shift = xp.mean(b, axis=axes, keepdims=True)
    a, b = a - shift, b - shift
    means = _local_means(xp.stack([a, b, a * a + b * b, a * b]), n_space, window)
    mean_a, mean_b, power, cross = (means[i, ...] for i in range(4))
    n_window = (2 * _RADIUS[window] + 1) ** n_space
    norm = n_window / (n_window - 1) if window == "uniform" else 1.0
    variances = norm * (power - mean_a**2 - mean_b**2)
    covariance = norm * (cross - mean_a * mean_b)
    mean_a, mean_b = mean_a + shift, mean_b + shift
    luminance = (2 * mean_a * mean_b + _K1**2) / (mean_a**2 + mean_b**2 + _K1**2)
    structure = (2 * covariance + _K2**2) / (variances + _K2**2)
    return xp.mean(luminance * structure, axis=axes)


def _abs2(x: Array) -> Array:
    """Squared magnitude, real."""
    xp = array_namespace(x)
    return xp.real(x) ** 2 + xp.imag(x) ** 2 if xp.isdtype(x.dtype, "complex floating") else x * x


def _ratio(a: Array, b: Array) -> Array:
    """Quotient a / b of non-negative numbers without warnings: 0 / 0 is 0, a / 0 is infinite."""
    xp = array_namespace(a, b)
    at_zero = xp.where(a > 0, xp.inf, xp.zeros_like(a))
    return xp.where(b > 0, a / xp.where(b > 0, b, xp.ones_like(b)), at_zero)


def _local_means(x: Array, n_space: int, window: str) -> Array:
    """Weighted means over every window that lies inside the last `n_space` axes."""
    xp = array_namespace(x)
    for _ in range(n_space):  # filter the last axis, bring the next one there
        weights = _window_matrix(x, _RADIUS[window], window)
        x = xp.moveaxis(xp.matmul(x, weights), -1, -n_space)
    return x


def _window_matrix(x: Array, radius: int, window: str) -> Array:
    """Banded (n, n - 2 radius) matrix whose columns hold the window at each of its places.

    A matrix product is the only convolution in the array standard; it is fast on every backend at
    the sizes of images and its gradient is another product.
    """
    xp = array_namespace(x)
    n = x.shape[-1]
    place = xp.arange(n, dtype=real_dtype(x), device=device(x))
    offset = place[:, None] - place[None, radius : n - radius]
    shape = xp.exp(offset**2 / (-2 * _SIGMA**2)) if window == "gaussian" else xp.ones_like(offset)
    weights = xp.where(xp.abs(offset) <= radius, shape, xp.zeros_like(shape))
    return weights / xp.sum(weights, axis=0, keepdims=True)


def _check(where: str, x_hat: Array, x: Array, n_space: int) -> tuple[int, ...]:
    """Space axes of `x` after checking that it can be compared with `x_hat`."""
    if tuple(x_hat.shape) != tuple(x.shape):
        raise ValueError(
            f"{where}: `x_hat` must have the shape of the reference, {tuple(x.shape)}, "
            f"got {tuple(x_hat.shape)}. Crop, squeeze or broadcast it first."
        )
    if not 1 <= n_space <= x.ndim:
        raise ValueError(
            f"{where}: `n_space` must be between 1 and the number of axes, got {n_space} for "
            f"shape {tuple(x.shape)}. Pass images with at least {n_space} axes."
        )
    return tuple(range(-n_space, 0))


def _check_window(x: Array, n_space: int, window: str) -> None:
    if window not in _RADIUS:
        raise ValueError(
            f"ssim: `window` must be one of {sorted(_RADIUS)}, got {window!r}. "
            "Use 'gaussian' for the window of Wang et al."
        )
    size, space = 2 * _RADIUS[window] + 1, tuple(x.shape[-n_space:])
    if min(space) < size:
        raise ValueError(
            f"ssim: `x` must be at least {size} along each of its space axes for the {window} "
            f"window, got {space}. Use window='uniform' (7 samples) or a larger image."
        )
