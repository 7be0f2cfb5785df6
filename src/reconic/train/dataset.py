"""Examples from HDF5 files in DeepInPy's layout, read one by one and only when asked for."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch

from reconic._array import fftc
from reconic.calibrate import espirit
from reconic.io import Source, example_files, sampling_mask
from reconic.simulate import complex_noise
from reconic.train.augment import augment
from reconic.train.examples import Examples
from reconic.train.files import ExampleFile
from reconic.train.masks import RandomMask

__all__ = ["ReconDataset"]

_NAMES = {"imgs": "x", "ksp": "y", "maps": "maps", "masks": "mask"}  # key in a file: in an item
_LEAST_SAMPLED = 0.5  # of k-space that is to be undersampled; zero-filled edges are usual


class ReconDataset(Examples[ExampleFile]):
    """Examples with the keys `ksp`, `imgs`, `maps` and `masks`, the first axis of each the example.

    Item i is a dict of complex64 `x ([set,] [frames,] [nz,] ny, nx)`, `y (coil, [frames,] [nz,] ny,
    nx)` and `maps ([set,] coil, [frames,] [nz,] ny, nx)`, float32 `mask`, and the `index`. The
    names are those of a System's fields, so a system is made of an item. A file without `imgs`
    gives items without `x`. Without `masks` the mask is 1 where any coil is non-zero.

    In this order: noise is added to `ksp`; image, maps, mask and k-space are turned together; a new
    mask is drawn; measurements are y = mask · k-space, and zero in coils that have zero maps; maps
    are estimated from them. Whatever is random depends on `seed`, epoch and index alone.

    Args:
        path: HDF5 file, a folder or a pattern of them, or a list; see `example_files`. They may
            differ in size and number of coils.
        stdev: Standard deviation of the complex noise to add to the k-space, in its units; a file
            with the key `noise` gives its own, of unit variance in real and imaginary part.
        limit: Largest number of examples to use, from the first on; None uses all.
        augmented: Whether to flip and transpose (square images only) examples at random and to
            give them a random global phase, exactly.
        seed: Seed of noise, masks and augmentation.
        mask: Draws masks in place of those stored, for k-space that is fully sampled.
        maps: "stored", or "espirit" to estimate maps from the fully sampled centre of each 2-D
            example's measurements.
        inverse_crime: Number of space axes over which to compute k-space from `imgs` and `maps`,
            where the file has others or none; None reads `ksp`.

    Raises:
        FileNotFoundError: If there is no such file.
        KeyError: If `ksp`, or stored `maps`, are missing; lists the keys found.
        TypeError: If a key is of a wrong kind.
        ValueError: If a file is broken, shapes do not fit, or `stdev` or `limit` is out of range.
    """

    def __init__(
        self,
        path: Source,
        stdev: float = 0.0,
        limit: int | None = None,
        augmented: bool = False,
        seed: int = 0,
        mask: RandomMask | None = None,
        maps: Literal["stored", "espirit"] = "stored",
        inverse_crime: Literal[2, 3] | None = None,
    ) -> None:
        files = [ExampleFile(p, inverse_crime is not None) for p in example_files(path)]
        super().__init__(files, stdev, limit, seed)
        self.augmented = augmented
        self.mask = mask
        self.maps = maps
        self.inverse_crime = inverse_crime
        for file in files:
            self._check_maps(file)

    def _example(
        self, file: ExampleFile, within: int, entropy: tuple[int, int, int]
    ) -> dict[str, Any]:
        rng = np.random.default_rng(entropy)
        example = self._read(file, within, rng)
        if self.augmented:
            plane = np.ones(example["y"].shape[-2:], np.float32)
            example["mask"] = example["mask"] * plane  # its lines may turn from rows to columns
            example = augment(example, rng)
        try:
            return self._measured(example, np.random.default_rng((*entropy, 1)))
        except ValueError as error:
            raise ValueError(f"ReconDataset: example {within} of {file.path}: {error}") from error

    def _read(
        self, file: ExampleFile, within: int, rng: np.random.Generator
    ) -> dict[str, np.ndarray]:
        """Arrays of an example with k-space that is noisy, but not masked yet."""
        handle = self._handles(file.path)
        simulated = self.inverse_crime is not None
        unused = "ksp" if simulated else "maps" if self.maps == "espirit" else None
        keys = [key for key in _NAMES if key in file.shapes and key != unused]
        example = {_NAMES[key]: file.read(handle, key, within) for key in keys}
        if self.inverse_crime is not None:
            axes = tuple(range(-self.inverse_crime, 0))
            example["y"] = fftc(example["maps"] * example["x"], axes)
        if "mask" not in example:
            example["mask"] = sampling_mask(example["y"])
        if self.stdev > 0:
            if "noise" in file.shapes:
                noise = file.read(handle, "noise", within) * np.float32(self.stdev / np.sqrt(2))
            else:
                noise = complex_noise(example["y"].shape, self.stdev, rng)
            example["y"] = (example["y"] + noise) * _used_coils(example)
        return example

    def _measured(
        self, example: dict[str, np.ndarray], rng: np.random.Generator
    ) -> dict[str, torch.Tensor]:
        """Example as it is measured: masked, with estimated maps if these are asked for."""
        if self.mask is not None:
            mask = self.mask(example["y"].shape[1:], rng)
            example = {**example, "mask": mask * _fully_sampled(example["y"])}
        example = {**example, "y": example["y"] * example["mask"]}
        tensors = {k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in example.items()}
        if self.maps == "espirit":
            tensors["maps"] = espirit(tensors["y"], n_calib=None)
        return tensors

    def _check_maps(self, file: ExampleFile) -> None:
        if self.maps == "espirit" and len(file.shapes["ksp"]) != 3:
            raise ValueError(
                f"ReconDataset: 'ksp' in {file.path} must have shape (example, coil, ny, nx) for "
                f"`maps` 'espirit', got examples of shape {file.shapes['ksp']}. Store maps instead."
            )
        if self.maps == "stored" and "maps" not in file.shapes:
            raise KeyError(
                f"ReconDataset: {file.path} must have the key 'maps', got "
                f"{', '.join(sorted(file.shapes))}. Missing: maps. Set `maps` to "
                "espirit to have them estimated."
            )


def _fully_sampled(y: np.ndarray) -> np.ndarray:
    """Where k-space is sampled, checked to be nearly everywhere."""
    sampled = sampling_mask(y)
    if sampled.mean() < _LEAST_SAMPLED:
        raise ValueError(
            "'ksp' must be fully sampled for `mask` to draw masks, got "
            f"{sampled.mean():.0%} of its samples non-zero. Leave `mask` out to use stored masks."
        )
    return sampled


def _used_coils(example: dict[str, np.ndarray]) -> np.ndarray:
    """1 for coils with any sensitivity, else 0: those are padding and measure nothing."""
    y = example["y"]
    maps = example.get("maps", y)
    coil = maps.ndim - y.ndim  # behind a set axis
    used = np.any(maps != 0, axis=tuple(a for a in range(maps.ndim) if a != coil))
    return used.reshape(-1, *[1] * (y.ndim - 1)).astype(np.float32)
