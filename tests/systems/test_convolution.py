import numpy as np
import pytest
from scipy.signal import convolve

from reconic._array import from_numpy, to_numpy
from reconic.systems import Convolution

SHAPES = [((6, 5), (3, 4)), ((5, 8), (5, 8)), ((4, 5), (7, 6)), ((4, 3, 5), (2, 3, 3))]


@pytest.mark.parametrize("kind", ["real", "complex"])
@pytest.mark.parametrize("output", ["same", "full", "valid"])
@pytest.mark.parametrize(("shape", "support"), SHAPES)
def test_linear_convolution_is_scipys(shape, support, output, kind, rng):
    if output == "valid" and any(m > n for n, m in zip(shape, support, strict=True)):
        pytest.skip("the PSF does not fit in the image")
    psf, x = rng.standard_normal(support), rng.standard_normal((2, *shape))
    if kind == "complex":
        psf = psf + 1j * rng.standard_normal(support)
    A = Convolution.from_psf(psf, shape, output=output)
    full = [convolve(one, psf, mode="full", method="direct") for one in x]
    if (
        output == "same"
    ):  # scipy's takes another centre for even sizes, and that of the larger array
        part = tuple(slice(m // 2, m // 2 + n) for n, m in zip(shape, support, strict=True))
        want = [f[part] for f in full]
    elif output == "valid":
        want = [convolve(one, psf, mode="valid", method="direct") for one in x]
    else:
        want = full
    got = A(x)
    np.testing.assert_allclose(got, np.stack(want), atol=1e-12)
    assert got.dtype == (np.float64 if kind == "real" else np.complex128)


def test_circular_convolution_wraps_around(rng):
    psf, x = rng.standard_normal((3, 4)), rng.standard_normal((6, 5))
    want = sum(
        psf[i, j] * np.roll(x, (i - 1, j - 2), axis=(0, 1)) for i in range(3) for j in range(4)
    )
    np.testing.assert_allclose(
        Convolution.from_psf(psf, (6, 5), boundary="circular")(x), want, atol=1e-12
    )


@pytest.mark.parametrize("boundary", ["zero", "circular"])
@pytest.mark.parametrize("support", [(3, 3), (4, 2), (6, 5)])
def test_a_point_at_the_centre_changes_nothing(boundary, support, rng):
    psf = np.zeros(support)
    psf[support[0] // 2, support[1] // 2] = 1
    x = rng.standard_normal((6, 5))
    np.testing.assert_allclose(Convolution.from_psf(psf, (6, 5), boundary)(x), x, atol=1e-14)


def test_a_crop_is_around_the_centre_of_the_field_of_view(rng):
    psf, x = rng.standard_normal((5, 4)), rng.standard_normal((8, 9))
    whole = Convolution.from_psf(psf, (8, 9))(x)
    got = Convolution.from_psf(psf, (8, 9), output=(3, 4))
    assert got.out_shape == (3, 4)
    np.testing.assert_allclose(got(x), whole[3:6, 2:6], atol=1e-13)


@pytest.mark.parametrize("output", ["same", "full", (3, 4)])
def test_real_adjoints_are_the_transpose(output, rng):
    A = Convolution.from_psf(rng.standard_normal((4, 3)), (6, 5), output=output)
    x, y = rng.standard_normal((2, 6, 5)), rng.standard_normal((2, *A.out_shape))
    assert A.adjoint(y).dtype == np.float64
    np.testing.assert_allclose(np.sum(A(x) * y), np.sum(x * A.adjoint(y)), atol=1e-11)


def test_real_arrays_of_every_library_stay_real(like, rng):
    psf, x = rng.standard_normal((3, 3)), rng.standard_normal((6, 5))
    A = Convolution.from_psf(from_numpy(psf, like), (6, 5))
    got = A(from_numpy(x, like))
    np.testing.assert_allclose(to_numpy(got), Convolution.from_psf(psf, (6, 5))(x), atol=1e-13)
    assert to_numpy(got).dtype == np.float64


def test_a_psf_of_each_sample(rng):
    psf, x = rng.standard_normal((2, 3, 3)), rng.standard_normal((2, 6, 5))
    got = Convolution.from_psf(psf, (6, 5))(x)
    for i in range(2):
        np.testing.assert_allclose(got[i], Convolution.from_psf(psf[i], (6, 5))(x[i]), atol=1e-13)


def test_single_precision_stays_single(rng):
    psf, x = rng.random((3, 3)).astype(np.float32), rng.random((6, 5)).astype(np.float32)
    assert Convolution.from_psf(psf, (6, 5))(x).dtype == np.float32


def test_the_psf_may_be_descended_on(rng):
    jax = pytest.importorskip("jax")
    psf, x, y = (jax.numpy.asarray(rng.random(n)) for n in ((3, 3), (6, 5), (6, 5)))

    def cost(psf):
        return ((Convolution.from_psf(psf, (6, 5))(x) - y) ** 2).sum()

    slope = jax.grad(cost)(jax.numpy.asarray(psf))
    step = np.zeros((3, 3))
    step[0, 2] = 1e-6
    want = (cost(psf + step) - cost(psf - step)) / 2e-6
    assert float(slope[0, 2]) == pytest.approx(float(want), rel=1e-7)


@pytest.mark.parametrize(("settings", "says"), [
    ({"shape": (6,)}, "`shape` must have 2 or 3 axes"),
    ({"boundary": "mirror"}, "must be zero or circular, got 'mirror'"),
    ({"output": "some"}, "must be same, full, valid or a shape, got 'some'"),
    ({"output": (7, 5)}, r"must be a shape within the image \(6, 5\), got \(7, 5\)"),
    ({"shape": (2, 5), "output": "valid"}, r"must fit in the image \(2, 5\), got \(3, 3\)"),
    ({"boundary": "circular", "output": "full"}, "must be same or a shape with a circular"),
])  # fmt: skip
def test_bad_settings(settings, says):
    with pytest.raises(ValueError, match=says):
        Convolution.from_psf(np.ones((3, 3)), **{"shape": (6, 5), **settings})
    with pytest.raises(ValueError, match="`otf` must be at least as large"):
        Convolution(np.ones((3, 3)), (6, 5), (6, 5))
