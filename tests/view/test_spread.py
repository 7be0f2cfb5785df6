"""An image beside its standard deviation."""

import numpy as np
import pytest

from reconic.metrics import nrmse
from reconic.view import spread_figure

RNG = np.random.default_rng(0)


def test_mean_deviation_and_error_are_drawn_on_their_scales(tmp_path):
    mean = RNG.standard_normal((3, 6, 8)) + 1j * RNG.standard_normal((3, 6, 8))
    std, truth = RNG.random((3, 6, 8)), np.ones((3, 6, 8))
    figure = spread_figure(
        {"object": (mean, std), "psf": (mean[0].real, std[0])},
        tmp_path / "spread.pdf", truth={"object": truth},
    )  # fmt: skip
    shown = [np.asarray(a.images[0].get_array()) for a in figure.axes if a.images]
    for got, want in zip(
        shown, [abs(mean[1]), std[1], abs(mean[1] - 1), abs(mean[0].real), std[0]], strict=True
    ):  # of leading axes the middle
        np.testing.assert_allclose(got, want)
    (note,) = figure.axes[0].texts
    assert note.get_text().startswith(f"NRMSE {nrmse(mean, truth, n_space=3):.3f}")
    (bar,) = figure.axes[1].child_axes
    assert bar.get_xlabel() == "a.u."
    limits = [a.images[0].get_clim() for a in figure.axes if a.images]
    assert limits[1] == limits[2] == (0, pytest.approx(np.percentile(std[1], 99.5)))
    assert (tmp_path / "spread.pdf").exists()


def test_a_frozen_image_has_a_scale_too():
    figure = spread_figure({"known": (np.ones((4, 4)), np.zeros((4, 4)))})
    assert figure.axes[0].get_title() == "known"
