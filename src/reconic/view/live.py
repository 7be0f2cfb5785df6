"""Images and loss of a run that goes on, in a notebook's output, redrawn in place."""

from __future__ import annotations

import contextvars
import sys
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from reconic.view.curves import draw_curves
from reconic.view.figures import Curve
from reconic.view.run_viewer import image_tag, picture

__all__ = ["Live", "in_notebook"]

_PERIOD = 0.5  # seconds between two redraws, at least
_SHARE = 40  # redraws wait this many times as long as the last one took: 2.5 % of the time
_STYLE = """<style>.rc-live{display:flex;gap:8px;align-items:flex-start;flex-wrap:wrap}
.rc-live figure{margin:0}.rc-live img{height:300px;image-rendering:pixelated}
.rc-live figure:first-child img{image-rendering:auto}</style>"""


def in_notebook() -> bool:
    """Whether this is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None


class Live:
    """An output of the running cell that is drawn again on a thread; to be closed at the end."""

    def __init__(self) -> None:
        from IPython.display import HTML, display

        self._html = HTML
        self._handle: Any = display(HTML(_STYLE), display_id=True)
        self._thread = ThreadPoolExecutor(1, "reconic-live")
        self._context = contextvars.copy_context()  # tells the kernel which cell this is
        self._drawing: Future | None = None
        self._next = 0.0

    def due(self) -> bool:
        """Whether enough time has passed since the last redraw, and that is done."""
        idle = self._drawing is None or self._drawing.done()
        return idle and time.monotonic() >= self._next

    def update(self, curves: Mapping[str, Curve], images: Mapping[str, np.ndarray]) -> None:
        """Redraw soon.

        Args:
            curves: As `draw_curves` takes them; not to be changed afterwards.
            images: By title, two axes or more; of leading ones the middle is shown.
        """
        self.wait()
        self._next = time.monotonic() + _PERIOD
        self._drawing = self._thread.submit(self._context.run, self._draw, curves, images)

    def wait(self) -> None:
        """Return when the last redraw is done."""
        if self._drawing is not None:
            self._drawing.result()

    def close(self) -> None:
        """Finish the last redraw and end the thread."""
        try:
            self.wait()
        finally:
            self._thread.shutdown()

    def _draw(self, curves: Mapping[str, Curve], images: Mapping[str, np.ndarray]) -> None:
        began = time.monotonic()
        tags = [image_tag(draw_curves(curves).encode(), "", "svg+xml")]
        tags += [image_tag(picture(x), name) for name, x in images.items() if x.ndim >= 2]
        self._handle.update(self._html(f"{_STYLE}<div class=rc-live>{''.join(tags)}</div>"))
        end = time.monotonic()
        self._next = max(self._next, end + _SHARE * (end - began))
