"""Pictures against Pillow's decoder and matplotlib's colour maps."""

import matplotlib
import numpy as np
import pytest
from view.pictures import decoded, greys

from reconic.view.colours import table
from reconic.view.picture import BAD, BLACK, MARK, WHITE, Picture, draw_values, nearest, png_bytes

GREEN = (0, 158, 115)


@pytest.mark.parametrize("level", [1, 6])
@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (3, 300)])
def test_png_is_read_by_pillow(rng, shape, level):
    grey = rng.integers(0, 256, shape, np.uint8)
    colour = rng.integers(0, 256, (*shape, 3), np.uint8)
    palette = rng.integers(0, 256, (256, 3), np.uint8)
    assert np.array_equal(decoded(png_bytes(grey, level=level))[..., 0], grey)
    assert np.array_equal(decoded(png_bytes(colour, level=level)), colour)
    assert np.array_equal(decoded(png_bytes(grey, palette, level)), palette[grey])


def test_grey_is_linear_in_the_window(rng):
    x = rng.standard_normal((20, 30))
    found = draw_values(x, "real", (-1.0, 2.0)).rgb()
    assert np.abs(found - greys(x, (-1, 2))[..., None]).max() <= 1.1  # 252 of 256 levels


def test_colours_are_those_of_matplotlib(rng):
    x = rng.random((20, 30))
    found = draw_values(x, "real", (0.0, 1.0), "viridis").rgb().astype(int)
    wanted = matplotlib.colormaps["viridis"](x, bytes=True)[..., :3]
    assert np.abs(found - wanted).max() <= 6  # 252 of 256 colours: two steps of the map


def test_phase_is_cyclic():
    x = np.exp(1j * np.array([[-np.pi + 1e-6, np.pi - 1e-6, 0.0]]))
    ends = draw_values(x, "phase", (-np.pi, np.pi)).rgb()[0].astype(int)
    assert np.abs(ends[0] - ends[1]).max() <= 3
    assert np.abs(ends[0] - ends[2]).max() > 100


def test_complex_is_hue_by_phase_and_brightness_by_magnitude():
    phase = np.linspace(-3, 3, 13)
    found = draw_values(0.5 * np.exp(1j * phase)[None], "complex", (0.0, 1.0)).rgb()[0]
    hue = table("hue")[np.round((phase + np.pi) / (2 * np.pi) * 255).astype(int)]
    assert np.abs(found - 0.5 * hue).max() <= 3  # a step of hue
    assert (draw_values(np.zeros((1, 2), complex), "complex", (0.0, 1.0)).rgb() == 0).all()


@pytest.mark.parametrize("component", ["magnitude", "phase", "real", "log", "complex"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_green(component, bad):
    x = np.array([[1.0 + 1j, 0, 2]])
    x[0, 1] = bad
    found = draw_values(x, component, (0.0, 2.0)).rgb()[0]
    assert tuple(found[1]) == GREEN
    assert GREEN not in (tuple(found[0]), tuple(found[2]))


def test_finite_values_that_are_huge_are_cut_not_green():
    for top in (1e-30, 1e-40):  # the inverse of the latter is Inf
        found = draw_values(np.float32([[3e38, -3e38, 0]]), "real", (0.0, top)).rgb()[0]
        assert found.tolist() == [[255] * 3, [0] * 3, [0] * 3]


def test_nearest_repeats_and_thins():
    x = np.arange(6).reshape(2, 3)
    assert np.array_equal(nearest(x, 4, 9), x.repeat(2, 0).repeat(3, 1))
    assert np.array_equal(nearest(x.repeat(3, 0).repeat(3, 1), 2, 3), x)
    assert nearest(np.arange(9)[None], 1, 3).tolist() == [[1, 4, 7]]  # the middle of three
    assert nearest(np.arange(9)[:, None], 3, 1).tolist() == [[1], [4], [7]]


@pytest.mark.parametrize("component", ["magnitude", "complex"])
def test_marks_are_painted(component):
    picture = draw_values(np.zeros((4, 4), complex), component, (0.0, 1.0))
    for row, mark in enumerate((BAD, MARK, BLACK, WHITE)):
        picture.paint((slice(row, row + 1), slice(0, 2)), mark)
    painted = picture.rgb()[:, 0].tolist()
    assert painted == [[0, 158, 115], [86, 180, 233], [0, 0, 0], [255, 255, 255]]
    assert np.array_equal(decoded(picture.png()), picture.rgb())


def test_a_picture_without_a_palette_is_its_pixels():
    pixels = np.zeros((2, 2, 3), np.uint8)
    assert Picture(pixels).rgb() is pixels
