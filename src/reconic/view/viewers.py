"""Viewers of arrays: each sees one kind of data as it is usually looked at."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from reconic.view.axes import Axes, named_axes
from reconic.view.build import make_viewer
from reconic.view.colours import ERROR, GREY, ORDER
from reconic.view.given import lazy
from reconic.view.lazy import Centred, Part, host
from reconic.view.paths import Acquired, Paths
from reconic.view.scene import DECIBELS, Component, Layer, Layout, component_of
from reconic.view.source import Source
from reconic.view.viewer import Viewer

__all__ = ["compare", "complex", "kspace", "maps", "trajectory", "volume", "volume4d"]

_MOST = 64  # coils that are shown
_LARGE = 2**27  # bytes of a volume


def volume(
    v: Any,
    *,
    title: str = "",
    orthogonal: bool | None = None,
    axes: Sequence[str] | None = None,
    spacing: float | Sequence[float] | None = None,
    unit: str = "mm",
    window: tuple[float, float] | None = None,
    percentiles: tuple[float | None, float] = (None, 99.8),
    colours: str | None = None,
) -> Viewer:
    """Look at a volume (…, z, y, x): three orthogonal planes, linked by a crosshair.

    Axes before the last three get sliders. An image (y, x) is one picture.

    Args:
        v: Array of any library, on any device, in memory or in a file; only what is shown is read.
        title: What stands above the pictures.
        orthogonal: Whether three planes are shown at once; None does so except of volumes of more
            than 128 MB in a file, most of which a plane across the order of the file would read.
        axes: Names of all axes in order. Those named x, y and z are space, t is time; None names
            the last three so.
        spacing: Size of a voxel along each axis of space, in their order in `v`, or one for all;
            None draws voxels as cubes, without a scale bar.
        unit: Unit of `spacing`.
        window: Values shown black and white; None takes `percentiles`.
        percentiles: Percentiles shown black and white. None in place of the first is the value 0,
            or 100 less the second where values are negative too.
        colours: Colour map of matplotlib; None is grey.

    Raises:
        TypeError: If the values are no numbers.
        ValueError: If there are no values, or an option does not fit.
    """
    source = Source(v, "volume", "v")
    found = named_axes("volume", source.shape, axes, spacing, unit)
    return make_viewer(
        [Layer(title, source)],
        found,
        layout=_layout(source, found, orthogonal),
        window=window,
        percentiles=percentiles,
        colours=colours,
    )


def volume4d(
    v: Any,
    *,
    title: str = "",
    orthogonal: bool | None = None,
    axes: Sequence[str] | None = None,
    spacing: float | Sequence[float] | None = None,
    unit: str = "mm",
    window: tuple[float, float] | None = None,
    percentiles: tuple[float | None, float] = (None, 99.8),
    colours: str | None = None,
) -> Viewer:
    """Look at a volume that changes (t, z, y, x), or a slice (t, y, x): `volume`, played over t.

    Args:
        v: As of `volume`.
        title: As of `volume`.
        orthogonal: As of `volume`.
        axes: As of `volume`; None names the first axis t.
        spacing: As of `volume`.
        unit: As of `volume`.
        window: As of `volume`.
        percentiles: As of `volume`.
        colours: As of `volume`.

    Raises:
        TypeError: If the values are no numbers.
        ValueError: If there are no values, or an option does not fit.
    """
    source = Source(v, "volume4d", "v")
    if axes is None and source.ndim in (3, 4):
        axes = ("t", "z", "y", "x") if source.ndim == 4 else ("t", "y", "x")
    found = named_axes("volume4d", source.shape, axes, spacing, unit)
    return make_viewer(
        [Layer(title, source)],
        found,
        layout=_layout(source, found, orthogonal),
        window=window,
        percentiles=percentiles,
        colours=colours,
    )


def compare(
    images: Mapping[str, Any] | Sequence[Any],
    *,
    titles: Sequence[str] | None = None,
    reference: int | None = -1,
    orthogonal: bool = False,
    axes: Sequence[str] | None = None,
    spacing: float | Sequence[float] | None = None,
    unit: str = "mm",
    window: tuple[float, float] | None = None,
    percentiles: tuple[float | None, float] = (None, 99.8),
    colours: str | None = None,
    error_scale: float = 5.0,
) -> Viewer:
    """Look at images side by side on one grey scale, and at their errors below.

    Args:
        images: Arrays (…, [z,] y, x) in order, or by title. Shapes may differ: fewer axes are those
            at the end, a shorter axis stops at its last, and planes of another shape than the
            reference's have no error.
        titles: Titles of a sequence; None counts, and calls the last of several "Truth".
        reference: Which is the truth; None shows no errors.
        orthogonal: Whether three orthogonal planes are shown of each.
        axes: As of `volume`.
        spacing: As of `volume`.
        unit: As of `volume`.
        window: As of `volume`.
        percentiles: As of `volume`, of all images together.
        colours: As of `volume`.
        error_scale: Factor on the errors.

    Raises:
        TypeError: If the values of an image are no numbers.
        ValueError: If there are no images or values, or an option does not fit.
    """
    named = _by_title(images, titles, reference)
    sources = [Source(x, "compare", f"images[{t!r}]") for t, x in named.items()]
    ndim = max(s.ndim for s in sources)
    layers = [Layer(t, s.lead(ndim)) for t, s in zip(named, sources, strict=True)]
    shape = tuple(max(n) for n in zip(*(x.source.shape for x in layers), strict=True))
    found = named_axes("compare", shape, axes, spacing, unit)
    truth = None if reference is None or len(layers) < 2 else reference % len(layers)
    return make_viewer(
        layers,
        found,
        layout=_layout(sources[0], found, orthogonal),
        window=window,
        percentiles=percentiles,
        colours=colours,
        reference=truth,
        error_scale=error_scale,
        notes=_ragged(layers, truth),
    )


def complex(
    x: Any,
    *,
    axes: Sequence[str] | None = None,
    spacing: float | Sequence[float] | None = None,
    unit: str = "mm",
    window: tuple[float, float] | None = None,
    percentiles: tuple[float | None, float] = (None, 99.8),
) -> Viewer:
    """Look at complex values (…, y, x): magnitude, phase, real and imaginary part side by side.

    The colours of the phase are cyclic: -π and π are one.

    Args:
        x: As `v` of `volume`.
        axes: As of `volume`.
        spacing: As of `volume`.
        unit: As of `volume`.
        window: Magnitudes shown black and white; None takes `percentiles`.
        percentiles: As of `volume`.

    Raises:
        TypeError: If the values are no numbers.
        ValueError: If there are no values, or an option does not fit.
    """
    source = Source(x, "complex", "x")
    found = named_axes("complex", source.shape, axes, spacing, unit)
    parts: tuple[Component, ...] = ("magnitude", "phase", "real", "imaginary")
    layers = [Layer(part.capitalize(), source, component=part) for part in parts]
    notes = () if source.is_complex else ("Real values: the phase is 0 or π.",)
    return make_viewer(
        layers,
        found,
        component="magnitude",
        window=window,
        percentiles=percentiles,
        notes=notes,
    )


def kspace(
    y: Any,
    *,
    title: str = "",
    axes: Sequence[str] | None = None,
    centred: bool = True,
    window: tuple[float, float] = (-80.0, 0.0),
    colours: str | None = None,
) -> Viewer:
    """Look at the logarithm of the magnitude of k-space ([coil,] …, ky, kx), its centre at n // 2.

    Args:
        y: Measurements on a grid; as `v` of `volume`.
        title: What stands above the picture.
        axes: Names of all axes in order, those of k-space kx, ky and kz; None takes (coil, ky, kx),
            and with five axes (coil, t, kz, ky, kx).
        centred: Whether the centre is at n // 2 in `y` too; False where it is at 0, as an FFT
            leaves it.
        window: Decibels of the largest magnitude that are shown black and white.
        colours: As of `volume`.

    Raises:
        TypeError: If the values are no numbers.
        ValueError: If there are no values, or an option does not fit.
    """
    source = Source(y, "kspace", "y")
    names = axes or (*_leading(source.ndim - 2), "ky", "kx")
    found = named_axes("kspace", source.shape, names)
    if not centred:
        source = Source(Centred(lazy(y, "kspace", "y"), found.space), "kspace", "y")
    found = _in_kspace(found)
    return make_viewer(
        [Layer(title, source)], found, component="log", window=window, colours=colours
    )


def maps(
    s: Any,
    *,
    coil: int = 0,
    axes: Sequence[str] | None = None,
    spacing: float | Sequence[float] | None = None,
    unit: str = "mm",
    window: tuple[float, float] | None = None,
    percentiles: tuple[float | None, float] = (None, 99.8),
) -> Viewer:
    """Look at coil sensitivities (coil, [z,] y, x), side by side.

    The brightness is the magnitude, the hue the phase.

    Args:
        s: As `v` of `volume`.
        coil: Axis of the coils.
        axes: As of `volume`, without that of the coils.
        spacing: As of `volume`.
        unit: As of `volume`.
        window: Magnitudes shown darkest and brightest; None takes `percentiles`.
        percentiles: As of `volume`.

    Raises:
        TypeError: If the values are no numbers.
        ValueError: If there are no values or coils, or an option does not fit.
    """
    whole = Source(s, "maps", "s")
    if whole.ndim < 3 or not -whole.ndim <= coil < whole.ndim:
        raise ValueError(
            f"maps: `s` must have an axis of coils, (coil, [z,] y, x), got shape {whole.shape} and "
            f"`coil` {coil}. One map alone is for view.complex."
        )
    n = whole.shape[coil]
    parts = [Part(lazy(s, "maps", "s"), coil % whole.ndim, c) for c in range(min(n, _MOST))]
    layers = [Layer(f"Coil {c}", Source(p, "maps", "s")) for c, p in enumerate(parts)]
    found = named_axes("maps", layers[0].source.shape, axes, spacing, unit)
    notes = () if n <= _MOST else (f"{n} coils: the first {_MOST} are shown.",)
    return make_viewer(
        layers,
        found,
        component="complex" if whole.is_complex else "real",
        window=window,
        percentiles=percentiles,
        notes=notes,
    )


def trajectory(traj: Any, *, data: Any = None, n: int | None = None) -> Viewer:
    """Look at a trajectory in k-space: its order by colour, as it is acquired, and its density.

    In 3-D both are seen from three sides, as maximum projections.

    Args:
        traj: Samples ([frames,] [spoke, readout,] ndim) in rad/voxel, ndim 2 or 3, ordered (y, x)
            or (z, y, x). Samples of a readout are joined by lines.
        data: Values at the samples, ([frames,] [spoke, readout]); the largest magnitude in each
            cell is shown, in dB of the largest of all. None shows none.
        n: Cells along each axis of the picture, from -π to π; None takes 256 in 2-D, 96 in 3-D.

    Raises:
        TypeError: If `traj` is not real.
        ValueError: If it has no samples, its last axis is not 2 or 3 long, or there are not as many
            `data`.
    """
    paths = Paths.of(traj, n)
    names = ("kz", "ky", "kx")[-paths.ndim :]
    order: Any = paths.first_visits()
    if paths.ndim == 2:
        order, names = Acquired(order, len(paths.points)), ("t", *names)
    density = paths.density()
    most = float(np.percentile(density[density > 0], 99)) if density.any() else 1.0
    layers = [
        Layer("Order of acquisition", Source(order), ORDER, (0.0, float(len(paths.points)))),
        Layer("Samples in a cell", Source(density).lead(len(names)), ERROR, (0.0, most)),
    ]
    if data is not None:
        layers.append(_samples(paths, data, len(names)))
    found = _in_kspace(named_axes("trajectory", layers[0].source.shape, names))
    return make_viewer(
        layers,
        found,
        layout="panels" if found.volume is None else "planes",
        start=tuple(
            n - 1 if name == "t" else n // 2 for n, name in zip(found.shape, names, strict=True)
        ),
        projection=found.volume is not None,
        notes=paths.notes,
    )


def _samples(paths: Paths, data: Any, ndim: int) -> Layer:
    """Magnitudes of samples at their places, in dB."""
    values = np.abs(host(data))
    if values.size != paths.points[..., 0].size:
        raise ValueError(
            f"trajectory: `data` must be a value for each of {paths.points[..., 0].size} samples, "
            f"got shape {values.shape}. Combine coils first."
        )
    grid = paths.largest(values)
    decibels = component_of(grid, "log", float(np.max(grid)) or 1.0)
    source = Source(np.maximum(decibels + DECIBELS, 0).astype(np.float32)).lead(ndim)
    title = f"Data in dB above -{DECIBELS:g}"  # positive, as projections are of magnitudes
    return Layer(title, source, GREY, (0.0, DECIBELS), "real")


def _layout(source: Source, axes: Axes, orthogonal: bool | None) -> Layout:
    if orthogonal is None:
        size = source.dtype.itemsize * math.prod(source.shape[a] for a in axes.volume or ())
        orthogonal = source.in_memory or size <= _LARGE
    return "planes" if orthogonal and axes.volume is not None else "panels"


def _by_title(
    images: Mapping[str, Any] | Sequence[Any], titles: Sequence[str] | None, reference: int | None
) -> dict[str, Any]:
    """Images by title.

    Raises:
        ValueError: If there are none, titles do not fit, or there is no such reference.
    """
    n = len(images)
    if n == 0:
        raise ValueError("compare: `images` must have an image, got none. Pass a list or a dict.")
    if reference is not None and not -n <= reference < n:
        raise ValueError(
            f"compare: `reference` must be the index of one of {n} images, got {reference}. None "
            "shows no errors."
        )
    if isinstance(images, Mapping):
        return dict(images)
    names = list(titles or (f"Image {i + 1}" for i in range(n)))
    if titles is None and reference is not None and n > 1:
        names[reference] = "Truth"
    if len(set(names)) != n or len(names) != n:
        raise ValueError(
            f"compare: `titles` must be {n} different titles, one for each image, got {names}."
        )
    return dict(zip(names, images, strict=True))


def _ragged(layers: Sequence[Layer], truth: int | None) -> tuple[str, ...]:
    """A line that tells different shapes, if they are."""
    shapes = [x.source.shape for x in layers]
    if len(set(shapes)) == 1:
        return ()
    told = ", ".join(f"{x.title} {s}" for x, s in zip(layers, shapes, strict=True))
    without = "" if truth is None else " Planes of another shape than the truth's have no error."
    return (f"Shapes differ: {told}.{without}",)


def _leading(n: int) -> tuple[str, ...]:
    """Names of the axes of k-space before the last two."""
    known = {0: (), 1: ("coil",), 3: ("coil", "t", "kz")}
    return known.get(n, ("coil", *(f"axis {a}" for a in range(1, n))))


def _in_kspace(axes: Axes) -> Axes:
    """The same, each axis of k-space from -π to π rad/voxel."""
    steps = [2 * np.pi / n if a in axes.space else 1.0 for a, n in enumerate(axes.shape)]
    units = ["rad/voxel" if a in axes.space else "" for a in range(len(steps))]
    return replace(axes, spacing=tuple(steps), units=tuple(units))
