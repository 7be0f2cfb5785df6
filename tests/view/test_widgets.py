"""The ipywidgets viewer: its controls are set, and its pictures decoded."""

import numpy as np
import pytest
from view.pictures import blocks, decoded, greys

from reconic import view
from reconic.simulate import radial
from reconic.view.profile import draw_profile

pytest.importorskip("ipywidgets")


def seen(front, row=0, column=0, shape=None):
    """Grey levels of a picture, one for each voxel."""
    return blocks(decoded(front.images[row][column].value), shape)[..., 0]


def shows(front, x, row=0, column=0):
    """Whether a picture shows these values in the present window."""
    error = np.abs(seen(front, row, column, x.shape) - greys(x, front.shows.window))
    return error.max() <= 1.1  # 252 of 256 levels


@pytest.fixture
def x(normal):
    return normal(3, 8, 20, 24)


@pytest.fixture
def front(x):
    return view.volume(x[:, 0], axes=("t", "y", "x")).widget()


def test_a_slider_changes_the_picture(front, x):
    assert shows(front, np.abs(x[0, 0]))
    front.controls.index[0].value = 2
    assert shows(front, np.abs(x[2, 0]))
    assert not shows(front, np.abs(x[0, 0]))


def test_the_components(front, x):
    for component, values in {"real": x.real, "imaginary": x.imag}.items():
        front.controls.component.value = component
        assert front.shows.window[0] == -front.shows.window[1]
        assert shows(front, values[0, 0])
    front.controls.component.value = "log"
    peak = front.scene.peak
    assert shows(front, 20 * np.log10(np.abs(x[0, 0]) / peak))
    for component in ("phase", "complex"):
        front.controls.component.value = component
        assert np.ptp(decoded(front.images[0][0].value), axis=-1).max() > 50  # in colour


def test_window_by_range_and_by_percentile(front, x):
    front.controls.window.value = (0.5, 1.0)
    assert front.shows.window == (0.5, 1.0)
    assert shows(front, np.abs(x[0, 0]))
    front.controls.percentiles.value = (10, 90)
    assert front.shows.window == pytest.approx(np.percentile(np.abs(x[:, 0]), (10, 90)))
    assert front.controls.window.value == pytest.approx(front.shows.window)
    assert shows(front, np.abs(x[0, 0]))


def test_orthogonal_planes_follow_the_crosshair(x):
    front = view.volume(x[0]).widget()
    for axis, i in enumerate((1, 6, 13)):
        front.controls.index[axis].value = i
    assert front.shows.index == (1, 6, 13)
    for column, plane in enumerate((x[0, 1], x[0, :, 6], x[0, :, :, 13])):
        wanted = greys(np.abs(plane), front.shows.window)
        error = np.abs(seen(front, 0, column, plane.shape) - wanted)
        assert np.median(error) <= 1.1  # but where the lines are


def test_the_plane_can_be_chosen(x):
    front = view.volume(x[0], orthogonal=False).widget()
    front.controls.shown.value = (0, 2)
    assert shows(front, np.abs(x[0, :, 10]))
    assert front.controls.index[1].layout.display == ""
    assert front.controls.index[0].layout.display == "none"


def test_parts_follow_the_window_of_the_magnitude(x):
    front = view.complex(x[0, 0]).widget()
    front.controls.window.value = (0, 0.8)
    error = np.abs(seen(front, 0, 2, (20, 24)) - greys(x[0, 0].real, (-0.8, 0.8)))
    assert error.max() <= 1.1  # 252 of 256 levels


def test_maximum_projection(front, x):
    front.controls.projection.value = True
    assert shows(front, np.abs(x[:, 0]).max(0))


def test_errors_and_their_factor(x):
    truth = np.abs(x[0, 0])
    front = view.compare([truth * 0.9, truth]).widget()
    assert [len(row) for row in front.images] == [2, 1]
    before = decoded(front.images[1][0].value).astype(int).sum()
    front.controls.error_scale.value = 10
    assert decoded(front.images[1][0].value).astype(int).sum() > 1.3 * before
    front.controls.errors.value = False
    assert [len(row) for row in front.images] == [2]


