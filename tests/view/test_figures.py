"""Comparison figures, judged by the pixels of the files they make."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from reconic.metrics import nrmse, psnr
from reconic.view import comparison, grey_scale, save_figure


def disc(shape=(60, 48), seed=0):
    rng = np.random.default_rng(seed)
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    return ((x**2 + y**2 < 0.7) * (1 + 0.1 * rng.standard_normal(shape)) * np.exp(1j * x)).astype(
        np.complex64
    )


def noisy(x, level, seed=1):
    rng = np.random.default_rng(seed)
    return x + level * (rng.standard_normal(x.shape) + 1j * rng.standard_normal(x.shape))


def panels(figure):
    """Axes by row and column, from the upper left."""
    axes = sorted(figure.axes, key=lambda a: (-round(a.get_position().y0, 3), a.get_position().x0))
    return axes[: len(axes) // 2], axes[len(axes) // 2 :]


def texts(axes):
    return axes.get_title(), [t.get_text() for t in axes.texts]


def test_titles_scores_and_order_with_a_truth():
    x = disc()
    images = {"Zero-filled": noisy(x, 0.3), "MoDL": noisy(x, 0.05)}
    above, below = panels(comparison(images, reference=x))
    assert [a.get_title() for a in above] == ["Zero-filled", "MoDL", "Truth"]
    for axes, x_hat in zip(above, images.values(), strict=False):
        expected = f"NRMSE {nrmse(x_hat, x):.3f}\nPSNR {psnr(x_hat, x):.1f} dB"
        assert texts(axes)[1] == [expected]
    assert texts(above[2])[1] == [""]
    assert len(below) == 3


def test_all_magnitudes_share_the_truth_s_scale_and_errors_are_magnified():
    x = disc()
    images = {"a": noisy(x, 0.3), "b": 5 * x}
    above, below = panels(comparison(images, reference=x, error_scale=4))
    vmax = grey_scale([x])
    for axes, shown in zip(above, [*images.values(), x], strict=True):
        (image,) = axes.images
        np.testing.assert_allclose(image.get_array(), np.abs(shown))
        assert image.get_clim() == (0, vmax)
    for axes, x_hat in zip(below, images.values(), strict=False):
        (image,) = axes.images
        np.testing.assert_allclose(image.get_array(), 4 * np.abs(x_hat - x))
        assert image.get_clim() == (0, vmax)
        assert image.get_cmap().name == "inferno"


def test_a_note_stands_in_place_of_the_scores():
    x = disc()
    above, _ = panels(comparison({"a": x, "b": x}, reference=x, notes={"a": "as it was"}))
    assert texts(above[0])[1] == ["as it was"]
    assert texts(above[1])[1][0].startswith("NRMSE")


def test_colour_bars_are_in_percent_of_the_largest_value_and_in_the_unit():
    x = disc()
    x[30, 24] = 4  # the grey scale ends lower, at the 99.8th percentile
    figure = comparison({"a": noisy(x, 0.1)}, reference=x, error_scale=5, unit="1/m")
    error, grey = figure.axes[-1].child_axes
    assert error.get_ylim()[1] == pytest.approx(100 * grey_scale([x]) / 4 / 5)
    assert error.yaxis.get_major_formatter()(2.5, 0) == "2.5 %"
    assert error.get_title(loc="left") == "|error|\n\N{MULTIPLICATION SIGN} 5"
    assert grey.get_ylim() == (0, pytest.approx(grey_scale([x])))
    assert (grey.get_title(loc="left").strip(), grey.get_xlabel()) == ("|x|", "1/m")


def test_without_a_truth_each_row_has_the_bar_of_its_scale():
    figure = comparison({"a": disc(), "b": 0.5 * disc()}, unit="1/m")
    above, below = panels(figure)
    for axes in (above[-1], below[-1]):
        (bar,) = axes.child_axes
        assert bar.get_ylim() == pytest.approx(axes.images[0].get_clim())
        assert bar.get_xlabel() == "1/m"
        assert bar.get_tightbbox().x1 <= figure.bbox.x1  # nothing is cut off


def test_without_a_truth_the_second_row_magnifies_the_centre():
    images = {"Zero-filled": disc(), "MoDL": 0.5 * disc()}
    above, below = panels(comparison(images, notes={"MoDL": "held-out error 0.213"}))
    assert [texts(a) for a in above] == [
        ("Zero-filled", [""]),
        ("MoDL", ["held-out error 0.213"]),
    ]
    for axes, x in zip(below, images.values(), strict=True):
        detail = axes.images[0].get_array()
        assert detail.shape == (24, 19)  # 60 and 48 by 2.5
        np.testing.assert_allclose(detail, np.abs(x)[18:42, 14:33])
    limits = {axes.images[0].get_clim() for axes in above}
    assert limits == {(0, grey_scale(images.values()))}
    assert len({axes.images[0].get_clim() for axes in below}) == 1
    assert all(len(axes.patches) == 1 for axes in above)  # the frame
    box = above[0].patches[0]
    assert (box.get_x(), box.get_y(), box.get_width(), box.get_height()) == (13.5, 17.5, 19, 24)


@pytest.mark.parametrize("shape", [(60, 48), (40, 400), (300, 20), (1, 7), (33, 33)])
@pytest.mark.parametrize("with_truth", [True, False])
def test_images_of_any_shape_are_not_stretched_and_fit(tmp_path, shape, with_truth):
    x = np.ones(shape)
    path = tmp_path / "a.png"
    figure = comparison({"a": 0.9 * x, "b": x}, reference=x if with_truth else None, path=path)
    with Image.open(path) as image:
        width, height = image.size
    assert max(width, height) < 6000
    box = figure.axes[0].get_window_extent()
    drawn = figure.axes[0].transData.transform([(0, 0), (1, 1)])
    across, down = np.abs(drawn[1] - drawn[0])
    assert across == pytest.approx(down)  # square pixels
    assert across * shape[1] == pytest.approx(box.width) or down * shape[0] == pytest.approx(
        box.height
    )


def test_volumes_show_the_middle_and_score_the_whole():
    x = np.stack([disc(seed=s) * (s + 1) for s in range(5)])
    x_hat = noisy(x, 0.2)
    above, _ = panels(comparison({"a": x_hat}, reference=x))
    np.testing.assert_allclose(above[0].images[0].get_array(), np.abs(x_hat[2]))
    assert f"NRMSE {nrmse(x_hat, x, n_space=3):.3f}" in texts(above[0])[1][0]


def test_the_file_shows_what_it_should(tmp_path):
    x = disc()
    comparison({"a": np.zeros_like(x)}, reference=x, path=tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    grey = (np.ptp(pixels, axis=-1) < 8) & (pixels.sum(axis=-1) > 300)
    colour = (np.ptp(pixels, axis=-1) > 60) | (pixels.sum(axis=-1) > 600)
    half = pixels.shape[1] // 2
    middle = pixels.shape[0] // 2
    assert grey[:middle, half:].mean() > 0.3  # the truth, upper right
    assert grey[middle // 4 : middle, :half].mean() < 0.05  # the zero image, upper left
    assert colour[middle:, :half].mean() > 0.3  # its error, lower left
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("ending", [".png", ".pdf", ".svg", ".PNG"])
def test_the_ending_is_the_format(tmp_path, ending):
    comparison({"a": disc()}, path=tmp_path / f"a{ending}")
    start = (tmp_path / f"a{ending}").read_bytes()[:5]
    assert start in {b"\x89PNG\r", b"%PDF-", b"<?xml"}


def test_failed_saving_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_text("old")
    figure = comparison({"a": disc()})

    def savefig(path):
        path.write_text("half")
        raise OSError("disc full")

    monkeypatch.setattr(figure, "savefig", savefig)
    with pytest.raises(OSError, match="disc full"):
        save_figure(figure, path)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_no_global_state():
    code = """
