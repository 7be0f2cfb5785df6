"""How large the pictures of a scene are, in pixels and as they are shown."""

from __future__ import annotations

import math

from reconic.view.scene import Scene

__all__ = ["columns_of", "pixels_of", "width_of"]

_SMALL, _LARGE = 320, 1024  # pixels of the longer side, fewest and most
_ASPECT = 8.0  # sides in no larger ratio than this
_MANY = 6  # pictures in a row, beyond which they are smaller and wrap
_PAGE, _WIDEST, _NARROWEST = 1000, 460, 150  # shown width of a row, and of a picture


def columns_of(n: int) -> int:
    """Columns that `n` pictures stand in."""
    return n if n <= _MANY else math.ceil(math.sqrt(1.5 * n))


def pixels_of(scene: Scene, axes: tuple[int, int], shape: tuple[int, int]) -> tuple[int, int]:
    """Height and width of a picture in its physical proportions, no voxel smaller than a pixel.

    Only planes of more than 1024 voxels, or of more than 256 where there are many, are thinned.

    Args:
        scene: What is looked at.
        axes: Axes of the plane.
        shape: Its shape, in voxels.
    """
    few = len(scene.layers) <= _MANY
    small, large = (_SMALL, _LARGE) if few else (_SMALL // 2, _LARGE // 4)
    longest = max(shape)
    longest = min(longest * math.ceil(small / longest), large)
    aspect = _aspect(scene, axes)
    height, width = (longest, longest / aspect) if aspect >= 1 else (longest * aspect, longest)
    return max(1, round(height)), max(1, round(width))


def width_of(scene: Scene, axes: tuple[int, int]) -> int:
    """Width that a picture is shown with; planes of one volume are shown at one scale."""
    n = len(scene.views) if len(scene.layers) == 1 else columns_of(len(scene.layers))
    side = min(max(_PAGE // n, _NARROWEST), _WIDEST)
    if scene.layout == "planes":
        longest = max(max(scene.extent(v)) for v in scene.views)
        return max(24, round(side * scene.extent(axes)[1] / longest))
    return round(side / max(1.0, _aspect(scene, axes)))


def _aspect(scene: Scene, axes: tuple[int, int]) -> float:
    """Height over width, within limits."""
    down, right = scene.extent(axes)
    return min(max(down / right, 1 / _ASPECT), _ASPECT)
