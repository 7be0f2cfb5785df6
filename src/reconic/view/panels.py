"""Images as 8-bit pixels, on stated scales, for TensorBoard and for files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import matplotlib
import numpy as np

GREYS = "gray"  # of magnitudes
ERROR_COLOURS = "inferno"  # perceptually uniform, zero is black
PHASE_COLOURS = "twilight"  # perceptually uniform and cyclic
_WHITE = 99.8  # percentile of magnitudes shown white; the few above saturate
_NO_PHASE = 0.03  # fraction of the largest magnitude under which phase is only noise


def grey_scale(images: Iterable[np.ndarray]) -> float:
    """Magnitude to show white: the largest over `images` of the 99.8th percentile of each.

    Positive, 1 for images that are zero everywhere.
    """
    images = list(images)
    white = max((float(np.percentile(np.abs(x), _WHITE)) for x in images), default=0.0)
    peak = max((float(np.max(np.abs(x))) for x in images), default=0.0)
    return white or peak or 1.0


def to_grey(x: np.ndarray, vmax: float | None = None) -> np.ndarray:
    """Magnitude as uint8 of the same shape: 0 is black, `vmax` and above white.

    Args:
        x: Image, real or complex.
        vmax: Magnitude to show white; None takes `grey_scale` of `x`. Fix it to compare images.
    """
    vmax = grey_scale([x]) if vmax is None else vmax
    return _bytes(np.abs(x) / vmax)


def to_error(x_hat: np.ndarray, x: np.ndarray, vmax: float, scale: float = 5.0) -> np.ndarray:
    """Magnitude of the complex error times `scale` in colour, uint8 `(*shape, 3)`.

    Args:
        x_hat: Estimate.
        x: Truth.
        vmax: Magnitude shown brightest, that of the images' own grey scale.
        scale: Factor on the error.
    """
    return _colours(ERROR_COLOURS, np.abs(x_hat - x) * (scale / vmax))


def to_phase(x: np.ndarray) -> np.ndarray:
    """Phase on a cyclic colour scale, uint8 `(*shape, 3)`; black where there is next to no signal.

    -π and π are of one colour. No signal is a magnitude under 3 % of the largest.
    """
    rgb = _colours(PHASE_COLOURS, np.angle(x) / (2 * np.pi) + 0.5)
    magnitude = np.abs(x)
    rgb[magnitude <= _NO_PHASE * np.max(magnitude, initial=0.0)] = 0
    return rgb


def to_log_kspace(y: np.ndarray, decibels: float = 80.0) -> np.ndarray:
    """Log magnitude of k-space as uint8 `(ny, nx)`, unmeasured samples black.

    Args:
        y: k-space `(..., ny, nx)`; leading axes, such as coils, combine by root sum of squares.
        decibels: Range from white, the largest sample, down to black.
    """
    size = np.sqrt(np.sum(np.abs(y) ** 2, axis=tuple(range(y.ndim - 2))))
    peak = np.max(size, initial=0.0)
    if peak == 0:
        return np.zeros(size.shape, np.uint8)
    floor = 10 ** (-decibels / 20)
    return _bytes(1 + 20 * np.log10(np.maximum(size / peak, floor)) / decibels)


def tile(rows: Sequence[Sequence[np.ndarray]], gap: int = 2) -> np.ndarray:
    """Panels of one size side by side in rows, black between them; colour if any is in colour.

    Args:
        rows: Panels uint8 (ny, nx) or (ny, nx, 3), as many in each row.
        gap: Pixels between panels.
    """
    colour = any(panel.ndim == 3 for row in rows for panel in row)
    ny, nx = rows[0][0].shape[:2]
    shape = (len(rows) * (ny + gap) - gap, len(rows[0]) * (nx + gap) - gap)
    tiled = np.zeros((*shape, 3) if colour else shape, np.uint8)
    for i, row in enumerate(rows):
        for j, panel in enumerate(row):
            top, left = i * (ny + gap), j * (nx + gap)
            grey = colour and panel.ndim == 2
            tiled[top : top + ny, left : left + nx] = panel[..., None] if grey else panel
    return tiled


def _bytes(x: np.ndarray) -> np.ndarray:
    """0 … 1 as 0 … 255, cut beyond."""
    return np.round(255 * np.clip(x, 0, 1)).astype(np.uint8)


def _colours(name: str, x: np.ndarray) -> np.ndarray:
    return matplotlib.colormaps[name](np.clip(x, 0, 1), bytes=True)[..., :3].copy()
