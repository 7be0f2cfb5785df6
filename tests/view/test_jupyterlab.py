"""The viewers in a real JupyterLab: a notebook is opened and run, and its sliders are moved."""

import base64
import contextlib
import io
import time

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.slow

VOLUME = """
import numpy as np
from reconic import view
x = np.random.default_rng(0).random((6, 24, 20))
viewer = view.compare({"A": x}, reference=None, window=(0, 1))
"""


@pytest.fixture
def volume():
    return np.random.default_rng(0).random((6, 24, 20))


def test_anywidget(notebook, looking_at, volume, artefacts):
    pytest.importorskip("anywidget")
    page = notebook(VOLUME, "viewer")
    page.wait_for_selector(".rv-root[data-shown]", timeout=120_000)
    looked = looking_at(page, ".rv-root")
    assert_shows(looked, volume[3])
    looked.drag(looked.slider("z"), (0.5, 0.5), (0.98, 0.5))
    page.wait_for_selector('.rv-root[data-shown="[5,12,10]"]')
    assert_shows(looked, volume[5])
    looked.press("m")
    eventually(page, lambda: assert_shows(looked, volume.max(0)))
    page.screenshot(path=artefacts / "jupyterlab-anywidget.png")
    assert page.errors == []


def eventually(page, check, seconds=30):
    """Wait until a check holds; the time is for a busy machine."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(AssertionError):
            return check()
        page.wait_for_timeout(50)
    return check()


def assert_shows(looked, plane):
    found = looked.voxels("A", plane.shape)[:16, :, 0]  # above the scale bar
    expected = np.clip(np.floor(256 * plane[:16]), 0, 255)
    np.testing.assert_allclose(found, expected, atol=1)  # of values in float32


def test_ipywidgets_alone(notebook, volume, artefacts):
    pytest.importorskip("ipywidgets")
    page = notebook("import os; os.environ['RECONIC_VIEW'] = 'ipywidgets'", VOLUME, "viewer")
    cell = page.locator(".jp-OutputArea").last
    cell.locator("img").first.wait_for(timeout=120_000)
    before = picture(cell)
    handle = cell.locator(".noUi-handle").first
    handle.focus()
    page.keyboard.press("End")

    def last_slice_is_shown():
        after = picture(cell)
        assert np.any(before != after)
        assert nearest(after, volume) == 5

    eventually(page, last_slice_is_shown)
    page.screenshot(path=artefacts / "jupyterlab-ipywidgets.png")


def test_without_the_front_end_of_anywidget(notebook, without, volume, artefacts):
    pytest.importorskip("anywidget")
    without("anywidget")
    page = notebook("%env RECONIC_VIEW=", VOLUME, "viewer")  # the kernel is that of all tests
    cell = page.locator(".jp-OutputArea").last
    cell.locator("img").first.wait_for(timeout=120_000)
    assert "pip install anywidget" in cell.inner_text()
    assert "Failed to load" not in cell.inner_text()
    handle = cell.locator(".noUi-handle").first
    handle.focus()
    page.keyboard.press("End")

    def last_slice_is_shown():
        assert nearest(picture(cell), volume) == 5

    eventually(page, last_slice_is_shown)
    page.screenshot(path=artefacts / "jupyterlab-without-anywidget.png")


def picture(cell):
    """The first picture of a cell, grey."""
    image = cell.locator("img").first
    url = image.evaluate(
        "image => { const canvas = document.createElement('canvas');"
        " canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;"
        " canvas.getContext('2d').drawImage(image, 0, 0); return canvas.toDataURL(); }"
    )
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("L"))


def nearest(seen, volume):
    """Slice that a picture resembles most, by correlation at the centres of voxels."""
    places = [
        ((np.arange(n) + 0.5) * m / n).astype(int)
        for n, m in zip(volume.shape[1:], seen.shape, strict=True)
    ]
    small = seen[np.ix_(*places)].ravel()
    return int(np.argmax([np.corrcoef(small, plane.ravel())[0, 1] for plane in volume]))
