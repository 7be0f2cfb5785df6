"""Marks on pictures: where they are, and that they stay inside."""

import numpy as np
import pytest

from reconic.view.marks import bar_length, crosshair, scale_bar, text_mask, write_text
from reconic.view.picture import Picture

WHITE = [255, 255, 255]


def black(h, w):
    return Picture(np.zeros((h, w, 3), np.uint8))


@pytest.mark.parametrize(
    ("extent", "length"), [(220, 50), (100, 20), (0.003, 5e-4), (8, 2), (4, 1), (6.28, 1)]
)
def test_bar_lengths_are_round(extent, length):
    assert bar_length(extent) == pytest.approx(length)


@pytest.mark.parametrize("larger", [1, 2])
def test_the_scale_bar_is_as_long_as_it_says(larger):
    picture = black(200, 400)
    scale_bar(picture, 200.0, "mm", larger)
    row = picture.pixels[200 - 8 * larger - 2]
    white = np.flatnonzero((row == WHITE).all(-1))
    assert white.size == 100  # 50 mm of 200 mm on 400 pixels
    assert np.ptp(white) == 99


def test_the_scale_bar_needs_room():
    picture = black(10, 400)
    scale_bar(picture, 200.0, "mm")
    assert not picture.pixels.any()


def test_the_crosshair_marks_a_voxel_and_leaves_it_free():
    picture = black(100, 200)
    crosshair(picture, 0.25, 0.5)
    assert picture.pixels[25, 0].any()
    assert picture.pixels[0, 100].any()
    assert not picture.pixels[25, 100].any()
    assert (picture.pixels.any(-1).sum(1) > 100).sum() == 1  # one row


@pytest.mark.parametrize(("row", "column"), [(0, 0), (1, 1), (0.001, 0.999)])
def test_the_crosshair_stays_inside(row, column):
    picture = black(12, 9)
    crosshair(picture, row, column, larger=3)
    assert picture.pixels.shape == (12, 9, 3)


@pytest.mark.parametrize(("left", "top"), [(2, 2), (-5, -5), (70, 9), (500, 500)])
def test_text_is_cut_off_at_the_edges(left, top):
    picture = black(20, 100)
    write_text(picture, "µm × …", left, top)
    assert (picture.pixels == 255).any() == ((left, top) in [(2, 2), (-5, -5), (70, 9)])


def test_every_letter_that_is_used_can_be_drawn():
    unknown = text_mask("\ue000")[0]
    for letter in "µ×²…−|":
        assert (
            text_mask(letter)[0].shape != unknown.shape or (text_mask(letter)[0] != unknown).any()
        )


def test_the_crosshair_is_seen_at_the_very_end():
    picture = black(100, 200)
    crosshair(picture, 1.0, 1.0)
    assert picture.pixels[99, 0].any()
    assert picture.pixels[0, 199].any()


@pytest.mark.parametrize(("left", "top"), [(2, 2), (-5, -5), (70, 9)])
def test_text_that_is_cut_off_is_a_part_of_the_text(left, top):
    picture, whole = black(20, 100), black(60, 200)
    write_text(picture, "µm × …", left, top)
    write_text(whole, "µm × …", left + 20, top + 20)
    np.testing.assert_array_equal(picture.pixels, whole.pixels[20:40, 20:120])


def test_text_has_a_black_outline():
    picture = Picture(np.full((20, 60, 3), 255, np.uint8))
    write_text(picture, "mm", 2, 2)
    assert (picture.pixels == 0).all(-1).any()
