"""Marks on pictures: scale bar, crosshair and text."""

from __future__ import annotations

import functools
import math
from pathlib import Path

import matplotlib
import numpy as np

from reconic.view.picture import BLACK, MARK, WHITE, Picture

__all__ = ["FONT", "bar_length", "crosshair", "scale_bar", "text_mask", "write_text"]

_MARGIN, _THICK, _GAP, _LETTERS = 8, 3, 6, 11  # pixels
FONT = str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf")


def bar_length(extent: float) -> float:
    """A round length, 1, 2 or 5 times a power of ten, between a tenth and a quarter of `extent`."""
    longest = extent / 4
    power = 10.0 ** math.floor(math.log10(longest))
    return next(m * power for m in (5, 2, 1) if m * power <= longest)


def scale_bar(picture: Picture, extent: float, unit: str, larger: int = 1) -> None:
    """Draw a white bar and its length in the lower left corner, in place.

    Args:
        picture: Where to draw; nothing is drawn where there is no room.
        extent: Physical width of the picture.
        unit: Unit of `extent`.
        larger: Factor on the size of what is drawn.
    """
    height, width = picture.pixels.shape[:2]
    margin, thick = _MARGIN * larger, _THICK * larger
    if height < 5 * margin or width < 8 * margin:
        return
    length = bar_length(extent)
    pixels = max(1, round(length / extent * width))
    bottom = height - margin
    for grown, mark in ((larger, BLACK), (0, WHITE)):
        rows = slice(bottom - thick - grown, bottom + grown)
        picture.paint((rows, slice(margin - grown, margin + pixels + grown)), mark)
    letters = text_mask(f"{length:g} {unit}", _LETTERS * larger)[0]
    top = bottom - thick - 2 * larger - letters.shape[0]
    write_text(picture, f"{length:g} {unit}", margin, top, _LETTERS * larger)


def crosshair(picture: Picture, row: float, column: float, larger: int = 1) -> None:
    """Draw lines through a point, with a gap around it so that what is there stays seen, in place.

    Args:
        picture: Where to draw.
        row: Place as a fraction of the height, 0 … 1.
        column: Place as a fraction of the width, 0 … 1.
        larger: Width of the lines, in pixels.
    """
    height, width = picture.pixels.shape[:2]
    y, x = min(int(row * height), height - 1), min(int(column * width), width - 1)
    rows, columns = (_thick(middle, larger) for middle in (y, x))
    for part in _beside(x, width, larger):
        picture.paint((rows, part), MARK)
    for part in _beside(y, height, larger):
        picture.paint((part, columns), MARK)


def _thick(middle: int, larger: int) -> slice:
    return slice(max(0, middle - larger // 2), middle + (larger + 1) // 2)


def _beside(middle: int, length: int, larger: int) -> tuple[slice, slice]:
    """What is before and what is behind a gap."""
    gap = _GAP * larger
    return slice(0, max(0, middle - gap)), slice(middle + gap, length)


def write_text(picture: Picture, text: str, left: int, top: int, size: int = _LETTERS) -> None:
    """Write white text on a black outline, in place; what is outside the picture is cut off.

    Args:
        picture: Where to write.
        text: One line.
        left: First column.
        top: First row.
        size: Height of the letters, in pixels.
    """
    letters, outline = text_mask(text, size)
    height, width = picture.pixels.shape[:2]
    for mask, mark in ((outline, BLACK), (letters, WHITE)):
        where = np.zeros((height, width), bool)
        y0, x0 = max(top, 0), max(left, 0)
        part = mask[y0 - top : max(height - top, 0), x0 - left : max(width - left, 0)]
        where[y0 : y0 + part.shape[0], x0 : x0 + part.shape[1]] = part
        picture.paint(where, mark)


@functools.lru_cache(maxsize=256)
def text_mask(text: str, size: int = _LETTERS) -> tuple[np.ndarray, np.ndarray]:
    """Where the letters of a line are, and where they are or border on; booleans (h, w)."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.truetype(FONT, size)
    _, _, right, bottom = font.getbbox(text)
    canvas = Image.new("L", (math.ceil(right) + 2, math.ceil(bottom) + 2))
    ImageDraw.Draw(canvas).text((1, 1), text, 255, font)
    letters = np.asarray(canvas) > 110
    grown = np.pad(letters, 1)
    shifts = [np.roll(grown, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    return letters, np.any(shifts, axis=0)[1:-1, 1:-1]
