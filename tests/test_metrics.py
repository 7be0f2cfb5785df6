"""Metrics against other packages, against closed forms, on every array library."""

import functools

import array_api_strict
import numpy as np
import pytest

from reconic.metrics import nrmse, psnr, ssim

BACKENDS = ["numpy", "strict", "torch", "jax"]
METRICS = {
    "nrmse": nrmse,
    "psnr": psnr,
    "ssim": ssim,
    "ssim-uniform": functools.partial(ssim, window="uniform"),
}


def convert(a, backend):
    """`a` as an array of the named library."""
    if backend == "numpy":
        return a
    if backend == "strict":
        return array_api_strict.asarray(a)
    if backend == "torch":
        return pytest.importorskip("torch").asarray(a)
    return pytest.importorskip("jax").numpy.asarray(a)


def evaluate(metric, backend, x_hat, x, **options):
    """NumPy value of a metric computed by the named library, compiled where it compiles."""
    metric = functools.partial(metric, **options)
    if backend == "jax":
        metric = pytest.importorskip("jax").jit(metric)
    return np.asarray(metric(convert(x_hat, backend), convert(x, backend)))


def pair(*shape, dtype=np.complex64, noise=0.2, seed=0):
    """A smooth complex image with values of order one, and a noisy estimate of it."""
    rng = np.random.default_rng(seed)
    phase = np.add.outer(np.linspace(0, 3, shape[-2]), np.linspace(0, 5, shape[-1]))
    x = (1.5 + np.cos(2 * phase)) * np.exp(1j * phase) * rng.uniform(0.5, 1, (*shape[:-2], 1, 1))
    x_hat = x + noise * (rng.standard_normal(shape) + 1j * rng.standard_normal(shape))
    if not np.issubdtype(dtype, np.complexfloating):
        x_hat, x = np.abs(x_hat), np.abs(x)
    return x_hat.astype(dtype), x.astype(dtype)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("scale", "size"), [(1e-6, (64, 48)), (1e6, (33, 35))], ids=str)
@pytest.mark.parametrize(
    ("window", "settings"),
    [
        ("gaussian", {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}),
        ("uniform", {}),
    ],
)
def test_ssim_is_scikit_images(backend, scale, size, window, settings):
    metrics = pytest.importorskip("skimage.metrics")
    x_hat, x = (a * np.float32(scale) for a in pair(*size))
    value = evaluate(ssim, backend, x_hat, x, window=window)
    x_hat, x = np.abs(x_hat).astype(np.float64), np.abs(x).astype(np.float64)
    expected = metrics.structural_similarity(x_hat, x, data_range=x.max(), **settings)
    assert float(value) == pytest.approx(expected, abs=1e-5)  # moments in float32
    assert 0.1 < expected < 0.9


def test_ssim_in_double_precision_is_exact():
    metrics = pytest.importorskip("skimage.metrics")
    x_hat, x = pair(40, 30, dtype=np.float64)
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    expected = metrics.structural_similarity(x_hat, x, data_range=x.max(), **settings)
    assert float(ssim(x_hat, x)) == pytest.approx(expected, abs=1e-13)


def test_ssim_of_volumes_is_scikit_images():
    metrics = pytest.importorskip("skimage.metrics")
    x_hat, x = pair(9, 12, 11, dtype=np.float64)
    expected = metrics.structural_similarity(x_hat, x, data_range=x.max())
    value = ssim(x_hat, x, n_space=3, window="uniform")
    assert float(value) == pytest.approx(expected, abs=1e-13)


def test_metrics_are_torchmetrics():
    torch = pytest.importorskip("torch")
    image = pytest.importorskip("torchmetrics.functional.image")
    x_hat, x = (torch.from_numpy(a) for a in pair(1, 1, 48, 40, dtype=np.float64))
    peak = float(x.max())
    _, full = image.structural_similarity_index_measure(
        x_hat, x, data_range=peak, return_full_image=True
    )
    # its average includes windows that reach past the border; leave those out
    expected = full[..., 5:-5, 5:-5].mean()
    assert ssim(x_hat, x).item() == pytest.approx(expected.item(), abs=1e-9)
    expected = image.peak_signal_noise_ratio(x_hat, x, data_range=peak)
    assert psnr(x_hat, x).item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [np.complex64, np.float32])
def test_identical_images(backend, dtype):
    x = pair(2, 16, 17, dtype=dtype)[1]
    np.testing.assert_array_equal(evaluate(nrmse, backend, x, x), [0, 0])
    np.testing.assert_array_equal(evaluate(psnr, backend, x, x), [np.inf, np.inf])
    # each window's ratio of two equal float32 sums
    np.testing.assert_allclose(evaluate(ssim, backend, x, x), [1, 1], rtol=1e-5)


def test_nrmse_of_a_known_error():
    x = np.array([[3.0, 4.0j]])
    assert float(nrmse(x + np.array([[0, 1j]]), x)) == pytest.approx(1 / 5, rel=1e-15)
    assert float(nrmse(-x, x)) == pytest.approx(2, rel=1e-15)  # sees the phase


