"""Curves over the epochs."""

import numpy as np
import pytest

from reconic.view import history_figure
from reconic.view.figures import histories_figure

EPOCH = np.arange(1, 6)


def test_curves_labels_and_scale(tmp_path):
    held_out = (np.array([2, 4]), np.array([0.5, 0.4]))
    loss = np.array([3, 2, 1, np.nan, 0.0])
    figure = history_figure({"total": (EPOCH, loss), "held out": held_out}, tmp_path / "h.png")
    (axes,) = figure.axes
    total, other = axes.lines
    np.testing.assert_array_equal(total.get_ydata(), loss)
    assert (total.get_linestyle(), other.get_linestyle()) == ("-", "--")
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["total", "held out"]
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_yscale()) == ("epoch", "loss", "log")
    assert (tmp_path / "h.png").stat().st_size > 0


@pytest.mark.parametrize("values", [[1.0, -1.0], [0.0, 0.0], [np.nan, np.nan]])
def test_what_has_no_logarithm_is_on_a_linear_scale(values):
    figure = history_figure({"a": (EPOCH[:2], np.array(values))})
    assert figure.axes[0].get_yscale() == "linear"


def test_no_curves():
    with pytest.raises(ValueError, match="must have a curve, got none"):
        history_figure({})


def test_the_first_curve_is_thicker_and_a_point_alone_is_seen():
    one = (EPOCH[:1], np.ones(1))
    (axes,) = history_figure({"a": (EPOCH, 1 / EPOCH), "b": one}).axes
    first, point = axes.lines
    assert first.get_linewidth() > point.get_linewidth()
    assert (first.get_marker(), point.get_marker()) == ("None", "o")


def test_plots_stand_in_rows_of_three_and_the_lowest_tell_over_what():
    groups = {name: {"a": (EPOCH, 1 / EPOCH)} for name in "abcd"}
    figure = histories_figure(groups)
    assert [a.get_xlabel() for a in figure.axes] == ["", "step", "step", "step"]


def test_groups_have_plots_and_scales_of_their_own():
    wide, narrow = np.array([100.0, 1.0]), np.array([35.0, 36.0])
    figure = histories_figure(
        {"loss": {"train": (EPOCH[:2], wide)}, "psnr": {"val": (EPOCH[:2], narrow)}}
    )
    assert [a.get_title() for a in figure.axes] == ["loss", "psnr"]
    assert [a.get_yscale() for a in figure.axes] == ["log", "linear"]
    np.testing.assert_array_equal(figure.axes[1].lines[0].get_ydata(), narrow)
