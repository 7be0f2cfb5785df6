"""What of a scene is shown at a moment."""

from __future__ import annotations

from dataclasses import dataclass

from reconic.view.scene import Component, Scene

__all__ = ["State"]


@dataclass(frozen=True)
class State:
    """Where a scene is cut, and how its values are shown; changed by `dataclasses.replace`.

    Attributes:
        index: Where each axis is cut.
        shown: Axis that goes down and axis that goes right, of "panels".
        component: What is shown of the values.
        window: Values shown darkest and brightest.
        projection: Whether the largest magnitudes along the axis of depth are shown.
        errors: Whether errors against the reference are shown.
        error_scale: Factor on them.
        crosshair: Whether the lines of `index` are drawn.
    """

    index: tuple[int, ...]
    shown: tuple[int, int]
    component: Component
    window: tuple[float, float]
    projection: bool = False
    errors: bool = False
    error_scale: float = 5.0
    crosshair: bool = False

    @classmethod
    def first(cls, scene: Scene) -> State:
        """What is shown at first."""
        return cls(
            index=scene.index,
            shown=scene.shown,
            component=scene.component,
            window=scene.window_of(scene.component),
            projection=scene.projection,
            errors=scene.reference is not None,
            error_scale=scene.error_scale,
            crosshair=scene.layout == "planes",
        )
