"""What the kernel answers when a browser asks for planes."""

import sys

import numpy as np
import pytest

from reconic import view
from reconic.view.payload import part_bytes
from reconic.view.widget import _answer, has_browser_widget


def test_a_variable_or_a_missing_package_forbids_it(monkeypatch):
    pytest.importorskip("anywidget")
    monkeypatch.delenv("RECONIC_VIEW", raising=False)
    assert has_browser_widget()
    monkeypatch.setenv("RECONIC_VIEW", "ipywidgets")
    assert not has_browser_widget()
    monkeypatch.delenv("RECONIC_VIEW")
    monkeypatch.setitem(sys.modules, "anywidget", None)
    assert not has_browser_widget()


class Widget:
    """Keeps what is sent."""

    def send(self, message, buffers=()):
        self.sent = message, list(buffers)


def asked(scene, *requests):
    widget = Widget()
    _answer(scene, widget, {"id": 7, "requests": list(requests)}, [])
    return widget.sent


def request(axes, along):
    return {"volume": 0, "axes": axes, "index": [1, 2, 3], "along": along}


def test_planes_and_projections_are_sent_in_order(normal):
    x = normal(3, 4, 5)
    message, buffers = asked(view.volume(x).scene, request([1, 2], None), request([2, 0], 1))
    assert message == {"id": 7}
    assert buffers == [part_bytes(x[1]), part_bytes(np.abs(x).max(1).T)]


def test_a_plane_that_cannot_be_read_is_told():
    class Broken:
        shape, dtype, whole = (3, 4, 5), np.dtype(float), True

        def __getitem__(self, key):
            if not self.whole:
                raise OSError("cut off")
            return np.zeros([self.shape[a] for a, k in enumerate(key) if isinstance(k, slice)])

    scene = view.volume(Broken()).scene
    Broken.whole = False
    assert asked(scene, request([1, 2], None)) == ({"id": 7, "error": "OSError: cut off"}, [])
