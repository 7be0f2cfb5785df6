"""Pictures of scenes against pictures made here."""

from dataclasses import replace

import numpy as np
import pytest
from view.counting import Counting
from view.pictures import blocks, greys

from reconic import view
from reconic.view.draw import Artist
from reconic.view.state import State


def drawn(viewer, **changes):
    """Panels of a scene, and what is shown."""
    state = replace(State.first(viewer.scene), crosshair=False, **changes)
    return Artist(viewer.scene).panels(state), state


def looks_like(panel, wanted, atol=1.1):  # 252 of 256 levels
    found = blocks(panel.picture.rgb(), wanted.shape[:2])
    wanted = wanted if wanted.ndim == 3 else np.repeat(wanted[..., None], 3, -1)
    assert np.abs(found - wanted).max() <= atol


def test_three_planes_of_a_volume(normal):
    x = normal(8, 20, 30)
    (row,), state = drawn(view.volume(x, window=(0, 2)), index=(3, 4, 5))
    for panel, plane in zip(row, (x[3], x[:, 4], x[:, :, 5]), strict=True):
        looks_like(panel, greys(np.abs(plane), state.window))
    assert [p.title for p in row] == ["z = 3", "y = 4", "x = 5"]


def test_maximum_projections(normal):
    x = normal(2, 8, 20, 30)
    (row,), state = drawn(view.volume4d(x), index=(1, 3, 4, 5), projection=True)
    for axis, panel in enumerate(row):
        looks_like(panel, greys(np.abs(x[1]).max(axis), state.window))
    assert row[0].title == "largest along z"
    (row,), state = drawn(view.volume(x[1].real), projection=True)
    looks_like(row[0], greys(np.abs(x[1].real).max(0), state.window))  # real values stay on it


@pytest.mark.parametrize("component", ["magnitude", "phase", "real", "imaginary", "log"])
def test_components_of_complex_values(normal, component):
    x = normal(32, 40)
    viewer = view.volume(x, colours=None)
    ((panel,),), _ = drawn(viewer, component=component, window=(-2.0, 1.0))
    parts = {
        "magnitude": np.abs(x),
        "real": x.real,
        "imaginary": x.imag,
        "log": 20 * np.log10(np.abs(x) / np.abs(x).max()),
    }
    if component == "phase":
        import matplotlib

        places = np.clip((np.angle(x) + 2) / 3, 0, 1)
        wanted = 255 * matplotlib.colormaps["twilight"](places)[..., :3]
        looks_like(panel, wanted, atol=6)  # two steps of the map
    else:
        looks_like(panel, greys(parts[component], (-2.0, 1.0)))


def test_errors_on_the_scale_of_the_images(rng):
    truth = rng.random((24, 32))
    a, b = truth + 0.02 * rng.standard_normal((24, 32)), 0.9 * truth
    import matplotlib

    (images, errors), state = drawn(view.compare([a, b, truth], error_scale=4))
    assert [p.title for p in images] == ["Image 1", "Image 2", "Truth"]
    for panel, x in zip(images, (a, b, truth), strict=True):
        looks_like(panel, greys(x, state.window))  # one grey scale
    span = state.window[1] - state.window[0]
    for panel, x in zip(errors, (a, b), strict=True):
        places = np.clip(4 * np.abs(x - truth) / span, 0, 1)
        looks_like(panel, 255 * matplotlib.colormaps["inferno"](places)[..., :3], atol=6)
        nrmse = np.linalg.norm(x - truth) / np.linalg.norm(truth)
        assert f"NRMSE {nrmse:.3g}" in panel.title


def test_errors_of_integers_do_not_wrap():
    a, truth = np.full((8, 8), 3, np.uint8), np.full((8, 8), 5, np.uint8)
    (_, (error,)), _ = drawn(view.compare([a, truth], window=(0, 20), error_scale=1))
    assert "NRMSE 0.4 " in error.title


def test_no_error_where_shapes_differ(rng):
    a, b, truth = rng.random((10, 12)), rng.random((12, 12)), rng.random((12, 12))
    rows, _ = drawn(view.compare([a, b, truth]))
    assert [len(row) for row in rows] == [3, 1]


def test_values_that_are_not_finite_are_counted_and_green():
    x = np.ones((16, 16))
    x[3, 4], x[5, 6] = np.nan, np.inf
    ((panel,),), _ = drawn(view.volume(x))
    assert panel.note == "2 values are NaN or Inf: green"
    assert blocks(panel.picture.rgb(), x.shape)[3, 4].tolist() == [0, 158, 115]


def test_voxels_keep_their_proportions():
    viewer = view.volume(np.ones((10, 64, 64)), spacing=(3, 1, 2))
    (row,), _ = drawn(viewer)
    for panel, aspect in zip(row, (64 / 128, 30 / 128, 30 / 64), strict=True):
        h, w = panel.picture.pixels.shape[:2]
        assert h / w == pytest.approx(aspect, rel=0.02)


def test_a_row_of_values_is_seen():
    ((panel,),), _ = drawn(view.volume(np.arange(200.0)))
    assert panel.picture.pixels.shape[0] >= 40


