"""Random fields have the spectrum they claim; band-limiting is exact on what it should keep."""

import numpy as np
import pytest

from reconic.simulate.fields import crop_spectrum, smooth_field, texture


@pytest.mark.parametrize("shape", [(64, 48), (33, 20), (12, 16, 10)])
def test_smooth_field_has_zero_mean_and_unit_deviation(shape):
    field = smooth_field(shape, np.random.default_rng(0), 3.0)
    assert field.shape == shape
    assert field.mean() == pytest.approx(0, abs=1e-12)
    assert field.std() == pytest.approx(1, abs=1e-12)


def test_smooth_field_is_smoother_for_a_lower_cutoff():
    def roughness(cutoff):
        return np.abs(np.diff(smooth_field((96, 64), np.random.default_rng(1), cutoff))).mean()

    # of a cosine series the mean slope grows in proportion to the cut-off
    assert 2 < roughness(8.0) / roughness(2.0) < 8


def test_smooth_field_varies_alike_along_axes_of_unlike_length():
    fields = [smooth_field((120, 40), np.random.default_rng(s), 6.0) for s in range(20)]
    down = np.mean([np.mean(np.diff(f, axis=0) ** 2) for f in fields])
    across = np.mean([np.mean(np.diff(f, axis=1) ** 2) for f in fields])
    assert 0.6 < down / across < 1.6  # 20 fields of some 100 modes: 15 % by chance


def test_texture_has_nothing_coarse_in_it():
    field = texture((128, 128), np.random.default_rng(0), 4.0)
    power = np.abs(np.fft.fftn(field)) ** 2
    coarse = np.hypot(*np.meshgrid(np.fft.fftfreq(128), np.fft.fftfreq(128))) < 1 / 32
    assert field.std() == pytest.approx(1)
    assert power[coarse].sum() < 0.01 * power.sum()


@pytest.mark.parametrize(("fine", "shape"), [((32, 24), (16, 12)), ((30, 22), (15, 11))])
def test_crop_spectrum_keeps_a_constant(fine, shape):
    cropped = crop_spectrum(np.full(fine, 3.0), shape)
    assert cropped.dtype == np.complex64
    np.testing.assert_allclose(cropped, np.full(shape, 3.0), atol=1e-5)


def test_crop_spectrum_keeps_what_both_grids_can_hold():
    # a low frequency is sampled on the coarser grid, both grids centred at n // 2
    def wave(ny, nx):
        y, x = np.meshgrid((np.arange(ny) - ny // 2) / ny, (np.arange(nx) - nx // 2) / nx,
                           indexing="ij")  # fmt: skip
        return np.exp(2j * np.pi * (3 * y - 2 * x))

    np.testing.assert_allclose(crop_spectrum(wave(32, 24), (16, 12)), wave(16, 12), atol=1e-5)
    np.testing.assert_allclose(crop_spectrum(wave(30, 22), (15, 11)), wave(15, 11), atol=1e-5)


def test_crop_spectrum_window_weakens_the_edges_of_k_space_alone():
    point = np.zeros((32, 32))
    point[16, 16] = 1.0
    spectrum = np.abs(np.fft.fftshift(np.fft.fftn(crop_spectrum(point, (16, 16), window=1.5))))
    assert spectrum[8, 0] / spectrum[8, 8] == pytest.approx(np.exp(-1.5), rel=1e-5)
