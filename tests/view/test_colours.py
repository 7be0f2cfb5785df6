"""Properties of the colour maps, in CIELAB by scikit-image."""

import numpy as np
import pytest

from reconic.view.colours import HUE, ORDER, PHASE, table


def test_tables():
    assert np.array_equal(table("gray"), np.repeat(np.arange(256)[:, None], 3, 1))
    assert (table(ORDER)[0] == 0).all()
    assert table(ORDER)[1:].sum(1).min() > 0


@pytest.mark.parametrize("name", [HUE, PHASE])
def test_cyclic_maps_close(name):
    colours = table(name).astype(int)
    steps = np.abs(np.diff(colours, axis=0)).sum(1)
    assert np.abs(colours[-1] - colours[0]).sum() <= 2 * steps.max()


def test_hue_is_of_one_lightness():
    lab = pytest.importorskip("skimage.color").rgb2lab(table(HUE)[None] / 255)[0]
    assert np.ptp(lab[:, 0]) < 1.5  # cut to sRGB in places
    assert lab[128, 1] > 30  # red at 0, yellow at π/2
    assert lab[191, 2] > 30
    steps = np.linalg.norm(np.diff(lab[::8], axis=0), axis=1)  # single ones are rounded to 8 bits
    assert steps.max() < 1.2 * np.median(steps)  # perceptually uniform


def test_an_unknown_map_is_named():
    with pytest.raises(KeyError, match="must be a colour map of matplotlib, got 'no'"):
        table("no")
