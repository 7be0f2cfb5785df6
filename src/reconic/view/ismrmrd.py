"""Raw data of ISMRMRD: readouts, each with its place, as k-space or along their trajectory.

References:
    Inati et al., ISMRM Raw data format, MRM 77:411 (2017).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

import numpy as np

from reconic.view.opened import NotShown, Opened

__all__ = ["is_raw", "open_raw"]

_FIELDS = ("head", "traj", "data")
_REVERSED = 22  # number of the flag of a readout that goes backwards, as in EPI
_OTHER = (19, 23, 24, 26, 27, 28, 29, 30, 31)  # noise, navigators, corrections, dummies, feedback
_COUNTERS = {  # axes beside those of k-space, where there is more than one of them
    "repetition": "t",
    "contrast": "contrast",
    "phase": "phase",
    "set": "set",
    "average": "average",
    "slice": "slice",
}
_KEPT = 512  # readouts that are not read again


def is_raw(dtype: np.dtype) -> bool:
    """Whether a data set holds readouts as ISMRMRD stores them."""
    return dtype.names == _FIELDS


def open_raw(data: Any, xml: bytes) -> Opened:
    """K-space of a Cartesian file; trajectory and data of another.

    Args:
        data: Data set `…/data`, of records of head, trajectory and data.
        xml: Header `…/xml`, which tells the matrix; may be empty.

    Raises:
        NotShown: If no readout is of an image, or readouts have different numbers of coils.
    """
    raw = _Raw(data, xml)
    coils = np.unique(raw.heads["active_channels"])
    if len(coils) != 1:
        found = (
            f"coils {coils.tolist()}" if len(coils) else "noise, navigators or corrections alone"
        )
        raise NotShown(
            f"open_array: {data.file.filename} must have readouts of an image, all of as many "
            f"coils, got {found}. Choose another data set by `key`."
        )
    return _along_trajectory(raw) if raw.heads["trajectory_dimensions"][0] > 1 else _on_grid(raw)


class _Raw:
    """Readouts of images, in the order of the file.

    Attributes:
        numbers: Which readouts of the file they are.
        heads: Their heads.
        matrix: Lengths of k-space (z, y, x) as the header has them; 1 where it does not.
        centres: Step 2 and 1 of encoding at the centre of k-space; None where it is not told.
        notes: What was left out.
    """

    def __init__(self, data: Any, xml: bytes) -> None:
        self._data = data
        heads = data.fields(["head"])[:]["head"]
        other = functools.reduce(np.bitwise_or, [np.uint64(1 << (n - 1)) for n in _OTHER])
        kept = ((heads["flags"] & other) == 0) & (heads["encoding_space_ref"] == 0)
        self.numbers = np.flatnonzero(kept)
        self.heads = heads[kept]
        self.matrix, self.centres = _encoding(xml)
        left = len(heads) - len(self.numbers)
        self.notes = (f"{left} of {len(heads)} readouts are not of the image: left out.",) * bool(
            left
        )

    def readout(self, i: int) -> np.ndarray:
        """Samples (coil, sample) of a readout, complex64."""
        x = self._data[self.numbers[i]]["data"].view(np.complex64)
        x = x.reshape(self.heads["active_channels"][i], -1)
        return x[:, ::-1] if self.heads["flags"][i] & np.uint64(1 << (_REVERSED - 1)) else x

    def places(self, i: int) -> np.ndarray:
        """Places (sample, ndim) of a readout in k-space, ordered x, y, z, in the file's unit."""
        traj = self._data[self.numbers[i]]["traj"]
        return traj.reshape(-1, self.heads["trajectory_dimensions"][i])


def _encoding(xml: bytes) -> tuple[tuple[int, int, int], tuple[int | None, int | None]]:
    """Matrix (z, y, x) of k-space, and the steps 2 and 1 at its centre."""
    root = ElementTree.fromstring(xml) if xml else ElementTree.Element("none")
    space, limits = "{*}encoding/{*}encodedSpace/{*}matrixSize/{*}", "{*}encoding/{*}encodingLimits"
    nz, ny, nx = (int(root.findtext(space + axis, "1")) for axis in "zyx")
    step = limits + "/{*}kspace_encoding_step_"
    z, y = (root.findtext(f"{step}{i}/{{*}}center") for i in (2, 1))
    return (nz, ny, nx), (None if z is None else int(z), None if y is None else int(y))


