"""Colour maps as tables, all perceptually uniform."""

from __future__ import annotations

import functools

import matplotlib
import numpy as np

from reconic.view.panels import ERROR_COLOURS, PHASE_COLOURS
from reconic.view.scene import Component

__all__ = ["ERROR", "GREY", "HUE", "ORDER", "PHASE", "table", "usual_colours"]

GREY = "gray"
ERROR = ERROR_COLOURS
PHASE = PHASE_COLOURS
HUE = "hue"  # cyclic, of one lightness, so that brightness is free to show the magnitude
ORDER = "order"  # black, then one after the other
_LIGHTNESS, _CHROMA = 72.0, 42.0  # of HUE, in CIELAB; larger chroma leaves the sRGB gamut


def usual_colours(component: Component) -> str:
    """Name of the colour map that a component is shown in where none is asked for."""
    return {"phase": PHASE, "complex": HUE}.get(component, GREY)


@functools.cache
def table(name: str) -> np.ndarray:
    """Colours (256, 3) uint8 of a map, from the darkest value to the brightest.

    Args:
        name: "hue", "order", or what matplotlib knows.

    Raises:
        KeyError: If there is no such map.
    """
    if name == HUE:
        return _hue()
    if name == ORDER:
        return np.concatenate([np.zeros((1, 3), np.uint8), table("viridis")[1:]])
    if name not in matplotlib.colormaps:
        raise KeyError(
            f"view: `colours` must be a colour map of matplotlib, got {name!r}. Try 'gray', "
            "'viridis' or 'inferno'."
        )
    colours = matplotlib.colormaps[name]
    found = colours(np.round(np.linspace(0, colours.N - 1, 256)).astype(int))[:, :3]
    found = np.round(255 * found).astype(np.uint8)
    found.flags.writeable = False
    return found


def _hue() -> np.ndarray:
    """Circle of one lightness and chroma in CIELAB (D65), as sRGB."""
    angle = np.linspace(-np.pi, np.pi, 256)
    fy = (_LIGHTNESS + 16) / 116
    f = np.stack(
        [fy + _CHROMA * np.cos(angle) / 500, fy + 0 * angle, fy - _CHROMA * np.sin(angle) / 200]
    )
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * _WHITE[:, None]
    linear = np.clip(_TO_RGB @ xyz, 0, 1)
    curved = np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)
    return np.round(255 * curved.T).astype(np.uint8)


_WHITE = np.array([0.9505, 1.0, 1.089])  # D65
_TO_RGB = np.array(
    [[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]]
)
