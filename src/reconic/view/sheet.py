"""All pictures of a scene at a moment on one black sheet, with titles and colour bars."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reconic.view.bars import Bar, bars
from reconic.view.draw import Artist, Panel
from reconic.view.marks import text_mask, write_text
from reconic.view.picture import Picture
from reconic.view.state import State

__all__ = ["draw_sheet"]

_GAP, _TITLE, _LINE = 6, 20, 18  # pixels
_BAR = (10, 160)


def draw_sheet(artist: Artist, state: State) -> np.ndarray:
    """Pixels (h, w, 3) uint8 of all pictures; the scene's notes stand at the end.

    Args:
        artist: Who draws.
        state: What of the scene is shown.
    """
    rows = [_beside([_titled(panel) for panel in row]) for row in artist.panels(state)]
    width = max(row.shape[1] for row in rows)
    rows += [_bar(bar) for bar in bars(artist.scene, state)]
    rows += [_text(note, width) for note in artist.scene.notes]
    return _below(rows)


def _titled(panel: Panel) -> np.ndarray:
    pixels = panel.picture.rgb()
    title = f"{panel.title}; {panel.note}" if panel.note else panel.title
    return np.concatenate([_text(title, pixels.shape[1], _TITLE), pixels])


def _text(text: str, width: int, height: int = _LINE) -> np.ndarray:
    """A line on black, cut with an ellipsis where it is too long."""
    line = Picture(np.zeros((height, width, 3), np.uint8))
    shown = text
    while len(shown) > 1 and text_mask(shown)[0].shape[1] > width - 4:
        shown = shown.removesuffix("…")[:-1] + "…"
    if shown:
        write_text(line, shown, 2, 2)
    return line.pixels


def _bar(bar: Bar) -> np.ndarray:
    ramp = np.zeros((_LINE, _BAR[1] + 2 * _GAP, 3), np.uint8)
    top = (_LINE - _BAR[0]) // 2
    ramp[top : top + _BAR[0], _GAP : _GAP + _BAR[1]] = bar.picture(*_BAR).rgb()
    label = f"{bar.low:.4g} to {bar.high:.4g}, {bar.label}"
    return _beside([ramp, _text(label, text_mask(label)[0].shape[1] + 8)])


def _beside(parts: Sequence[np.ndarray]) -> np.ndarray:
    height = max(p.shape[0] for p in parts)
    gaps = [_GAP] * (len(parts) - 1) + [0]
    return np.concatenate(
        [
            np.pad(p, ((0, height - p.shape[0]), (0, gap), (0, 0)))
            for p, gap in zip(parts, gaps, strict=True)
        ],
        axis=1,
    )


def _below(rows: Sequence[np.ndarray]) -> np.ndarray:
    width = max(r.shape[1] for r in rows)
    return np.concatenate(
        [np.pad(r, ((0, _GAP), (0, width - r.shape[1]), (0, 0))) for r in rows], axis=0
    )