def test_seven_axes(rng):
    x = rng.random((2, 3, 2, 2, 6, 10, 12))
    viewer = view.volume(x)
    (row,), state = drawn(viewer, index=(1, 2, 0, 1, 3, 4, 5))
    looks_like(row[0], greys(x[1, 2, 0, 1, 3], state.window))
    assert viewer.scene.sliders == (0, 1, 2, 3)


def test_a_plane_is_read_once(rng):
    array = Counting(rng.random((4, 5, 6, 7)))
    viewer = view.volume4d(array)
    artist, state = Artist(viewer.scene), State.first(viewer.scene)
    artist.panels(state)
    array.keys.clear()
    artist.panels(replace(state, window=(0.0, 0.5)))
    assert array.keys == []
    artist.panels(replace(state, index=(0, 3, 3, 3)))  # z: only the plane across z is new
    assert array.keys == [(0, 3, slice(None), slice(None))]
    artist.panels(replace(state, projection=True))
    array.keys.clear()
    artist.panels(replace(state, projection=True, index=(0, 3, 2, 2)))  # the volume is the same
    assert array.keys == []


def test_large_planes_are_thinned():
    ((panel,),), _ = drawn(view.volume(np.eye(2048, dtype=np.float32)))
    assert panel.picture.pixels.shape == (1024, 1024)


def test_the_scale_bar_is_drawn_only_with_units():
    with_units, _ = drawn(view.volume(np.zeros((64, 64)), spacing=1.5))
    without, _ = drawn(view.volume(np.zeros((64, 64))))
    assert with_units[0][0].picture.rgb().any()
    assert not without[0][0].picture.rgb().any()


def test_the_crosshair_is_where_the_planes_are_cut():
    viewer = view.volume(np.zeros((16, 32, 32)))
    state = replace(State.first(viewer.scene), index=(2, 8, 24))
    pixels = Artist(viewer.scene).panels(state)[0][0].picture.rgb()
    rows, columns = (pixels.any(-1).mean(a) > 0.5 for a in (1, 0))
    assert np.flatnonzero(rows).mean() / len(rows) == pytest.approx(8.5 / 32, abs=0.01)
    assert np.flatnonzero(columns).mean() / len(columns) == pytest.approx(24.5 / 32, abs=0.01)


def test_many_pictures_stand_in_a_grid():
    rows, _ = drawn(view.maps(np.ones((12, 8, 8), complex)))
    assert [len(row) for row in rows] == [5, 5, 2]


def test_a_wide_plane_keeps_its_columns(rng):
    x = rng.random((16, 400))
    ((panel,),), state = drawn(view.volume(x))
    looks_like(panel, greys(x, state.window))


def test_the_scale_bar_is_of_the_width():
    ((panel,),), _ = drawn(view.volume(np.zeros((64, 96)), spacing=1.0))
    pixels = panel.picture.rgb()
    white = (pixels[-9] == 255).all(-1).sum()
    assert white == round(20 / 96 * pixels.shape[1])  # a quarter of 96 mm, rounded down


def test_no_score_against_zeros():
    (_, (error,)), _ = drawn(view.compare([np.ones((8, 8)), np.zeros((8, 8))]))
    assert "NRMSE" not in error.title


def test_lines_are_as_thick_on_large_pictures():
    viewer = view.volume(np.zeros((2048, 2048), np.float32))
    state = replace(State.first(viewer.scene), crosshair=True)
    ((panel,),) = Artist(viewer.scene).panels(state)
    assert np.count_nonzero(panel.picture.rgb()[0].any(-1)) == round(1024 / panel.width) > 1


def test_orthogonal_planes_of_several_volumes_and_their_errors(rng):
    a, truth = rng.random((2, 6, 8, 10))
    rows, state = drawn(view.compare([a, truth], orthogonal=True), index=(1, 2, 3))
    assert [len(row) for row in rows] == [2, 1] * 3
    for row, plane in zip(rows[::2], (a[1], a[:, 2], a[:, :, 3]), strict=True):
        looks_like(row[0], greys(plane, state.window))


def test_a_colour_map_can_be_asked_for(rng):
    import matplotlib

    x = rng.random((8, 9))
    ((panel,),), _ = drawn(view.volume(x, colours="viridis", window=(0, 1)))
    looks_like(panel, 255 * matplotlib.colormaps["viridis"](x)[..., :3], atol=6)  # two steps


def test_pictures_are_as_wide_as_their_proportions(normal):
    (row,), _ = drawn(view.volume(np.ones((8, 20, 30))))
    assert [p.width for p in row] == [333, 333, 222]  # of a row of 1000, x, x and y
    ((tall,),), _ = drawn(view.volume(np.ones((64, 16))))
    ((wide,),), _ = drawn(view.volume(np.ones((16, 64))))
    assert (tall.width, wide.width) == (115, 460)
    rows, _ = drawn(view.maps(np.ones((7, 600, 8), complex)))
    assert rows[0][0].picture.pixels.shape[0] == 256  # many are thinned sooner
