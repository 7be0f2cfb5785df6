"""Sheets: what stands on them beside the pictures."""

import numpy as np
import pytest

from reconic import view
from reconic.view.draw import Artist
from reconic.view.marks import text_mask, write_text
from reconic.view.picture import Picture
from reconic.view.sheet import draw_sheet
from reconic.view.state import State


def sheet(viewer):
    return draw_sheet(Artist(viewer.scene), State.first(viewer.scene))


def line(text, width, height=18):
    """A line of text on black."""
    picture = Picture(np.zeros((height, width, 3), np.uint8))
    write_text(picture, text, 2, 2)
    return picture.pixels


def test_notes_of_pictures_and_of_the_scene_are_written():
    x = np.ones((8, 8))
    x[0, 0], x[1, 1] = np.nan, 2
    viewer = view.volume(x, title="A")
    found = sheet(viewer)
    title = line("A; 1 values are NaN or Inf: green", 320, 20)
    np.testing.assert_array_equal(found[:20, :320], title)
    (note,) = viewer.scene.notes
    assert "1 of 64 values looked at" in note
    *_, below = np.split(found, [-24])
    np.testing.assert_array_equal(below[:18, :100], line(note, 400)[:, :100])


def test_a_bar_stands_below_with_its_ends():
    found = sheet(view.volume(np.eye(8), window=(0.25, 4)))
    bar = found[20 + 320 + 6 :][:18]
    label = line("0.25 to 4, value", 120)
    np.testing.assert_array_equal(bar[:, 178 : 178 + 100], label[:, :100])
    grey = bar[9, 6:166, 0].astype(int)
    assert np.all(np.diff(grey) >= 0)
    assert (grey[0], grey[-1]) == (0, 255)


@pytest.mark.parametrize("n", [30, 80])
def test_a_title_too_long_ends_with_an_ellipsis(n):
    title = "m" * n
    found = sheet(view.volume(np.eye(8), title=title))
    fits = [title[:i] + "…" for i in range(n) if text_mask(title[:i] + "…")[0].shape[1] <= 316]
    shown = title if text_mask(title)[0].shape[1] <= 316 else fits[-1]
    np.testing.assert_array_equal(found[:20, :320], line(shown, 320, 20))
