"""The viewer in a notebook: the program of the stand-alone page, with planes from the kernel."""

from __future__ import annotations

import functools
import os
from typing import Any

from reconic.view.payload import describe, part_bytes, program, style, volumes_of
from reconic.view.scene import Scene

__all__ = ["FRONT_END", "browser_widget", "has_browser_widget"]

FRONT_END = "RECONIC_VIEW"  # environment variable: "ipywidgets" forbids anywidget


def has_browser_widget() -> bool:
    """Whether anywidget is there, and `RECONIC_VIEW=ipywidgets` does not forbid it."""
    if os.environ.get(FRONT_END) == "ipywidgets":
        return False
    try:
        import anywidget  # noqa: F401
    except ImportError:
        return False
    return True


def browser_widget(scene: Scene) -> Any:
    """A widget that shows the scene; the browser asks for the planes that it lacks.

    The browser asks anew only when it has its answer, so that dragging a slider never queues.

    Raises:
        ImportError: If anywidget is not installed.
    """
    widget = _widget_class()(scene=describe(scene))
    widget.on_msg(functools.partial(_answer, scene))
    return widget


@functools.cache
def _widget_class() -> Any:
    """The class, made when it is first needed: anywidget is an extra."""
    import anywidget
    import traitlets

    class BrowserWidget(anywidget.AnyWidget):
        _esm = program("widget")
        _css = style()
        scene = traitlets.Dict().tag(sync=True)

    return BrowserWidget


def _answer(scene: Scene, widget: Any, message: dict[str, Any], _buffers: list[bytes]) -> None:
    """Send the planes that a browser asks for, or why they cannot be read."""
    try:
        planes = [_plane(scene, request) for request in message["requests"]]
    except Exception as error:  # whatever a file or a device may raise: the viewer shows it
        widget.send({"id": message["id"], "error": f"{type(error).__name__}: {error}"})
    else:
        widget.send({"id": message["id"]}, buffers=planes)


def _plane(scene: Scene, request: dict[str, Any]) -> bytes:
    source = volumes_of(scene)[request["volume"]]
    axes, index, along = tuple(request["axes"]), request["index"], request["along"]
    if along is None:
        return part_bytes(source.plane(axes, index))
    return part_bytes(source.projection(axes, index, along))
