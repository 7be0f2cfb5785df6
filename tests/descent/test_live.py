"""`live=True`, outside notebooks and on a screen that counts."""

import numpy as np
import pytest

from reconic import descent as rd
from reconic.descent import live
from reconic.descent.record import Record

X = np.arange(12, dtype=np.float32).reshape(3, 4)


def fit(**options):
    return rd.reconstruct(
        lambda v, _: v["object"] + v["offset"], {"object": 0 * X, "offset": np.float32(0)},
        {"y": X}, rd.l2("y"), rd.adam(0.1), epochs=30, **options,
    )  # fmt: skip


def test_without_a_notebook_the_bar_is_shown_and_a_line_says_so(capsys):
    with pytest.warns(UserWarning, match="`live` must run in a notebook, got none"):
        fit(live=True)
    assert "30/30" in capsys.readouterr().err


class Output:
    def __init__(self, due):
        self.seen, self._due, self.closed = [], due, False

    def due(self):
        return self._due

    def update(self, curves, images):
        self.seen.append((curves, images))

    def close(self):
        self.closed = True


@pytest.mark.parametrize("due", [True, False])
def test_what_is_shown_changes_nothing_and_ends_with_the_result(monkeypatch, due):
    output = Output(due)
    monkeypatch.setattr("reconic.descent.engine.make_screen", lambda f: live.Screen(output, f))
    found, plain = fit(live=True), fit()
    np.testing.assert_array_equal(found.variables["object"], plain.variables["object"])
    assert output.closed
    assert len(output.seen) == 1 or due
    curves, images = output.seen[-1]
    assert list(images) == ["object"]  # the offset is no image
    np.testing.assert_array_equal(images["object"], found.variables["object"])
    np.testing.assert_array_equal(curves["total"][1], found.history["total"])


def test_long_histories_are_thinned_and_images_chosen():
    output = Output(True)
    record = Record(["l2"], [1.0], 5000, None, False)
    record.add(np.arange(5000.0)[:, None])
    screen = live.Screen(output, lambda v: {"twice": 2 * v})
    screen.look(record, lambda: X)
    ((curves, images),) = output.seen
    epochs, values = curves["total"]
    assert len(epochs) <= 1000
    assert (epochs[0], epochs[-1], values[-1]) == (1, 5000, 4999)
    np.testing.assert_array_equal(images["twice"], 2 * X)
