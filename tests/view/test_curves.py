"""Curves as SVG: parsed, and their points put back into values."""

from xml.etree import ElementTree

import numpy as np
import pytest

from reconic.view.curves import draw_curves

EPOCHS = np.arange(1, 101)


def parsed(curves, **options):
    root = ElementTree.fromstring(draw_curves(curves, **options))
    return root.findall("{*}polyline"), root


def points(line):
    return np.array([pair.split(",") for pair in line.get("points").split()], float)


def words(root):
    return [text.text for text in root.findall("{*}text")]


def test_points_are_the_logarithms_of_the_values():
    (line,), root = parsed({"total": (EPOCHS, 1 / EPOCHS)})
    x, y = points(line).T
    decades = np.log10(1 / EPOCHS)
    assert np.corrcoef(x, EPOCHS)[0, 1] > 0.99999
    assert np.corrcoef(y, decades)[0, 1] < -0.99999  # downwards is smaller
    assert {"0.01", "0.1", "1", "total", "loss", "epoch"} <= set(words(root))


def test_negative_values_are_on_a_linear_scale():
    y = np.sin(EPOCHS / 9.0)
    (line,), root = parsed({"a": (EPOCHS, y)}, value="phase in rad")
    assert np.corrcoef(points(line)[:, 1], y)[0, 1] < -0.9999
    assert {"-0.5", "0", "0.5", "phase in rad"} <= set(words(root))


def test_what_is_not_finite_leaves_a_gap_and_one_alone_is_a_dot():
    y = np.ones(100)
    y[[10, 12]] = np.nan, np.inf
    lines, root = parsed({"a": (EPOCHS, y)})
    assert [len(points(line)) for line in lines] == [10, 87]
    assert len(root.findall("{*}circle")) == 1


def test_few_values_close_together_are_still_marked():
    _, root = parsed({"a": (EPOCHS, 1.1 + 0.001 * EPOCHS)})
    assert {"1.12", "1.16", "1.2"} <= set(words(root))


def test_held_out_is_dashed_and_names_are_text():
    (a, b), root = parsed({"<a>": (EPOCHS, EPOCHS), "held out": (EPOCHS, EPOCHS)})
    assert (a.get("stroke-dasharray"), b.get("stroke-dasharray")) == (None, "5 3")
    assert a.get("stroke") != b.get("stroke")
    assert "<a>" in words(root)


@pytest.mark.parametrize("values", [[np.nan, np.nan], [0, 0], [3, 3], [1e-300, 1e300]])
def test_odd_values(values):
    draw_curves({"a": ([1, 2], np.array(values))})


def test_no_curve():
    with pytest.raises(ValueError, match="draw_curves: `curves` must have a curve"):
        draw_curves({})
