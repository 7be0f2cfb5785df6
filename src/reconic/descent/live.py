"""What a notebook is shown of a descent as it goes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from reconic.descent.fit import history_curves
from reconic.descent.record import Record
from reconic.descent.trees import format_path, split

if TYPE_CHECKING:
    from reconic.view.live import Live

__all__ = ["Screen", "make_screen"]

_POINTS = 1000  # of a curve


class Screen:
    """Losses and images of a run, drawn again a few times a second.

    Args:
        output: Where they are drawn.
        images: Function from the variables to images by name; None shows every variable that has
            two axes or more.
    """

    def __init__(self, output: Live, images: Callable[[Any], Mapping[str, Any]] | None) -> None:
        self._output, self._images = output, images

    def look(self, record: Record, variables: Callable[[], Any], last: bool = False) -> None:
        """Draw again if it is time.

        Args:
            record: History so far.
            variables: Gives the variables as they are now; called only if it is time.
            last: Whether it is time anyhow.
        """
        from reconic.view.figures.style import middle

        if not last and not self._output.due():
            return
        now = variables()
        found = _arrays(now) if self._images is None else self._images(now)
        images = {  # of volumes one plane is copied, as the next steps change them
            name: np.array(middle(np.asarray(x))) for name, x in found.items()
        }
        curves = history_curves(record.history)
        self._output.update({k: (_thin(x), _thin(y)) for k, (x, y) in curves.items()}, images)

    def __enter__(self) -> Screen:
        return self

    def __exit__(self, *_: object) -> None:
        self._output.close()


def make_screen(images: Callable[[Any], Mapping[str, Any]] | None) -> Screen | None:
    """Screen in the output of the running cell; None, with a warning, if there is no notebook."""
    from reconic.view.live import Live, in_notebook

    if in_notebook():
        return Screen(Live(), images)
    warnings.warn(
        "reconstruct: `live` must run in a notebook, got none. The progress bar is shown instead.",
        stacklevel=3,
    )
    return None


def _arrays(variables: Any) -> dict[str, Any]:
    """Variables of two axes or more, by their paths."""
    arrays, frame = split(variables)
    named = zip(frame.paths, arrays, strict=True)
    return {format_path(p) if p else "image": x for p, x in named if np.ndim(x) >= 2}


def _thin(x: np.ndarray) -> np.ndarray:
    """Copy of some values, the first and the last too."""
    return x[np.unique(np.linspace(0, len(x) - 1, _POINTS).astype(int))]
