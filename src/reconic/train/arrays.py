"""Examples of any forward model from HDF5 files: images, measurements, and the system's arrays."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from reconic.io import Source, example_files
from reconic.io.hdf5 import intact
from reconic.simulate import complex_noise
from reconic.train.examples import Examples

__all__ = ["SystemDataset", "SystemFile"]

_NAMES = {"imgs": "x", "ksp": "y"}  # key in a file: in an item
_COORDINATES = "masks"  # where DeepInPy's files have trajectories, in units of 1 / field of view


class SystemDataset(Examples["SystemFile"]):
    """Examples with the keys `ksp` (measurements), `imgs`, and one for each array of a system.

    The first axis of each is the example. Item i is a dict of `y`, `x` if there are `imgs`, the
    system's arrays under the names of its fields, and the `index`; complex arrays are complex64,
    others float32, but x and y are complex64 always. A trajectory `traj`, in rad/voxel, may as in
    DeepInPy's files be the key `masks`, in SigPy's units, -N/2 to N/2.

    Args:
        path: HDF5 file, a folder or a pattern of them, or a list; see `example_files`.
        fields: Names of the system's arrays.
        stdev: Standard deviation of complex noise to add to the measurements, in their units; it
            depends on `seed`, epoch and index alone.
        limit: Largest number of examples to use, from the first on; None uses all.
        seed: Seed of the noise.
        optional: Which of the arrays a file may be without.
        coil_axis: Axis of the coils in `maps` of one example, in which those of a batch may differ;
            None if the system has none. In the measurements it is the first.

    Raises:
        FileNotFoundError: If there is no such file.
        KeyError: If a key is missing; lists those found.
        ValueError: If a file is broken, its arrays have different numbers of examples, or `stdev`
            or `limit` is out of range.
    """

    def __init__(
        self,
        path: Source,
        fields: Sequence[str],
        stdev: float = 0.0,
        limit: int | None = None,
        seed: int = 0,
        optional: Collection[str] = (),
        coil_axis: int | None = None,
    ) -> None:
        files = [SystemFile(p, fields, optional, coil_axis) for p in example_files(path)]
        super().__init__(files, stdev, limit, seed)

    def _example(
        self, file: SystemFile, within: int, entropy: tuple[int, int, int]
    ) -> dict[str, Any]:
        handle = self._handles(file.path)
        example = {name: file.read(handle, name, within) for name in file.keys}
        if self.stdev > 0:
            rng = np.random.default_rng(entropy)
            example["y"] = example["y"] + complex_noise(example["y"].shape, self.stdev, rng)
        return {name: torch.from_numpy(array) for name, array in example.items()}


class SystemFile:
    """Keys and shapes of a file's examples, checked when made; holds no open file.

    Attributes:
        path: HDF5 file.
        keys: Key in the file of each array of an item.
        n: Number of examples.
        layout: Shapes of an example's arrays, the number of coils aside.
    """

    def __init__(
        self,
        path: Path,
        fields: Sequence[str],
        optional: Collection[str] = (),
        coil_axis: int | None = None,
    ) -> None:
        self.path = path
        with intact("SystemDataset", str(path)), h5py.File(path, "r") as file:
            found = {k: (v.shape, v.dtype) for k, v in file.items() if isinstance(v, h5py.Dataset)}
        self.keys = self._find(found, fields, optional)
        self._check({key: found[key] for key in self.keys.values()})
        self.shapes = {name: tuple(found[key][0][1:]) for name, key in self.keys.items()}
        self.n: int = found["ksp"][0][0]
        coils = {} if coil_axis is None else {"y": 0, "maps": coil_axis}
        self.layout = tuple(
            (name, tuple(n for axis, n in enumerate(shape) if axis != coils.get(name)))
            for name, shape in self.shapes.items()
        )

    def read(self, file: h5py.File, name: str, index: int) -> np.ndarray:
        """Array of example `index` from the open file, complex64 or float32.

        Raises:
            ValueError: If it cannot be read, or holds NaN or Inf.
        """
        key = self.keys[name]
        with intact("SystemDataset", f"example {index} of {key!r} in {self.path}"):
            array: Any = file[key]
            stored = np.asarray(array[index])
        is_complex = key in _NAMES or stored.dtype.kind == "c"
        with np.errstate(over="ignore"):  # what single precision cannot hold becomes Inf: refused
            example = stored.astype(np.complex64 if is_complex else np.float32)
        if not np.isfinite(example).all():
            raise ValueError(
                f"SystemDataset: {key!r} in {self.path} must be finite, got NaN or Inf in example "
                f"{index}. Leave it out."
            )
        return self._in_radians(example) if key == _COORDINATES and name == "traj" else example

    def _in_radians(self, coordinates: np.ndarray) -> np.ndarray:
        """Trajectory in rad/voxel from one in units of 1 / field of view."""
        size = self.shapes["maps"][-coordinates.shape[-1] :]
        return coordinates * (2 * math.pi / np.asarray(size, np.float32))

    def _find(
        self, found: Collection[str], fields: Sequence[str], optional: Collection[str]
    ) -> dict[str, str]:
        """Key of each array that is there, after checking that none is missing."""
        keys = {"x": "imgs", "y": "ksp", **{name: name for name in fields}}
        if "traj" in keys and "traj" not in found and _COORDINATES in found:
            keys["traj"] = _COORDINATES
        may_lack = {"x", *optional}
        missing = [key for name, key in keys.items() if key not in found and name not in may_lack]
        if missing:
            needed = [key for name, key in keys.items() if name not in may_lack]
            raise KeyError(
                f"SystemDataset: {self.path} must have the keys {', '.join(needed)} for this "
                f"system, got {', '.join(sorted(found)) or 'none'}. Missing: {', '.join(missing)}."
            )
        return {name: key for name, key in keys.items() if key in found}

    def _check(self, found: dict[str, tuple[Any, np.dtype]]) -> None:
        n = (found["ksp"][0] or ())[:1]
        for key, (shape, dtype) in found.items():
            fits = shape and len(shape) >= 2 and shape[:1] == n and 0 not in shape
            if not fits or dtype.kind not in "cfiub":
                raise ValueError(
                    f"SystemDataset: {key!r} in {self.path} must be numbers of shape (example, …) "
                    f"with as many examples as 'ksp', {n}, got {shape} of {dtype}. Write all keys "
                    "for the same examples."
                )