def _on_grid(raw: _Raw) -> Opened:
    array = _Grid(raw)
    return Opened(array, kind="kspace", axes=array.axes, notes=raw.notes)


class _Grid:
    """K-space (coil, …, [kz,] ky, kx), zero where nothing was acquired; read by readouts.

    Attributes:
        axes: Names of the axes.
    """

    dtype = np.dtype(np.complex64)

    def __init__(self, raw: _Raw) -> None:
        nz, ny, nx = raw.matrix
        index = raw.heads["idx"]
        extra = [name for name in _COUNTERS if index[name].max() > 0]
        z, nz = _steps(index["kspace_encode_step_2"], nz, raw.centres[0])
        y, ny = _steps(index["kspace_encode_step_1"], ny, raw.centres[1])
        counts = [int(index[name].max()) + 1 for name in extra]
        lines = np.full((*counts, nz, ny), -1)
        lines[(*(index[name] for name in extra), z, y)] = np.arange(len(index))  # the last counts
        self._lines = lines if nz > 1 else lines[..., 0, :]
        self._nx = max(nx, int(raw.heads["number_of_samples"].max()))
        self._raw, self._readout = raw, functools.lru_cache(_KEPT)(self._placed)
        self.shape = (int(raw.heads["active_channels"][0]), *self._lines.shape, self._nx)
        names = (_COUNTERS[name] for name in extra)
        self.axes = ("coil", *names, *(("kz",) if nz > 1 else ()), "ky", "kx")

    def __getitem__(self, key: Sequence[int | slice]) -> np.ndarray:
        coil, *places, sample = key
        lines = np.asarray(self._lines[tuple(places)])
        none = np.zeros((self.shape[0], self._nx), np.complex64)[coil, sample]
        rows = [none if i < 0 else self._readout(i)[coil, sample] for i in lines.flat]
        found = np.asarray(rows).reshape(lines.shape + none.shape)
        return np.moveaxis(found, lines.ndim, 0) if isinstance(coil, slice) else found

    def _placed(self, i: int) -> np.ndarray:
        """A readout over the whole of kx, its centre at n // 2."""
        x = self._raw.readout(i)
        full = np.zeros((len(x), self._nx), np.complex64)
        first = self._nx // 2 - int(self._raw.heads["center_sample"][i])
        first = first if 0 <= first <= self._nx - x.shape[1] else 0
        full[:, first : first + x.shape[1]] = x
        return full


def _steps(steps: np.ndarray, n: int, centre: int | None) -> tuple[np.ndarray, int]:
    """Places of encoding steps, the one of the centre at n // 2 where it fits, and their number."""
    steps = steps.astype(int)
    moved = steps if centre is None else steps - centre + n // 2
    if moved.min() >= 0 and moved.max() < n:
        return moved, n
    return steps, max(n, int(steps.max()) + 1)


def _along_trajectory(raw: _Raw) -> Opened:
    """Places in rad/voxel, ordered z, y, x, and root sums of squares over coils."""
    n, longest = len(raw.numbers), int(raw.heads["number_of_samples"].max())
    ndim = 3 if raw.matrix[0] > 1 and raw.heads["trajectory_dimensions"][0] > 2 else 2
    traj = np.full((n, longest, ndim), np.nan)
    data = np.zeros((n, longest), np.float32)
    for i in range(n):
        places, samples = raw.places(i)[:, :ndim], raw.readout(i)
        traj[i, : len(places)] = places
        data[i, : samples.shape[1]] = np.linalg.norm(samples, axis=0)
    scale, note = _unit(float(np.nanmax(np.abs(traj))), max(raw.matrix))
    return Opened(
        scale * traj[..., ::-1], kind="trajectory", samples=data, notes=(*raw.notes, note)
    )


def _unit(largest: float, n: int) -> tuple[float, str]:
    """Factor to rad/voxel, and the unit that it is from: the format tells none."""
    if largest <= 0.51:
        return 2 * np.pi, f"Trajectory up to {largest:.3g}: taken as cycles/voxel."
    if largest <= 1.01 * np.pi:
        return 1.0, f"Trajectory up to {largest:.3g}: taken as rad/voxel."
    if largest <= 0.51 * n:
        return 2 * np.pi / n, f"Trajectory up to {largest:.3g}: taken as 1/fov, of {n} voxels."
    return np.pi / largest, f"Trajectory up to {largest:.3g}, in an unknown unit: drawn to fit."
