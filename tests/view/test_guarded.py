"""The viewer with the mouse, and what takes its place: messages of a browser are made here."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from reconic import view

pytest.importorskip("anywidget")

from reconic.view.guarded import Guarded
from reconic.view.widgets import Front

REQUEST = {"id": "a", "requests": []}


@pytest.fixture
def guarded():
    return Guarded(view.volume(np.eye(4)).scene)


def asks(guarded):
    guarded.browser._handle_custom_msg(REQUEST, [])


def time_passes(guarded):
    """What the hidden player does in a page, once it is told to play."""
    clock = guarded._clock
    if clock.playing:
        clock.value = 0
        clock.value = 1


def appears(guarded):
    guarded._clock._view_count = 1


def fronts(guarded):
    return [child for child in guarded.children if isinstance(child, Front)]


def shown(guarded):
    return guarded.children[0].layout.display != "none"


def test_hidden_until_it_asks(guarded):
    appears(guarded)
    assert not shown(guarded)
    asks(guarded)
    time_passes(guarded)
    assert shown(guarded)
    assert len(guarded.children) == 1


def test_sliders_where_it_never_asks(guarded):
    time_passes(guarded)  # in no page yet
    assert fronts(guarded) == []
    appears(guarded)
    guarded._clock.value = 0  # the player begins
    assert fronts(guarded) == []
    time_passes(guarded)
    (front,) = fronts(guarded)
    assert front.images
    assert "pip install anywidget" in guarded.children[1].value
    assert "RECONIC_VIEW=ipywidgets" in guarded.children[1].value
    assert not shown(guarded)


def test_late_is_as_good_as_early(guarded):
    appears(guarded)
    time_passes(guarded)
    asks(guarded)
    assert shown(guarded)
    assert fronts(guarded) == []


def test_colab_is_told_where_the_front_end_is(guarded, monkeypatch):
    assert guarded.metadata == {}
    output = SimpleNamespace(
        enable_custom_widget_manager=lambda: None,
        _widgets=SimpleNamespace(_installed_url="https://there"),
    )
    monkeypatch.setitem(sys.modules, "google.colab.output", output)
    _, metadata = view.volume(np.eye(4))._repr_mimebundle_()
    ((mime, told),) = metadata.items()
    assert mime == "application/vnd.jupyter.widget-view+json"
    assert told == {"colab": {"custom_widget_manager": {"url": "https://there"}}}
