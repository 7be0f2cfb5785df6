"""The figure of scores and differences."""

import math

import numpy as np
import pytest
from PIL import Image

from reconic.view import score_figure


def test_rows_dots_means_and_intervals(tmp_path):
    scores = {"zero-filled": [27.0, 29.0], "modl": [33.0, 34.0, 38.0, math.inf]}
    figure = score_figure(
        scores, {"zero-filled": (-6.5, -8.0, -5.0)}, "PSNR [dB]", "modl", tmp_path / "a.png"
    )
    left, right = figure.axes
    assert [t.get_text() for t in left.get_yticklabels()] == ["zero-filled", "modl"]
    assert left.get_ylim()[0] > left.get_ylim()[1]  # the first method on top
    dots = [c.get_offsets()[:, 0].tolist() for c in left.collections]
    assert dots == [[27, 29], [33, 34, 38]]  # what is not finite has no place
    assert [line.get_xdata()[0] for line in left.lines] == [28, 35]
    zero, interval, mean = right.lines
    assert list(zero.get_xdata()) == [0, 0]
    assert (list(interval.get_xdata()), list(interval.get_ydata())) == ([-8, -5], [0, 0])
    assert list(mean.get_xdata()) == [-6.5]
    assert "modl" in right.get_xlabel()
    with Image.open(tmp_path / "a.png") as image:
        assert np.asarray(image.convert("L")).mean() > 200  # on white, for print


def test_every_method_but_the_reference_has_its_interval():
    scores = {name: [1.0, 2.0] for name in "abc"}
    figure = score_figure(scores, {"a": (1, 0, 2), "c": (3, 2, 4)}, "PSNR [dB]", "b")
    _, *lines = figure.axes[1].lines
    assert [list(line.get_ydata()) for line in lines] == [[0, 0], [0], [2, 2], [2]]


def test_no_scores():
    with pytest.raises(ValueError, match="must have a method, got none"):
        score_figure({}, {}, "PSNR", "a")
