"""Windows and components, against NumPy's percentiles."""

import numpy as np
import pytest

from reconic import view
from reconic.view.scene import component_of


def test_components(normal):
    x = normal(4, 5)
    assert np.allclose(component_of(x, "magnitude"), np.hypot(x.real, x.imag), rtol=1e-12)
    assert np.allclose(component_of(x, "phase"), np.arctan2(x.imag, x.real), rtol=1e-12)
    assert np.array_equal(component_of(x, "real"), x.real)
    assert np.array_equal(component_of(x, "imaginary"), x.imag)
    decibels = 10 * np.log10((x.real**2 + x.imag**2) / 4)
    assert np.allclose(component_of(x, "log", peak=2.0), decibels, rtol=1e-9)


def test_integers_do_not_overflow():
    x = np.array([-128, 127], np.int8)
    assert component_of(x, "magnitude").tolist() == [128, 127]
    assert component_of(np.float16([60000]), "real").dtype == np.float32


def test_log_of_zero_is_finite():
    assert np.isfinite(component_of(np.zeros(3), "log")).all()


def test_one_window_serves_all_layers(normal):
    a, b = normal(20, 20), 3 * normal(20, 20)
    scene = view.compare([a, b]).scene
    top = max(np.percentile(np.abs(x), 99.8) for x in (a, b))
    assert scene.window_of("magnitude") == pytest.approx((0, top))
    assert scene.window_of("real") == pytest.approx((-top, top))  # zero in the middle
    assert scene.window_of("phase") == pytest.approx((-np.pi, np.pi))
    assert scene.window_of("log") == (-80, 0)
    assert scene.peak == pytest.approx(max(np.abs(a).max(), np.abs(b).max()))


def test_windows_of_real_values(rng):
    x = rng.standard_normal((30, 30))
    assert view.volume(x).scene.window_of("real") == pytest.approx(
        (np.percentile(x, 0.2), np.percentile(x, 99.8))
    )
    assert view.volume(x**2).scene.window_of("real")[0] == 0
    given = view.volume(x, window=(-1, 2)).scene
    assert given.window_of("real") == (-1, 2)
    assert given.window_of("magnitude")[0] == 0
    chosen = view.volume(x, percentiles=(5, 95)).scene
    assert chosen.window_of("real") == pytest.approx(np.percentile(x, [5, 95]))


@pytest.mark.parametrize("value", [0.0, 5.0, -5.0, np.nan, np.inf])
def test_windows_of_constants_are_not_empty(value):
    low, high = view.volume(np.full((4, 4), value)).scene.window_of("real")
    assert np.isfinite([low, high]).all()
    assert low < high


def test_sparse_values_are_seen():
    x = np.zeros((100, 100))
    x[3, 4] = 2.0  # beyond the percentile
    assert view.volume(x).scene.window_of("real") == (0, 2)


def test_depth_is_the_third_axis_of_the_volume():
    scene = view.volume4d(np.ones((2, 3, 4, 5))).scene
    assert [scene.depth(v) for v in scene.views] == [1, 2, 3]
    assert view.volume(np.ones((4, 5))).scene.depth((0, 1)) is None


def test_the_depth_is_of_space_before_other_axes():
    scene = view.volume(np.ones((5, 4, 3, 2)), axes=("x", "y", "z", "t")).scene
    assert scene.depth((1, 0)) == 2


def test_axes_of_unlike_units_are_measured_in_voxels():
    scene = view.volume(np.ones((4, 5)), axes=("t", "x"), spacing=3.0).scene
    assert scene.extent((0, 1)) == (4, 5)


def test_percentiles_that_are_asked_for_are_those_of_parts_too(normal):
    a, b = normal(20, 20), 3 * normal(20, 20)
    scene = view.compare([a, b], percentiles=(5, 95)).scene
    low, high = (np.percentile(np.stack([a, b]).real, q, axis=(1, 2)) for q in (5, 95))
    assert scene.window_of("real") == pytest.approx((low.min(), high.max()))


def test_the_peak_of_zeros_is_one():
    assert view.volume(np.zeros((4, 4))).scene.peak == 1
