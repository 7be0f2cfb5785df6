"""The live view in a real kernel: one output, drawn again in place."""

import re
import threading

import numpy as np
import pytest

from reconic.view import live

CODE = """
import time
import numpy as np
from reconic import descent as rd
x = np.kron(np.eye(4), np.ones((4, 4))).astype(np.float32)
fit = rd.reconstruct(
    lambda v, _: v["object"], {"object": 0 * x}, {"y": x}, rd.l2("y"), rd.adam(1e-4),
    epochs=10**9, time_limit=4, live=True,
)
print(fit.stopped)
"""


@pytest.mark.slow
def test_the_output_of_the_cell_is_updated_in_place():
    client = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    nbformat = pytest.importorskip("nbformat")
    drawn = []

    class Client(client.NotebookClient):
        def process_message(self, msg, cell, cell_index):
            if msg["msg_type"] == "update_display_data":
                drawn.append(msg["content"]["data"]["text/html"])
            return super().process_message(msg, cell, cell_index)

    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CODE)])
    Client(book, timeout=120, kernel_name="python3").execute()
    shown = [o for o in book.cells[0].outputs if o.output_type == "display_data"]
    (output,) = shown  # one, however often it is drawn
    assert output.data["text/html"] == drawn[-1]
    assert len(set(drawn)) >= 2  # of the four seconds, of which a busy machine compiles for three
    assert len(drawn) <= 9
    assert "<figcaption>object" in drawn[-1]
    assert not [o for o in book.cells[0].outputs if o.output_type == "error"]


class Handle:
    def __init__(self):
        self.pages = []

    def update(self, page):
        self.pages.append(page.data)


@pytest.fixture
def handle(monkeypatch):
    display = pytest.importorskip("IPython.display")
    made = Handle()
    monkeypatch.setattr(display, "display", lambda *_, **__: made)
    return made


def test_redraws_are_rare_and_the_last_one_is_drawn(handle):
    shown = live.Live()
    epoch = np.arange(1, 4)
    n = 0
    for _ in range(1000):
        if shown.due():
            n += 1
            shown.update({"total": (epoch, 1 / epoch)}, {"a": np.eye(3), "b": np.ones(3)})
    shown.update({"total": (epoch, 1 / epoch)}, {"last": np.full((2, 3, 3), np.nan)})
    shown.close()
    assert n == len(handle.pages) - 1 == 1
    assert re.findall(r"<figcaption>(\w+)", handle.pages[0]) == ["a"]  # no picture of a line
    assert "<figcaption>last" in handle.pages[-1]


def test_nothing_is_due_while_a_redraw_goes_on(handle, monkeypatch):
    monkeypatch.setattr(live, "_PERIOD", 0.0)
    go = threading.Event()
    monkeypatch.setattr(handle, "update", lambda _: go.wait(20))
    shown, epoch = live.Live(), np.arange(1, 4)
    shown.update({"total": (epoch, 1 / epoch)}, {})
    assert not shown.due()
    go.set()
    shown.close()


def test_an_error_while_drawing_is_raised(handle):
    shown = live.Live()
    shown.update({}, {})
    with pytest.raises(ValueError, match="must have a curve"):
        shown.close()
