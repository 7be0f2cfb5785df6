"""Colour bars say which values their colours stand for."""

from dataclasses import replace

import numpy as np
import pytest

from reconic import view
from reconic.simulate import radial
from reconic.view.bars import bars
from reconic.view.paths import Paths
from reconic.view.state import State


def shown(viewer, **changes):
    """Label and ends of each bar."""
    state = replace(State.first(viewer.scene), **changes)
    return [(bar.label, bar.low, bar.high) for bar in bars(viewer.scene, state)]


def test_layers_on_one_scale_share_a_bar_and_errors_have_their_own(rng):
    viewer = view.compare(list(rng.random((3, 4, 5))), window=(0.2, 1.0))
    assert shown(viewer, error_scale=4.0) == [
        ("value", 0.2, 1.0), ("|error|", 0.0, pytest.approx(0.8 / 4)),
    ]  # fmt: skip
    assert shown(viewer, errors=False) == [("value", 0.2, 1.0)]


def test_a_layer_with_a_window_of_its_own_is_called_by_its_title():
    order, density = shown(view.trajectory(radial(3, 16), n=8))
    cells = Paths.of(radial(3, 16), 8).density()
    assert order == ("Order of acquisition", 0.0, 3.0)
    assert density == ("Samples in a cell", 0.0, np.percentile(cells[cells > 0], 99))
    assert density[2] > 3.1


def test_errors_beside_decibels_are_on_the_scale_of_magnitudes(normal):
    viewer = view.compare(list(normal(2, 8, 9)), error_scale=2.0)
    _, error = shown(viewer, component="log", window=(-80.0, 0.0))
    assert error == ("|error|", 0.0, viewer.scene.window_of("magnitude")[1] / 2)


def test_the_bar_of_complex_values_is_of_their_brightness(normal):
    viewer = view.maps(normal(2, 4, 5), window=(0, 2))
    (bar,) = bars(viewer.scene, State.first(viewer.scene))
    ramp = bar.picture(4, 64).rgb()
    assert bar.label == "magnitude; hue is phase"
    assert np.ptp(ramp, axis=-1).max() == 0  # grey
    assert ramp[0, 0, 0] < 5 < 250 < ramp[0, -1, 0]
