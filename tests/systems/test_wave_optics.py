import numpy as np
import pytest

from reconic._array import from_numpy, to_numpy
from reconic.systems import AngularSpectrum
from reconic.systems.wave_optics import angular_spectrum, pupil, zernike


def gaussian(n, dx, waist, z, wavelength):
    """Gaussian beam at z, in the paraxial approximation (Saleh & Teich, Eq. 3.1-7)."""
    x = (np.arange(n) - n // 2) * dx
    r2 = x[:, None] ** 2 + x**2
    reach = np.pi * waist**2 / wavelength
    q = z - 1j * reach
    return -1j * reach / q * np.exp(1j * 2 * np.pi / wavelength * (z + r2 / (2 * q)))


def test_a_gaussian_beam_spreads_as_in_the_textbook():
    n, dx, waist, wavelength, z = 256, 1.0, 12.0, 0.5, 600.0
    A = AngularSpectrum(angular_spectrum((n, n), np.asarray([z]), dx, wavelength))
    got = A(gaussian(n, dx, waist, 0.0, wavelength))[0]
    want = gaussian(n, dx, waist, z, wavelength)
    # the next order of the axial phase is π z λ³ f⁴ / 4 ≈ 2e-4 rad at the beam's edge in frequency
    assert np.linalg.norm(got - want) / np.linalg.norm(want) < 1e-3


def test_there_and_back_is_where_one_started(rng):
    field = rng.standard_normal((8, 6)) + 1j * rng.standard_normal((8, 6))
    kernel = angular_spectrum((8, 6), np.asarray([30.0, -30.0]), 1.0, 0.5)  # no evanescent waves
    there = AngularSpectrum(kernel[:1])(field)[0]
    np.testing.assert_allclose(AngularSpectrum(kernel[1:])(there)[0], field, atol=1e-12)
    np.testing.assert_allclose(kernel[1], kernel[0].conj(), atol=1e-15)


def test_evanescent_waves_decay_either_way():
    kernel = angular_spectrum((16, 16), np.asarray([2.0, -2.0]), 0.1, 0.5)
    f = np.fft.fftfreq(16, 0.1)
    square = 4 - f[:, None] ** 2 - f**2
    for k in kernel:
        want = np.where(square >= 0, 1, np.exp(-4 * np.pi * np.sqrt(np.abs(square))))
        np.testing.assert_allclose(np.abs(k), want, atol=1e-15)


def test_the_band_limit_leaves_out_what_would_wrap_around():
    kernel = angular_spectrum((64, 64), np.asarray([1.0, 2000.0]), 1.0, 0.5, band_limited=True)
    power = np.abs(kernel) ** 2
    assert power[0].all()
    fastest = 1 / 0.5 / np.sqrt((2 * 2000 / 64) ** 2 + 1)
    assert np.array_equal(power[1, :, 0] > 0, np.abs(np.fft.fftfreq(64)) <= fastest)


def test_a_pupil_is_a_disc_a_ring_or_a_shifted_disc():
    like = np.zeros(1)
    f = np.fft.fftfreq(32, 0.5)
    radius = np.hypot(f[:, None], f)
    got = pupil((32, 32), 0.5, 0.3, 0.5, like=like)
    np.testing.assert_array_equal(got, radius <= 0.6)
    ring = pupil((32, 32), 0.5, 0.3, 0.5, NA_in=0.2, like=like)
    np.testing.assert_array_equal(ring, (radius <= 0.6) & (radius >= 0.4))
    moved = pupil((32, 32), 0.5, 0.3, 0.5, shift=(f[3], f[-2]), like=like)
    np.testing.assert_array_equal(moved, np.roll(got, (3, -2), axis=(0, 1)))


def test_zernike_polynomials_are_orthonormal_and_known():
    x = (np.arange(400) + 0.5) / 200 - 1
    rho, theta = np.hypot(x[:, None], x), np.arctan2(x[:, None], x)
    inside = rho <= 1
    modes = [(n, m) for n in range(5) for m in range(-n, n + 1, 2)]
    values = np.stack([zernike(n, m, rho, theta)[inside] for n, m in modes])
    gram = values @ values.T / inside.sum()
    np.testing.assert_allclose(gram, np.eye(len(modes)), atol=0.01)  # of a disc of square pixels
    np.testing.assert_allclose(
        zernike(2, 0, rho, theta)[inside], np.sqrt(3) * (2 * rho**2 - 1)[inside], atol=1e-12
    )
    assert not zernike(2, 2, rho, theta)[~inside].any()


def test_kernels_of_every_library_agree(like):
    want = angular_spectrum((5, 4), np.asarray([3.0]), 0.3, 0.5)
    got = angular_spectrum((5, 4), from_numpy(np.asarray([3.0]), like), 0.3, 0.5)
    np.testing.assert_allclose(to_numpy(got), want, atol=1e-12)


@pytest.mark.parametrize(("n", "m"), [(2, 1), (1, 3), (-1, 0)])
def test_bad_settings(n, m):
    with pytest.raises(ValueError, match=f"got n = {n} and m = {m}"):
        zernike(n, m, np.zeros(1), np.zeros(1))
    with pytest.raises(
        ValueError, match=r"must have shape \(\*batch, plane, ny, nx\), got \(3, 3\)"
    ):
        AngularSpectrum(np.ones((3, 3)))
