"""Curves: they are where their values are."""

import numpy as np
import pytest

from reconic.view.profile import draw_profile

BLUE = (86, 180, 233)


def heights(picture):
    """Mean row of the first curve, by column of the frame."""
    blue = (picture.rgb()[22:159, 66:631] == BLUE).all(-1)
    return [rows.mean() if (rows := np.flatnonzero(c)).size else np.nan for c in blue.T]


def test_a_ramp_goes_up_linearly():
    found = np.array(heights(draw_profile({"": np.arange(100.0)}, (0, 99), "x in mm", 1.0, 0.5)))
    wanted = np.linspace(136, 0, found.size)
    kept = np.isfinite(found)
    assert kept.mean() > 0.95
    assert np.abs(found - wanted)[kept].max() < 3  # the curve is 2 pixels thick


def test_values_that_are_not_finite_are_gaps():
    values = np.ones(10)
    values[4:6] = np.nan, np.inf
    gap = np.isnan(heights(draw_profile({"": values}, (0, 2), "x", 1.0, 0.0)))
    assert gap[int(0.45 * len(gap)) : int(0.55 * len(gap))].all()
    assert not gap[int(0.1 * len(gap)) : int(0.3 * len(gap))].any()


def test_a_value_is_in_the_middle_of_its_voxel():
    values = np.zeros(10)
    values[3] = 1
    found = heights(draw_profile({"": values}, (0, 1), "x", 1.0, 0.9))
    assert np.nanargmin(found) == pytest.approx(0.35 * len(found), abs=2)  # 2 pixels thick


def test_a_value_alone_is_a_dash_as_wide_as_its_voxel():
    values = np.full(5, np.nan)
    values[2] = 1
    seen = np.isfinite(heights(draw_profile({"": values}, (0, 2), "x", 1.0, 0.1)))
    assert seen.mean() == pytest.approx(1 / 5, abs=0.01)
    assert seen[len(seen) // 2]


def test_the_crosshair_is_where_it_is_on_the_axis():
    pixels = draw_profile({"": np.full(4, np.nan)}, (0, 1), "x", 1.0, 0.25).rgb()
    (line,) = np.flatnonzero((pixels[30:150, 70:620] == 110).all((0, 2)))
    assert line + 70 == pytest.approx(66 + 0.25 * 564, abs=1)


@pytest.mark.parametrize("values", [np.full(5, np.nan), np.ones(1), np.zeros(3)])
def test_anything_can_be_drawn(values):
    draw_profile({"a": values}, (0, 1), "x", 1.0, 0.5)