import sys, matplotlib, numpy as np
from reconic.view import comparison
def settings():  # to look at the backend would choose one
    return {k: matplotlib.rcParams[k] for k in matplotlib.rcParams if k != "backend"}
before = settings()
comparison({"a": np.ones((4, 4))})
assert settings() == before
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_zero_truth_and_constant_images_draw():
    comparison({"a": np.ones((8, 8))}, reference=np.zeros((8, 8)))
    comparison({"a": np.zeros((8, 8))})


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"images": {}}, ValueError, "`images` must have an image, got none"),
        ({"images": {"a": np.ones(5)}}, ValueError, r"shape \(..., ny, nx\), got \(5,\)"),
        (
            {"images": {"a": np.ones((4, 4)), "b": np.ones((4, 5))}},
            ValueError,
            r"'b' must have shape \(4, 4\) as the others have, got \(4, 5\)",
        ),
        (
            {"images": {"a": np.ones((4, 4))}, "reference": np.ones((5, 4))},
            ValueError,
            r"'a' must have shape \(5, 4\)",
        ),
        ({"images": {"a": np.full((4, 4), np.nan)}}, ValueError, "'a' must be finite"),
        (
            {"images": {"a": np.ones((4, 4))}, "notes": {"b": ""}},
            KeyError,
            r"must be for images \(a\), got b",
        ),
        (
            {"images": {"a": np.ones((4, 4))}, "path": "a.bmp2"},
            ValueError,
            r"must end in one of .*\.png.* got 'a\.bmp2'",
        ),
    ],
)
def test_wrong_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        comparison(**arguments)
