"""A scene that shows itself in notebooks, and is written to files."""

from __future__ import annotations

import base64
import html
import importlib.util
from pathlib import Path
from typing import Any

from reconic.view.draw import Artist
from reconic.view.picture import png_bytes
from reconic.view.save import save_scene
from reconic.view.scene import Scene
from reconic.view.sheet import draw_sheet
from reconic.view.state import State
from reconic.view.widget import has_browser_widget

__all__ = ["Viewer"]

_WIDGET = "application/vnd.jupyter.widget-view+json"
_NO_WIDGETS = 'For sliders `pip install "reconic[notebook]"` and restart the kernel.'


class Viewer:
    """What a viewing function returns: as the last line of a notebook's cell it shows itself.

    Attributes:
        scene: What is looked at, and how at first.
    """

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    def save(self, path: str | Path, *, over: str | None = None, rate: float = 10.0) -> None:
        """Write what is seen to a file, in the format of its ending; it appears whole.

        Args:
            path: Ends in .png, .gif or .mp4 (a film over an axis), .tif or .tiff (all values, of
                the component shown, for Fiji, napari and others).
            over: Name of the axis that a film is over; None takes time, else the first other one.
            rate: Frames per second.

        Raises:
            FileNotFoundError: If the folder does not exist.
            ImportError: If a program or package for the format is missing; tells what to install.
            ValueError: If the ending or the axis is unknown.
        """
        save_scene(self.scene, path, State.first(self.scene), over, rate)

    def to_html(self, path: str | Path, *, megabytes: float = 60.0) -> None:
        """Write a page that stands alone: it needs neither kernel nor network.

        Args:
            path: File to write, whole or not at all.
            megabytes: Size of the page, at most about; what is more is thinned, and the page says
                so.

        Raises:
            FileNotFoundError: If the folder does not exist.
            ValueError: If `megabytes` is not positive.
        """
        from reconic.view.page import write_page

        write_page(self.scene, path, megabytes)

    def widget(self) -> Any:
        """The viewer made of ipywidgets alone, which work offline in every notebook.

        Raises:
            ImportError: If ipywidgets is missing.
        """
        try:
            from reconic.view.widgets import Front
        except ImportError as error:
            raise ImportError(
                f"view: sliders must have ipywidgets, got none. {_NO_WIDGETS}"
            ) from error
        return Front(self.scene)

    def png(self) -> bytes:
        """All pictures at first, as the bytes of a PNG file."""
        return png_bytes(draw_sheet(Artist(self.scene), State.first(self.scene)))

    def _repr_mimebundle_(self, **_options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """A widget where there are widgets, and a picture for where no kernel runs; metadata."""
        bundle: dict[str, Any] = {"image/png": self.png(), "text/plain": repr(self)}
        if importlib.util.find_spec("ipywidgets") is None:
            text = {"text/plain": f"{self!r} {_NO_WIDGETS}", "text/html": self._static()}
            return {**bundle, **text}, {}
        if not has_browser_widget():
            return {**bundle, _WIDGET: self.widget().get_view_spec()}, {}
        from reconic.view.guarded import Guarded

        guarded = Guarded(self.scene)
        return {**bundle, _WIDGET: guarded.get_view_spec()}, guarded.metadata

    def _static(self) -> str:
        """The picture and what to install, as HTML: of several forms a notebook shows one."""
        data = base64.b64encode(self.png()).decode()
        return f'<img src="data:image/png;base64,{data}"><br>{html.escape(_NO_WIDGETS)}'

    def __repr__(self) -> str:
        shapes = ", ".join(f"{x.title or 'volume'} {x.source.shape}" for x in self.scene.layers[:4])
        return f"<Viewer of {shapes}{', …' * (len(self.scene.layers) > 4)}>"
