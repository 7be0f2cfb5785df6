"""The viewer with the mouse, and the one of ipywidgets alone where that does not come up."""

from __future__ import annotations

from typing import Any

import ipywidgets

from reconic.view.scene import Scene
from reconic.view.widget import FRONT_END, browser_widget
from reconic.view.widgets import Front

__all__ = ["Guarded"]

_PATIENCE = 3000  # ms that the browser has to ask for the first planes
_WHY = (
    "The viewer with the mouse did not load: the front end of anywidget is missing. Type "
    "<code>pip install anywidget</code> where JupyterLab itself is installed, start it again and "
    f"reload the page. Or type <code>%env {FRONT_END}=ipywidgets</code> to always have these "
    "sliders, at once."
)


class Guarded(ipywidgets.VBox):
    """The browser's viewer, hidden until it asks for planes; another one if it never does.

    Where JupyterLab runs in another environment, or the network is closed, the front end of
    anywidget is missing, and nobody tells the kernel. So a hidden player, which ipywidgets itself
    brings, lets time pass in the browser. It tells the kernel after the viewer would have; so a
    kernel that is busy for long changes nothing.

    Attributes:
        browser: The widget of the browser's viewer.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene, self.browser = scene, browser_widget(scene)
        self._frame = ipywidgets.VBox([self.browser], layout={"display": "none"})
        self._clock = ipywidgets.Play(
            value=1, max=1, interval=_PATIENCE, layout={"display": "none"}, _view_count=0
        )
        self.browser.on_msg(self._came_up)
        self._clock.observe(self._start, "_view_count")
        self._clock.observe(self._is_late, "value")
        super().__init__([self._frame, self._clock])

    @property
    def metadata(self) -> dict[str, Any]:
        """What Colab must be told in order to load the front end of anywidget; {} elsewhere."""
        return self.browser._repr_mimebundle_()[1]

    def _came_up(self, *_message: Any) -> None:
        """Show the browser's viewer, alone; late is as good as early."""
        if len(self.children) > 1:
            self._frame.layout.display = None
            self.children = [self._frame]

    def _start(self, _change: Any) -> None:
        """The box is in the page: from now on the browser counts."""
        self._clock.playing = True

    def _is_late(self, change: Any) -> None:
        """The player goes from its end to 0 at once, and to 1 when the time is over."""
        if change.new == 1 and self._clock in self.children:
            self.children = [self._frame, ipywidgets.HTML(_WHY), Front(self._scene)]
