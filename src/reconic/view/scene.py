"""What is to be looked at, and how at first: the same for every front end."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from reconic.view.source import Source

__all__ = ["COMPONENTS", "DECIBELS", "Component", "Layer", "Layout", "Scene", "component_of"]

Component = Literal["magnitude", "phase", "real", "imaginary", "log", "complex"]
Layout = Literal["panels", "planes"]
COMPONENTS: tuple[Component, ...] = get_args(Component)
DECIBELS = 80.0  # range of "log", from the largest magnitude down


@dataclass(frozen=True)
class Layer:
    """One array under its title.

    Attributes:
        title: What stands above it.
        source: The values.
        colours: Its own colour map, for all components; None takes the scene's.
        window: Values shown darkest and brightest; None takes the scene's.
        component: What is always shown of it; None takes what is chosen for the scene.
    """

    title: str
    source: Source
    colours: str | None = None
    window: tuple[float, float] | None = None
    component: Component | None = None


@dataclass(frozen=True)
class Scene:
    """Arrays to look at side by side, their axes, and how they are shown at first.

    Attributes:
        layers: The arrays, all with as many axes; lengths may differ, then an index beyond an end
            of the shorter one shows its last.
        axes: Names of the axes, in order.
        shown: Axis that goes down and axis that goes right.
        index: Where each axis is cut at first.
        spacing: Physical size of a voxel along each axis, 1 where it is not known.
        units: Unit of each of `spacing`; "" where it is not known.
        layout: "panels": one picture for each layer. "planes": for each layer the three orthogonal
            planes of `volume`, linked by a crosshair.
        volume: The three axes of "planes", in order, as (z, y, x).
        component: What is shown of the values at first.
        choices: Components that can be chosen.
        window: Values shown darkest and brightest, of the component shown at first; None takes
            `percentiles`.
        percentiles: Percentiles that are shown darkest and brightest. None in place of the lower
            one is the value 0; for parts of complex values minus the largest magnitude shown; else,
            where values are negative too, 100 less the upper one.
        colours: Colour map; None takes grey, and the cyclic one for the phase.
        reference: Index of the layer that the others' errors are against; None shows none.
        error_scale: Factor on the errors.
        play: Axis that is played over, None if there is none.
        projection: Whether the maximum along the axis of depth is shown at first.
        notes: What is wrong or unexpected, each in a line.
    """

    layers: tuple[Layer, ...]
    axes: tuple[str, ...]
    shown: tuple[int, int]
    index: tuple[int, ...]
    spacing: tuple[float, ...]
    units: tuple[str, ...]
    layout: Layout = "panels"
    volume: tuple[int, int, int] | None = None
    component: Component = "magnitude"
    choices: tuple[Component, ...] = COMPONENTS
    window: tuple[float, float] | None = None
    percentiles: tuple[float | None, float] = (None, 99.8)
    colours: str | None = None
    reference: int | None = None
    error_scale: float = 5.0
    play: int | None = None
    projection: bool = False
    notes: tuple[str, ...] = ()

    @functools.cached_property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes, the longest over the layers."""
        return tuple(
            max(lengths) for lengths in zip(*(x.source.shape for x in self.layers), strict=True)
        )

    @functools.cached_property
    def peak(self) -> float:
        """Largest magnitude that is found in the samples, 0 dB of "log"; never 0."""
        largest = (np.max(np.abs(x.source.finite()), initial=0.0) for x in self.layers)
        return float(max(largest)) or 1.0

    @property
    def is_complex(self) -> bool:
        """Whether any layer is complex."""
        return any(x.source.is_complex for x in self.layers)

    @property
    def sliders(self) -> tuple[int, ...]:
        """Axes with a slider beyond those that a picture or a crosshair covers."""
        covered = self.volume if self.layout == "planes" and self.volume else self.shown
        return tuple(a for a in range(len(self.axes)) if a not in covered and self.shape[a] > 1)

    @property
    def views(self) -> tuple[tuple[int, int], ...]:
        """Pairs of axes (down, right) of the pictures of each layer."""
        if self.layout == "panels" or self.volume is None:
            return (self.shown,)
        z, y, x = self.volume
        return (y, x), (z, x), (z, y)

    def depth(self, axes: tuple[int, int]) -> int | None:
        """Axis that a maximum projection onto `axes` is along: the third of the volume, if any."""
        others = [a for a in range(len(self.axes)) if a not in axes and self.shape[a] > 1]
        space = [a for a in others if self.volume is not None and a in self.volume]
        return (space or others or [None])[-1]

    def extent(self, axes: tuple[int, int]) -> tuple[float, float]:
        """Physical height and width of a plane; in voxels where the units of its axes differ."""
        down, right = (
            self.shape[a] * (self.spacing[a] if self._alike(axes) else 1.0) for a in axes
        )
        return down, right

    def _alike(self, axes: tuple[int, int]) -> bool:
        return self.units[axes[0]] == self.units[axes[1]]

    def window_of(self, component: Component) -> tuple[float, float]:
        """Values shown darkest and brightest at first, one pair for all layers.

        Phase in rad; "log" in dB of `peak`; "complex" by its magnitude.
        """
        if component not in self._windows:
            self._windows[component] = self._find_window(component)
        return self._windows[component]

    @functools.cached_property
    def _windows(self) -> dict[Component, tuple[float, float]]:
        """Windows that were found: percentiles take as long as several frames."""
        return {}

    def _find_window(self, component: Component) -> tuple[float, float]:
        if self.window is not None and component == self.component:
            return self.window
        if component == "phase":
            return (-np.pi, np.pi)
        if component == "log":
            return (-DECIBELS, 0.0)
        low, high = self.percentiles
        if component in ("real", "imaginary") and low is None and self.is_complex:
            top = self.percentile_window("magnitude", None, high)[1]
            return (-top, top)
        return self.percentile_window(component, low, high)

    def percentile_window(
        self, component: Component, low: float | None, high: float
    ) -> tuple[float, float]:
        """Window between two percentiles of the samples of a component, the widest over layers.

        Args:
            component: What of the values.
            low: Lower percentile; None is 0 for what is never negative, else 100 - `high`.
            high: Upper percentile.
        """
        every = (component_of(x.source.finite(), component, self.peak) for x in self.layers)
        samples = [s for s in every if s.size]
        if not samples:
            return (0.0, 1.0)
        top = max(float(np.percentile(s, high)) for s in samples)
        top = top or max(float(s.max()) for s in samples)
        if low is None and min(float(s.min()) for s in samples) >= 0:
            bottom = 0.0
        else:
            low = 100 - high if low is None else low
            bottom = min(float(np.percentile(s, low)) for s in samples)
        return (bottom, top) if bottom < top else (bottom, bottom + 1.0)


def component_of(x: np.ndarray, component: Component, peak: float = 1.0) -> np.ndarray:
    """What is shown of the values, real, of the same shape.

    Args:
        x: Values, real or complex.
        component: "magnitude", "phase" in rad within [-π, π], "real", "imaginary", "log" in dB of
            `peak`, or "complex", of which this is the magnitude.
        peak: Magnitude of 0 dB.
    """
    if x.dtype.kind in "iu" or x.dtype == np.float16:  # no overflow of -128, nor of percentiles
        x = x.astype(np.float32 if x.dtype.itemsize <= 2 else np.float64)
    if component == "real":
        return np.real(x)
    if component == "imaginary":
        return np.imag(x)
    if component == "phase":
        return np.angle(x)
    magnitude = np.abs(x)
    if component != "log":
        return magnitude
    tiny = np.finfo(np.float32).tiny
    return 20 * np.log10(np.maximum(magnitude / peak, tiny))