def test_psnr_of_a_known_offset():
    x = np.full((8, 8), 1.0)
    x[0, 0] = 10
    assert float(psnr(x + 0.1, x)) == pytest.approx(40, abs=1e-10)  # 20 log10(10 / 0.1)
    assert float(psnr((x + 0.1) * 1j, x)) == pytest.approx(40, abs=1e-10)  # blind to the phase


def test_ssim_of_constant_images():
    # no variance: only the luminance term (2 ab + C1) / (a^2 + b^2 + C1) is left, with L = b
    a, b, c1 = 0.5, 2.0, (0.01 * 2.0) ** 2
    expected = (2 * a * b + c1) / (a**2 + b**2 + c1)
    value = ssim(np.full((12, 12), a), np.full((12, 12), b))
    assert float(value) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
def test_zero_images_give_limits_without_warnings(backend):
    pairs = np.array([[0, 0], [1, 0], [0, 1]], np.complex64)  # estimate, reference
    x_hat, x = (np.broadcast_to(v[:, None, None], (3, 12, 12)).copy() for v in pairs.T)
    np.testing.assert_array_equal(evaluate(nrmse, backend, x_hat, x), [0, np.inf, 1])
    np.testing.assert_array_equal(evaluate(psnr, backend, x_hat, x), [np.inf, -np.inf, 0])
    # without a data range the constants take L = 1; then (2 ab + C1) / (a^2 + b^2 + C1)
    expected = [1, 1e-4 / (1 + 1e-4), 1e-4 / (1 + 1e-4)]
    np.testing.assert_allclose(evaluate(ssim, backend, x_hat, x), expected, rtol=1e-5)


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
@pytest.mark.parametrize("scale", [1e-3, 1e5])
def test_common_scale_does_not_matter(metric, scale):
    x_hat, x = pair(20, 18, dtype=np.complex128)
    assert float(metric(scale * x_hat, scale * x)) == pytest.approx(
        float(metric(x_hat, x)), rel=1e-10
    )


@pytest.mark.parametrize("metric", [psnr, ssim], ids=["psnr", "ssim"])
def test_data_range_is_the_references(metric):
    x_hat, x = pair(16, 16, dtype=np.float64)
    x_hat *= 10
    assert float(metric(x_hat, x)) != pytest.approx(float(metric(x, x_hat)), rel=1e-2)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
@pytest.mark.parametrize("n_space", [1, 2, 3])
def test_batch_is_a_loop(backend, metric, n_space):
    x_hat, x = pair(2, 3, 12, 13, 14)
    values = evaluate(metric, backend, x_hat, x, n_space=n_space)
    lead = x.shape[:-n_space]
    assert values.shape == lead
    loop = [float(metric(x_hat[i], x[i], n_space=n_space)) for i in np.ndindex(lead)]
    # sums in float32, ordered differently by each library
    np.testing.assert_allclose(values.ravel(), loop, rtol=2e-5)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_keeps_library_and_precision(backend, metric, dtype):
    x_hat, x = (convert(a, backend) for a in pair(2, 12, 12, dtype=dtype))
    value = metric(x_hat, x)
    assert type(value) is type(x)
    assert np.asarray(value).dtype == np.zeros((), dtype).real.dtype


@pytest.mark.parametrize("window", ["gaussian", "uniform"])
def test_ssim_gradient_in_torch(window):
    torch = pytest.importorskip("torch")
    x_hat, x = (torch.from_numpy(a) for a in pair(12, 11, dtype=np.complex128))
    x_hat.requires_grad_()
    assert torch.autograd.gradcheck(lambda a: ssim(a, x, window=window), x_hat)


@pytest.mark.parametrize("metric", [nrmse, psnr, ssim], ids=["nrmse", "psnr", "ssim"])
def test_refuses_what_does_not_compare(metric):
    x = np.ones((1, 12, 12))
    with pytest.raises(ValueError, match=r"`x_hat` must have .* \(1, 12, 12\), got \(12, 12\)"):
        metric(x[0], x)
    with pytest.raises(ValueError, match=r"`n_space` must be between 1 .* got 4 for shape"):
        metric(x, x, n_space=4)
    with pytest.raises(ValueError, match=r"`n_space` must be between 1 .* got 0 for shape"):
        metric(x, x, n_space=0)


def test_ssim_refuses_small_images_and_unknown_windows():
    x = np.ones((10, 12))
    with pytest.raises(ValueError, match=r"`x` must be at least 11 .* got \(10, 12\)"):
        ssim(x, x)
    assert float(ssim(x, x, window="uniform")) == 1
    with pytest.raises(ValueError, match=r"`x` must be at least 7 .* got \(6, 12\)"):
        ssim(x[:6], x[:6], window="uniform")
    with pytest.raises(ValueError, match=r"`window` must be one of .* got 'hann'"):
        ssim(x, x, window="hann")
