"""Values along a line, drawn as curves: in 3 ms, for dragging, where a figure takes 30."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from reconic.view.marks import FONT
from reconic.view.picture import Picture

__all__ = ["draw_profile"]

_COLOURS = (  # Okabe and Ito's, told apart by every eye
    (86, 180, 233), (230, 159, 0), (0, 158, 115), (204, 121, 167), (240, 228, 66), (213, 94, 0),
)  # fmt: skip
_WIDTH, _HEIGHT = 640, 180  # pixels
_BOX = (66, 22, _WIDTH - 10, _HEIGHT - 22)  # left, top, right and bottom of the frame
_DIM, _WHITE = (110, 110, 110), (255, 255, 255)


def draw_profile(
    lines: Mapping[str, np.ndarray],
    window: tuple[float, float],
    along: str,
    extent: float,
    place: float,
) -> Picture:
    """Curves in one frame, each over the whole width; NaN and Inf are gaps.

    Args:
        lines: Real values by title, from the beginning of the axis to its end.
        window: Values at the bottom and at the top; the frame grows where curves leave it.
        along: What the axis is, with its unit.
        extent: Physical length of the axis.
        place: Where the crosshair is, as a fraction of the axis, 0 … 1.
    """
    from PIL import Image, ImageDraw, ImageFont

    canvas = Image.new("RGB", (_WIDTH, _HEIGHT))
    pen, font = ImageDraw.Draw(canvas), ImageFont.truetype(FONT, 11)
    left, top, right, bottom = _BOX
    low, high = _range(lines, window)
    pen.rectangle(_BOX, outline=_DIM)
    x = left + place * (right - left)
    pen.line((x, top, x, bottom), _DIM)
    title_at = float(left)
    for i, (title, values) in enumerate(lines.items()):
        colour = _COLOURS[i % len(_COLOURS)]
        for points in _pieces(values, low, high):
            pen.line(points, colour, 2)
        pen.text((title_at, 4), title, colour, font)
        title_at += pen.textlength(title, font) + 14
    pen.text((left - 4, top), f"{high:.4g}", _WHITE, font, anchor="rt")
    pen.text((left - 4, bottom), f"{low:.4g}", _WHITE, font, anchor="rb")
    pen.text((left, bottom + 4), "0", _WHITE, font, anchor="lt")
    pen.text((right, bottom + 4), f"{along} {extent:.4g}", _WHITE, font, anchor="rt")
    return Picture(np.array(canvas))


def _range(lines: Mapping[str, np.ndarray], window: tuple[float, float]) -> tuple[float, float]:
    finite = [v[np.isfinite(v)] for v in lines.values()]
    low = min(float(np.min(v, initial=window[0])) for v in finite)
    high = max(float(np.max(v, initial=window[1])) for v in finite)
    return low, high


def _pieces(values: np.ndarray, low: float, high: float) -> Iterator[list[tuple[float, float]]]:
    """Points of each stretch of finite values; a stretch of one is a short dash."""
    left, top, right, bottom = _BOX
    step = (right - left) / len(values)
    xs = (left + (np.arange(len(values)) + 0.5) * step).tolist()
    ys = (bottom - (values - low) / (high - low) * (bottom - top)).tolist()
    breaks = np.flatnonzero(~np.isfinite(values))
    for part in np.split(np.arange(len(values)), breaks):
        kept = part[np.isfinite(values[part])]
        if kept.size == 1:
            yield [(xs[kept[0]] - step / 2, ys[kept[0]]), (xs[kept[0]] + step / 2, ys[kept[0]])]
        elif kept.size:
            yield [(xs[i], ys[i]) for i in kept]
