"""How a viewer shows itself."""

import importlib.util
import sys

import numpy as np
import pytest
from view.pictures import decoded

from reconic import view

WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def viewer():
    return view.compare({"A": np.eye(8), "Truth": np.eye(8)})


def test_a_widget_and_a_picture(viewer, monkeypatch):
    pytest.importorskip("ipywidgets")
    monkeypatch.setenv("RECONIC_VIEW", "ipywidgets")
    bundle, _ = viewer._repr_mimebundle_(include=None, exclude=None)
    assert bundle[WIDGET]["model_id"]
    assert decoded(bundle["image/png"]).shape[2] == 3
    assert bundle["text/plain"] == "<Viewer of A (8, 8), Truth (8, 8)>"


def test_anywidget_is_taken_where_it_is(viewer, monkeypatch):
    pytest.importorskip("anywidget")
    monkeypatch.delenv("RECONIC_VIEW", raising=False)
    assert viewer._repr_mimebundle_()[0][WIDGET]["model_id"]


def test_without_ipywidgets_a_picture_and_what_to_install(viewer, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "ipywidgets" else find(name)
    )
    bundle, _ = viewer._repr_mimebundle_()
    assert set(bundle) == {"image/png", "text/plain", "text/html"}
    assert 'pip install "reconic[notebook]"' in bundle["text/plain"]
    assert "reconic[notebook]" in bundle["text/html"]


def test_without_ipywidgets_the_widget_tells(viewer, monkeypatch):
    monkeypatch.setitem(sys.modules, "reconic.view.widgets", None)
    with pytest.raises(ImportError, match=r'`pip install "reconic\[notebook\]"`'):
        viewer.widget()


def test_a_page_stands_alone(viewer, tmp_path):
    viewer.to_html(tmp_path / "x.html")
    assert "Truth" in (tmp_path / "x.html").read_text("utf-8")
