"""The values of a scene as an OME-TIFF, for Fiji, napari and others."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from reconic.view.look import look_of
from reconic.view.scene import Scene, component_of
from reconic.view.state import State

__all__ = ["write_tiff"]

_UNITS = ("m", "cm", "mm", "µm", "nm", "Å")  # of those that OME knows
_CLASSIC = 2**32 - 2**25  # bytes that fit into a TIFF that is not a BigTIFF


def write_tiff(path: Path, scene: Scene, state: State) -> None:
    """Write what is shown of every value, float32, plane by plane.

    The axes of the file are T, C, Z, Y, X: layers are channels, and what is neither space nor shown
    is T, the last axis fastest.

    Raises:
        ImportError: If tifffile is missing.
        ValueError: If the layers have different shapes.
    """
    try:
        import tifffile
    except ImportError as error:
        raise ImportError(
            'save: .tiff must have tifffile, got none. `pip install "reconic[io]"`.'
        ) from error
    if any(x.source.shape != scene.shape for x in scene.layers):
        raise ValueError(
            f"save: for .tiff all layers must have one shape, got "
            f"{[x.source.shape for x in scene.layers]}. Save one at a time."
        )
    y, x = scene.shown
    z = scene.volume[0] if scene.volume is not None else None
    times = [a for a in range(len(scene.axes)) if a not in (z, y, x)]
    n_times = math.prod(scene.shape[a] for a in times)
    depth = 1 if z is None else scene.shape[z]
    shape = (n_times, len(scene.layers), depth, scene.shape[y], scene.shape[x])
    tifffile.imwrite(
        path,
        _planes(scene, state, times, z),
        shape=shape,
        dtype=np.float32,
        ome=True,
        bigtiff=4 * math.prod(shape) > _CLASSIC,
        photometric="minisblack",
        metadata=_metadata(scene, {"Z": z, "Y": y, "X": x}),
    )


def _planes(scene: Scene, state: State, times: list[int], z: int | None) -> Iterator[np.ndarray]:
    """Planes in the order of the file, each read when it is asked for."""
    index = list(state.index)
    for time in np.ndindex(*(scene.shape[a] for a in times)):
        for a, i in zip(times, time, strict=True):
            index[a] = i
        for layer in scene.layers:
            component = look_of(scene, layer, state).component
            for depth in range(1 if z is None else scene.shape[z]):
                if z is not None:
                    index[z] = depth
                values = layer.source.plane(scene.shown, index)
                yield component_of(values, component, scene.peak).astype(np.float32)


def _metadata(scene: Scene, axes: dict[str, int | None]) -> dict[str, Any]:
    found: dict[str, Any] = {"axes": "TCZYX", "Channel": {"Name": [x.title for x in scene.layers]}}
    for name, a in axes.items():
        if a is not None and scene.units[a] in _UNITS:
            found[f"PhysicalSize{name}"] = scene.spacing[a]
            found[f"PhysicalSize{name}Unit"] = scene.units[a]
    return found
