import numpy as np
import pytest

from reconic.view import grey_scale, tile, to_error, to_grey, to_log_kspace, to_phase


def test_grey_is_linear_between_zero_and_vmax():
    x = np.array([[0, 1j, -2, 4]], np.complex64)
    np.testing.assert_array_equal(to_grey(x, vmax=2), [[0, 128, 255, 255]])
    assert to_grey(x, vmax=2).dtype == np.uint8


def test_own_grey_scale_lets_the_brightest_saturate():
    x = np.linspace(0, 1, 10_000).reshape(100, 100)
    x[0, 0] = 50  # one hot pixel
    assert grey_scale([x]) == pytest.approx(0.998, abs=1e-3)
    assert np.median(to_grey(x)) == pytest.approx(128, abs=1)


def test_grey_scale_is_the_largest_of_all_images():
    rng = np.random.default_rng(0)
    x = rng.random((40, 40))
    assert grey_scale([x, 3j * x]) == pytest.approx(3 * grey_scale([x]))


@pytest.mark.parametrize("make", [to_grey, to_phase, to_log_kspace])
def test_images_of_zeros_are_black(make):
    assert not make(np.zeros((4, 5), np.complex64)).any()


def test_a_few_bright_pixels_still_set_a_scale():
    x = np.zeros((100, 100))
    x[3, 4] = 7  # under 0.2 % of the pixels
    assert grey_scale([x]) == 7


def test_error_grows_with_the_difference_and_is_black_without():
    x = np.zeros((1, 4), np.complex64)
    x_hat = np.array([[0, 0.05, 0.1j, -0.3]], np.complex64)
    rgb = to_error(2 * x_hat, 2 * x, vmax=2.0, scale=5)
    np.testing.assert_array_equal(rgb, to_error(x_hat, x, vmax=1.0, scale=5))
    assert rgb.shape == (1, 4, 3)
    assert rgb.dtype == np.uint8
    brightness = rgb.astype(int).sum(axis=-1)[0]
    assert np.all(np.diff(brightness) > 0)
    assert brightness[0] < 10
    np.testing.assert_array_equal(rgb[0, 3], to_error(x_hat * 9, x, vmax=1.0)[0, 3])  # saturated


def test_phase_is_cyclic_and_blind_to_magnitude():
    angles = np.array([[-np.pi + 1e-6, np.pi - 1e-6, 0, np.pi / 2]])
    rgb = to_phase(np.exp(1j * angles)).astype(int)
    assert rgb.shape == (1, 4, 3)
    assert np.abs(rgb[0, 0] - rgb[0, 1]).max() <= 4
    assert np.abs(rgb[0, 0] - rgb[0, 2]).max() > 60
    assert np.abs(rgb[0, 0] - rgb[0, 3]).max() > 60
    scale = np.array([[1, 0.5, 0.1, 0.2]])
    np.testing.assert_array_equal(to_phase(scale * np.exp(1j * angles)), rgb)


def test_phase_without_signal_is_black():
    rgb = to_phase(np.array([[1, 0.02j, 0]]))
    assert rgb[0, 0].any()
    assert not rgb[0, 1:].any()


def test_log_kspace_is_linear_in_decibels():
    y = np.array([[1, 0.1, 0.01, 0.001, 1e-4, 1e-9, 0]]).astype(np.complex64)
    expected = [[255, 191, 128, 64, 0, 0, 0]]
    np.testing.assert_allclose(to_log_kspace(y, 80), expected, atol=1)  # rounding of a half


def test_log_kspace_combines_coils():
    y = np.zeros((2, 3, 1, 2), np.complex64)
    y[..., 0] = 1j
    y[0, 0, 0, 1] = np.sqrt(6)
    np.testing.assert_array_equal(to_log_kspace(y), [[255, 255]])


def test_tiles_have_black_between_them():
    a, b = np.full((2, 3), 100, np.uint8), np.full((2, 3), 200, np.uint8)
    tiled = tile([[a, b], [b, a]], gap=1)
    expected = [
        [100, 100, 100, 0, 200, 200, 200],
        [100, 100, 100, 0, 200, 200, 200],
        [0] * 7,
        [200, 200, 200, 0, 100, 100, 100],
        [200, 200, 200, 0, 100, 100, 100],
    ]
    np.testing.assert_array_equal(tiled, expected)


def test_a_colour_among_tiles_makes_all_coloured():
    red = np.zeros((1, 1, 3), np.uint8)
    red[..., 0] = 255
    tiled = tile([[np.full((1, 1), 7, np.uint8), red]], gap=0)
    np.testing.assert_array_equal(tiled, [[[7, 7, 7], [255, 0, 0]]])
