"""What both engines log, seen in TensorBoard itself by a headless browser."""

import json

import numpy as np
import pytest
from tiny import tiny_config, write_splits

from reconic import descent as rd
from reconic.cli import main

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    """Log folder of a training run and of a descent, both tiny."""
    folder = tmp_path_factory.mktemp("both")
    config = tiny_config(folder, write_splits(folder))
    config["trainer"]["enable_progress_bar"] = False
    (folder / "config.json").write_text(json.dumps(config))
    assert main(["train", "--config", str(folder / "config.json")]) == 0
    x = np.kron(np.eye(4), np.ones((4, 4))).astype(np.complex64)
    rd.reconstruct(
        lambda v, _: v["object"], {"object": 0 * x}, {"y": x}, rd.l2("y"), rd.adam(0.1),
        epochs=20, images=lambda v: {"object": v["object"]}, run=folder / "logs" / "descent",
    )  # fmt: skip
    return folder / "logs"


@pytest.fixture(scope="module")
def seen(logs, tensorboard, browser):
    """Function that opens a dashboard, and gives its page."""
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.set_default_timeout(60_000)
    address = tensorboard(logs).rstrip("/")

    def look(dashboard):
        page.goto(f"{address}/#{dashboard}")
        return page

    yield look
    page.close()


def filtered(page, tag):
    """Time series of one tag alone."""
    page.get_by_role("combobox", name="Filter tags (regex)").fill(f"^{tag}$")
    return page


def colours(picture):
    """Number of different colours in a picture, once it is there."""
    picture.wait_for()
    return picture.evaluate(
        """async i => {
            await i.decode();
            const c = document.createElement("canvas"), g = c.getContext("2d");
            [c.width, c.height] = [i.naturalWidth, i.naturalHeight];
            g.drawImage(i, 0, 0);
            const d = new Uint32Array(g.getImageData(0, 0, c.width, c.height).data.buffer);
            return new Set(d).size; }"""
    )


@pytest.mark.parametrize("tag", ["val/psnr", "loss/total"])
def test_scalars(seen, tag):
    card = filtered(seen("timeseries"), tag).locator("scalar-card").first
    card.get_by_text(tag).first.wait_for()
    card.locator("svg, canvas").first.wait_for()


@pytest.mark.parametrize("tag", ["example_0/prediction", "object"])
def test_images(seen, tag):
    page = filtered(seen("timeseries"), tag)
    page.locator("image-card").get_by_text(tag).first.wait_for()
    assert colours(page.locator("image-card img").first) > 1  # not one flat colour


def test_the_images_dashboard(seen):
    page = seen("images")
    assert colours(page.locator("tf-image-loader img").first) > 1


def test_hyper_parameters(seen):
    """Both engines' runs have rows, and columns of what they were given and what came of it."""
    page = seen("hparams")
    runs, columns = ("descent/version_0", "tiny/version_0"), ("epochs", "recon")
    for name in (*runs, *columns, "loss/total", "val/psnr"):
        page.get_by_text(name, exact=True).first.wait_for(state="attached")


def test_texts(seen):
    page = seen("text")
    for text in ("recon/text_summary", "config/text_summary", "MoDL", "learning_rate"):
        page.get_by_text(text).first.wait_for(state="attached")
