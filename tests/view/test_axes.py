"""Names and roles of axes."""

import numpy as np
import pytest

from reconic.view.axes import named_axes


def test_usual_names():
    assert named_axes("volume", (4, 5)).names == ("y", "x")
    axes = named_axes("volume", (2, 3, 4, 5, 6))
    assert axes.names == ("axis 0", "axis 1", "z", "y", "x")
    assert (axes.shown, axes.volume, axes.space) == ((3, 4), (2, 3, 4), (2, 3, 4))
    assert axes.start == (0, 0, 2, 2, 3)


def test_names_in_any_order():
    axes = named_axes("volume", (9, 8, 7, 6), ("x", "Y", "z", "time"), (1, 2, 3), "mm")
    assert (axes.shown, axes.volume, axes.time) == ((1, 0), (2, 1, 0), 3)
    assert axes.spacing == (1, 2, 3, 1)
    assert axes.units == ("mm", "mm", "mm", "")


def test_without_names_of_space_the_last_two_are_shown():
    axes = named_axes("volume", (2, 3, 4), ("coil", "readout", "phase"))
    assert (axes.shown, axes.volume, axes.space) == ((1, 2), None, (1, 2))


def test_a_volume_has_no_axis_of_one():
    assert named_axes("volume", (1, 4, 5)).volume is None
    assert named_axes("volume", (1, 4, 5), ("t", "y", "x")).time is None


def test_one_spacing_serves_all():
    assert named_axes("volume", (2, 3, 4), None, 1.5, "mm").spacing == (1.5, 1.5, 1.5)


@pytest.mark.parametrize("names", [("y",), ("x", "x"), ("a", "b", "c")])
def test_names_must_fit(names):
    with pytest.raises(ValueError, match=r"volume: `axes` must be 2 different names"):
        named_axes("volume", (4, 5), names)


@pytest.mark.parametrize("spacing", [0, -1, (1, 2, 3), np.nan])
def test_spacing_must_fit(spacing):
    with pytest.raises(ValueError, match="`spacing` must be a positive number, or one for each"):
        named_axes("volume", (4, 5), None, spacing)
