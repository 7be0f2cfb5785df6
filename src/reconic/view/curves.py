"""Curves over time as SVG: in 1 ms, for a run that goes on, where a figure takes 300."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Mapping

import numpy as np
from matplotlib.ticker import MaxNLocator

from reconic.view.figures import Curve, logarithmic
from reconic.view.figures.style import COLOURS

__all__ = ["draw_curves"]

_WIDTH, _HEIGHT = 500, 320  # pixels
_LEFT, _TOP, _RIGHT, _BOTTOM = 62, 12, _WIDTH - 18, _HEIGHT - 36  # of the frame
_GRID, _TEXT = "#e5e5e5", "#222222"
_SEVERAL = 3  # decades, from which on only powers of ten are marked
_TICKS = 6
_SVG = (
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" '
    f'height="{_HEIGHT}" font-family="DejaVu Sans, sans-serif" font-size="11" fill="{_TEXT}">'
    f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>'
)


def draw_curves(curves: Mapping[str, Curve], value: str = "loss", over: str = "epoch") -> str:
    """Draw values over time, as `history_figure` does, as an SVG image.

    Args:
        curves: By name, where and what, both (n,); the first is drawn thicker, and those whose name
            starts with "held out" dashed. What is not finite leaves a gap.
        value: What the values are, with their unit.
        over: What they are over.

    Raises:
        ValueError: If there are no curves.
    """
    if not curves:
        raise ValueError("draw_curves: `curves` must have a curve, got none. Add one by name.")
    log = logarithmic(curves)
    levels = {name: (np.asarray(x), _level(y, log)) for name, (x, y) in curves.items()}
    xs, ys = (_range([c[i] for c in levels.values()]) for i in (0, 1))
    parts = [_SVG, *_grid(xs, ys, log)]
    for i, (name, (x, y)) in enumerate(levels.items()):
        style = f'stroke="{COLOURS[i % len(COLOURS)]}" stroke-width="{1 if i else 1.8}"'
        style += ' stroke-dasharray="5 3"' if name.startswith("held out") else ""
        parts += _lines(_place(x, xs, _LEFT, _RIGHT), _place(y, ys, _BOTTOM, _TOP), style)
        parts.append(_entry(i, name, style))
    middle = (_TOP + _BOTTOM) / 2
    parts.append(_words((_LEFT + _RIGHT) / 2, _HEIGHT - 5, over, "middle"))
    turned = f'transform="rotate(-90 12 {middle})"'
    return "".join([*parts, _words(12, middle, value, "middle", turned), "</svg>"])


def _level(y: np.ndarray, log: bool) -> np.ndarray:
    """What is drawn upwards: the values, or their decades; NaN where there is nothing to draw."""
    y = np.where(np.isfinite(y), y, np.nan).astype(np.float64)
    return np.log10(np.where(y > 0, y, np.nan)) if log else y


def _range(values: list[np.ndarray]) -> tuple[float, float]:
    """Least and largest finite value; never the same."""
    found = np.concatenate(values)
    found = found[np.isfinite(found)]
    low, high = (float(found.min()), float(found.max())) if found.size else (0.0, 1.0)
    return (low, high) if low < high else (low - 0.5, high + 0.5)


def _place(x: np.ndarray, span: tuple[float, float], start: float, stop: float) -> np.ndarray:
    return start + (np.asarray(x, np.float64) - span[0]) / (span[1] - span[0]) * (stop - start)


def _grid(xs: tuple[float, float], ys: tuple[float, float], log: bool) -> Iterator[str]:
    """Lines with their values, along both axes."""
    for x in _ticks(*xs):
        at = float(_place(np.asarray(x), xs, _LEFT, _RIGHT))
        yield f'<path d="M{at:.1f} {_TOP}V{_BOTTOM}" stroke="{_GRID}"/>'
        yield _words(at, _BOTTOM + 14, f"{x:g}", "middle")
    for y in _decades(*ys) if log else _ticks(*ys):
        at = float(_place(np.asarray(y), ys, _BOTTOM, _TOP))
        yield f'<path d="M{_LEFT} {at:.1f}H{_RIGHT}" stroke="{_GRID}"/>'
        yield _words(_LEFT - 5, at + 4, f"{10**y if log else y:.4g}", "end")


def _ticks(low: float, high: float) -> list[float]:
    found = MaxNLocator(_TICKS, steps=[1, 2, 5, 10]).tick_values(low, high)
    return [float(t) for t in found if low <= t <= high]


def _decades(low: float, high: float) -> list[float]:
    """Logarithms of round values: powers of ten; within few decades 2 and 5 times them, or more."""
    every = max(1, math.ceil((high - low) / _TICKS))
    factors = (1,) if high - low >= _SEVERAL else (1, 2, 5)
    powers = range(math.floor(low) // every * every, math.ceil(high) + 1, every)
    found = [k + math.log10(m) for k in powers for m in factors]
    found = [t for t in found if low <= t <= high]
    return found if len(found) > 1 else [math.log10(t) for t in _ticks(10**low, 10**high)]


def _lines(x: np.ndarray, y: np.ndarray, style: str) -> Iterator[str]:
    """Each stretch of finite values; a stretch of one is a dot."""
    for part in np.split(np.arange(len(y)), np.flatnonzero(~np.isfinite(y))):
        kept = part[np.isfinite(y[part])]
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x[kept], y[kept], strict=True))
        if kept.size == 1:
            yield f'<circle cx="{x[kept][0]:.1f}" cy="{y[kept][0]:.1f}" r="2" fill="none" {style}/>'
        elif kept.size:
            yield f'<polyline points="{points}" fill="none" {style}/>'


def _entry(i: int, name: str, style: str) -> str:
    """A line of the legend, in the upper right corner."""
    y = _TOP + 12 + 15 * i
    line = f'<path d="M{_RIGHT - 22} {y - 4}H{_RIGHT - 4}" {style}/>'
    return line + _words(_RIGHT - 28, y, name, "end")


def _words(x: float, y: float, text: str, anchor: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{html.escape(text)}</text>'