def test_one_grey_scale_across_panels(x):
    a = np.abs(x[0, 0])
    front = view.compare([a, 3 * a], reference=None).widget()
    assert shows(front, a, 0, 0)
    assert shows(front, 3 * a, 0, 1)


def test_the_profile_is_drawn_at_the_crosshair(front, x):
    assert front.curves.layout.display == "none"
    front.controls.profile.value = 2
    assert front.curves.layout.display == ""
    assert front.controls.index[1].layout.display == ""  # moves the crosshair
    first = decoded(front.curves.value)
    front.controls.index[1].value = 3
    assert not np.array_equal(decoded(front.curves.value), first)
    assert front.shows.crosshair


def test_the_profile_is_of_the_values_whatever_else_is_shown(x, monkeypatch):
    front = view.volume(x[:, 0], axes=("t", "y", "x"), spacing=2.0).widget()
    seen = []
    monkeypatch.setattr(
        "reconic.view.widgets.draw_profile",
        lambda *args, f=draw_profile: seen.append(args) or f(*args),
    )
    front.controls.component.value = "real"
    front.controls.projection.value = True
    front.controls.profile.value = 2
    lines, _, along, extent, place = seen[-1]
    np.testing.assert_array_equal(lines[""], x[0, 0, 10].real)
    assert (along, extent, place) == ("x in mm", 48, 12.5 / 24)


def test_an_empty_window_changes_nothing(front):
    before = front.shows.window
    front.controls.window.value = (0.7, 0.7)
    assert front.shows.window == before


def test_play_moves_over_the_chosen_axis(x):
    controls = view.volume4d(x).widget().controls
    assert (controls.over.value, controls.play.max) == (0, 2)
    controls.over.value = 1
    assert (controls.play.max, controls.play.value) == (7, 4)


def test_only_controls_that_do_something_are_shown():
    controls = view.volume(np.eye(4)).widget().controls
    hidden = ("shown", "projection", "errors", "error_scale")
    assert all(getattr(controls, name).layout.display == "none" for name in hidden)
    assert all(slider.layout.display == "none" for slider in controls.index.values())


def test_a_change_draws_one_frame(front, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        front._artist, "panels", lambda s, f=front._artist.panels: drawn.append(s) or f(s)
    )
    front.controls.index[0].value = 1
    front.controls.component.value = "real"  # its window follows
    front.controls.percentiles.value = (1, 98)
    assert len(drawn) == 3


@pytest.mark.parametrize(
    "values",
    [
        np.full((4, 5), np.nan), np.zeros((4, 5)), np.ones((4, 5), bool), np.arange(6.0),
        np.float64(3), np.ones((1, 2, 3, 2, 2, 4, 5)), np.full((4, 4), np.inf),
    ],
)  # fmt: skip
def test_odd_data_are_shown_with_a_line_that_tells(values):
    front = view.volume(values).widget()
    assert front.images
    for note in front.scene.notes:
        assert note in front.children[0].value
    assert bool(front.scene.notes)
    for name in front.controls.component.options:
        front.controls.component.value = name


def test_titles_are_text_not_html():
    front = view.compare({"<b>A": np.eye(4), "B": np.eye(5)}).widget()
    assert "<b>A" not in front.children[0].value.replace("<b>Shapes", "")
    assert "&lt;b&gt;A" in front.children[0].value


def test_the_slider_of_the_window_reaches_over_all_values_and_the_window(x):
    values = np.abs(x[0, 0])
    controls = view.volume(values, window=(0.5, 99.0)).widget().controls
    assert controls.window.min <= values.min()
    assert controls.window.max == 99
    controls = view.volume(values, window=(0.5, 1.0)).widget().controls
    assert controls.window.max >= values.max()


def test_decibels_have_80_below_their_window(x):
    controls = view.kspace(x[0], window=(-60.0, 0.0)).widget().controls
    assert (controls.window.min, controls.window.max) == (-140, 0)


def test_time_is_played_wherever_it_stands(x):
    viewer = view.volume(x[:, :, None], axes=("coil", "t", "z", "y", "x"))
    assert viewer.widget().controls.over.value == 1


def test_layers_with_windows_of_their_own_have_no_control_of_it():
    controls = view.trajectory(radial(3, 8), n=8).widget().controls
    assert controls.window.layout.display == controls.percentiles.layout.display == "none"
