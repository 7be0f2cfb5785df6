"""Stand-alone pages and notebooks, opened in the shared headless browser."""

import base64
import contextlib
import io
import json
import os
import re
import sys
import time

import numpy as np
import pytest
from browsers import _awaited, _running
from PIL import Image


class Looked:
    """A viewer that is open in a browser: `root` is the page, or the frame of its cell."""

    def __init__(self, page, root):
        self.page, self.root = page, root

    def settled(self):
        """Wait until what was asked for is drawn."""
        self.page.wait_for_timeout(60)
        self.until("!globalThis.viewer || !viewer.busy && !viewer.scheduled")

    def until(self, expression, seconds=60):
        """Wait until an expression holds; the page itself forbids Playwright's own way to wait."""
        end = time.monotonic() + seconds
        while not self.page.evaluate(expression):
            assert time.monotonic() < end, expression
            self.page.wait_for_timeout(20)

    def panel(self, title):
        """The picture under a title that begins so."""
        return self.root.locator(
            "figure", has=self.page.locator(f'b:text-matches("^{title}")')
        ).first

    def picture(self, title):
        """What is on the canvas, RGB (height, width, 3)."""
        canvas = self.panel(title).locator("canvas")
        url = canvas.evaluate("canvas => canvas.toDataURL()")
        picture = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
        return np.asarray(picture.convert("RGB")).astype(int)

    def voxels(self, title, shape):
        """Colours (*shape, 3) at the centres of the voxels of a whole plane."""
        picture = self.picture(title)
        places = [
            ((np.arange(n) + 0.5) * m / n).astype(int)
            for n, m in zip(shape, picture.shape[:2], strict=True)
        ]
        return picture[np.ix_(*places)]

    def drag(self, locator, start, end, button="left"):
        """Drag from and to places of an element, as fractions of its width and height."""
        locator.scroll_into_view_if_needed()
        box = locator.bounding_box()
        places = [
            (box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)
        ]
        self.page.mouse.move(*places[0])
        self.page.mouse.down(button=button)
        self.page.mouse.move(*places[1], steps=4)
        self.page.mouse.up(button=button)
        self.settled()

    def slider(self, name):
        return self.root.get_by_role("slider", name=name, exact=True)

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)
        self.settled()


@pytest.fixture
def opened(browser, tmp_path):
    """Function that writes the stand-alone page of a viewer and opens it, without a network."""
    with contextlib.ExitStack() as stack:

        def open_page(viewer, **options):
            path = tmp_path / "page.html"
            viewer.to_html(path, **options)
            page = stack.enter_context(_page(browser))
            asked = []
            page.on("request", lambda request: asked.append(request.url))
            page.goto(path.as_uri())
            page.wait_for_selector(".rv-root[data-shown]")
            looked = Looked(page, page.locator("body"))
            looked.settled()
            stack.callback(_calm, page.errors, asked, path.as_uri())
            return looked

        yield open_page


@contextlib.contextmanager
def _page(browser, width=1400, height=900):
    page = browser.new_page(viewport={"width": width, "height": height})
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    try:
        yield page
    finally:
        page.close()


def _calm(errors, asked, address):
    """No script failed, and nothing but the page itself was asked for."""
    assert errors == []
    assert set(asked) <= {address}


@pytest.fixture(scope="session")
def jupyterlab(tmp_path_factory):
    """Folder and address of a JupyterLab; `{}` of the address is the way to a file."""
    pytest.importorskip("jupyterlab")
    home = tmp_path_factory.mktemp("jupyterlab")
    folders = {f"JUPYTER_{name}_DIR": str(home / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**folders, "IPYTHONDIR": str(home / "ipython")}.items():
            patch.setenv(name, value)
        words = ["--no-browser", "--port=0", "--ServerApp.token=see",
                 f"--ServerApp.root_dir={home}",
                 "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
                 "--LabApp.extension_manager=readonly", "--LabApp.news_url=None"]  # fmt: skip
        words += ["--allow-root"] * (getattr(os, "geteuid", lambda: 1)() == 0)
        command = [sys.executable, "-m", "jupyterlab", *words]
        with _running(command, home / "log") as (process, log):
            address = _awaited(r"(http://127\.0\.0\.1:\d+)/lab", process, log)
            yield home, address + "/lab/tree/{}?token=see&reset"


@pytest.fixture
def notebook(jupyterlab, browser):
    """Function that opens a notebook of cells in JupyterLab and runs them all; gives its page."""
    home, address = jupyterlab
    with contextlib.ExitStack() as stack:

        def run(*cells):
            (home / "see.ipynb").write_text(json.dumps(_notebook(cells)))
            page = stack.enter_context(_page(browser))
            page.goto(address.format("see.ipynb"))
            idle = ".jp-Notebook-ExecutionIndicator[data-status=idle]"
            page.wait_for_selector(idle, timeout=60_000)
            page.locator(".jp-Notebook .jp-CodeCell").nth(len(cells) - 1).wait_for()
            _run_all(page)
            return page

        yield run


@pytest.fixture
def without(jupyterlab):
    """Function that keeps front ends from JupyterLab, as if they were not installed there."""
    page = jupyterlab[0] / "CONFIG" / "labconfig" / "page_config.json"

    def keep_away(*names):
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(json.dumps({"disabledExtensions": dict.fromkeys(names, True)}))

    yield keep_away
    page.unlink(missing_ok=True)


def _run_all(page, seconds=60):
    """Run all cells. JupyterLab drops what it is told before its kernel listens: tell it again."""
    begun = re.compile(r"\[(\*|\d+)\]:")
    end = time.monotonic() + seconds
    while not page.locator(".jp-CodeCell .jp-InputPrompt", has_text=begun).count():
        assert time.monotonic() < end, page.inner_text(".jp-Notebook")
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        page.wait_for_timeout(2000)


def _notebook(cells):
    made = [
        {"cell_type": "code", "id": f"cell-{i}", "source": source, "metadata": {},
         "execution_count": None, "outputs": []}
        for i, source in enumerate(cells)
    ]  # fmt: skip
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": made, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


@pytest.fixture(scope="session")
def artefacts(tmp_path_factory):
    """Folder where screenshots stay to be looked at."""
    return tmp_path_factory.mktemp("screenshots")


@pytest.fixture
def looking_at():
    """Function that looks at a viewer within a page."""
    return lambda page, selector: Looked(page, page.locator(selector))
