"""What a browser needs of a scene: its description, planes as bytes, and the program itself."""

from __future__ import annotations

import base64
import functools
import re
from collections.abc import Sequence
from importlib import resources
from typing import Any, get_args

import numpy as np

from reconic.view.colours import ERROR, GREY, HUE, PHASE, table
from reconic.view.scene import Component, Scene, component_of
from reconic.view.source import Source

__all__ = ["describe", "part_bytes", "program", "style", "volumes_of"]

_QUANTILES = 1001  # so that 99.8 % is one of them
_SORTED = 200_000  # values of a layer that quantiles are taken of
_MODULES = (
    *("dom", "values", "planes", "gestures", "panel", "plots", "controls", "side", "stage"),
    *("state", "actions", "viewer"),
)


def volumes_of(scene: Scene) -> list[Source]:
    """The arrays of a scene, each once though several layers may show it."""
    return list({id(layer.source): layer.source for layer in scene.layers}.values())


def describe(scene: Scene, steps: Sequence[int] | None = None) -> dict[str, Any]:
    """A scene as JSON can hold it.

    Args:
        scene: What is looked at.
        steps: Of each axis only every so manieth value is there; None is all.
    """
    steps = [1] * len(scene.axes) if steps is None else list(steps)
    volumes = volumes_of(scene)
    return {
        "layers": [
            {
                "title": layer.title,
                "volume": volumes.index(layer.source),
                "colours": layer.colours,
                "window": layer.window,
                "component": layer.component,
            }
            for layer in scene.layers
        ],
        "volumes": [
            {"shape": shortened(source.shape, steps), "complex": source.is_complex}
            for source in volumes
        ],
        "axes": scene.axes,
        "shape": shortened(scene.shape, steps),
        "steps": steps,
        "shown": scene.shown,
        "index": [i // step for i, step in zip(scene.index, steps, strict=True)],
        "spacing": [s * step for s, step in zip(scene.spacing, steps, strict=True)],
        "units": scene.units,
        "layout": scene.layout,
        "space": scene.volume,
        "component": scene.component,
        "choices": scene.choices,
        "windows": {c: scene.window_of(c) for c in get_args(Component)},
        "percentiles": scene.percentiles,
        "quantiles": _quantiles(scene),
        "peak": scene.peak,
        "tables": _tables(scene),
        "reference": scene.reference,
        "error_scale": scene.error_scale,
        "play": scene.play,
        "projection": scene.projection,
        "notes": list(scene.notes),
    }


def shortened(shape: Sequence[int], steps: Sequence[int]) -> list[int]:
    """Lengths of axes of which only every so manieth value is there."""
    return [-(-n // step) for n, step in zip(shape, steps, strict=True)]


def part_bytes(plane: np.ndarray) -> bytes:
    """Values as little-endian float32, all real parts before all imaginary ones."""
    with np.errstate(over="ignore"):  # beyond float32 is Inf
        parts = (np.real(plane), np.imag(plane)) if plane.dtype.kind == "c" else (plane,)
        return b"".join(np.ascontiguousarray(p, "<f4").tobytes() for p in parts)


@functools.cache
def style() -> str:
    """The style sheet of the viewer."""
    return _text("viewer.css")


@functools.cache
def program(entry: str) -> str:
    """The viewer as one JavaScript module.

    Its files import from one another by single lines; joined in order they need none of them.

    Args:
        entry: File that ends it: "page" mounts the viewer in a page, "widget" exports what
            anywidget calls.
    """
    joined = "\n".join(_text(f"{name}.js") for name in _MODULES)
    inside = re.sub(r"^export (?!default)", "", joined, flags=re.M)
    return re.sub(r"^import .*\n", "", f"{inside}\n{_text(f'{entry}.js')}", flags=re.M)


def _text(name: str) -> str:
    return resources.files("reconic.view").joinpath("static", name).read_text("utf-8")


def _tables(scene: Scene) -> dict[str, str]:
    """Colour maps by what they are for, and those of single layers by name."""
    asked = {layer.colours for layer in scene.layers} - {None}
    named = {"image": scene.colours or GREY, "error": ERROR, "phase": PHASE, "complex": HUE}
    names = named | {str(name): str(name) for name in asked}
    return {
        role: base64.b64encode(np.ascontiguousarray(table(name)).tobytes()).decode()
        for role, name in names.items()
    }


def _quantiles(scene: Scene) -> dict[str, dict[str, list[float]]]:
    """For each component the quantiles of all layers, and the least and largest over the layers."""
    samples = [_thinned(source.finite()) for source in volumes_of(scene)]
    components: tuple[Component, ...] = ("magnitude", "real", "imaginary", "log")
    return {c: _spread([component_of(s, c, scene.peak) for s in samples]) for c in components}


def _thinned(values: np.ndarray) -> np.ndarray:
    return values[:: -(-values.size // _SORTED) or 1]


def _spread(samples: list[np.ndarray]) -> dict[str, list[float]]:
    places = np.linspace(0, 1, _QUANTILES)
    each = [np.quantile(s.astype(np.float64), places) for s in samples if s.size]
    each = each or [np.zeros(_QUANTILES)]
    every = each[0] if len(each) == 1 else np.quantile(np.concatenate(each), places)
    found = {"all": every, "least": np.min(each, axis=0), "most": np.max(each, axis=0)}
    return {name: [float(f"{q:.6g}") for q in values] for name, values in found.items()}
