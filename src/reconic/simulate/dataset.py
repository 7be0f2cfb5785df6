"""Example data sets in HDF5 files, the same bit for bit however they are made."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import itertools
import json
import logging
import multiprocessing
import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Literal

import h5py
import numpy as np
from tqdm import tqdm

from reconic._array import Array
from reconic.simulate.noncartesian import trajectory_of
from reconic.simulate.recipe import TEST_ACCELERATION, Recipe, check_recipe
from reconic.simulate.sources import SPLITS
from reconic.simulate.volumes import load_volume

_log = logging.getLogger(__name__)
_AHEAD = 4  # examples per process that may wait to be written


def make_dataset(
    out: str | os.PathLike[str],
    source: str = "mni152",
    shape: tuple[int, int] | tuple[int, int, int] = (144, 120),
    n_train: int = 480,
    n_val: int = 16,
    n_test: int = 32,
    coils: tuple[int, int] = (4, 8),
    accelerations: tuple[float, float] = (3.0, 9.0),
    photos: float = 0.25,
    plain: float = 0.8,
    noise: tuple[float, float] = (0.01, 0.05),
    test_acceleration: float = TEST_ACCELERATION,
    test_noise: float = 0.03,
    trajectory: Literal[
        "cartesian",
        "radial",
        "radial-linear",
        "spiral",
        "rosette",
        "epi",
        "koosh-ball",
        "stack-of-stars",
        "stack-of-spirals",
    ] = "cartesian",
    spokes: int = 32,
    shards: int = 1,
    seed: int = 0,
    overwrite: bool = False,
    processes: int | None = None,
    progress: bool = True,
) -> dict[str, Path]:
    """Write `train.h5`, `val.h5` and `test.h5` with simulated multi-coil examples.

    Training examples are varied as much as can be, so that what is learned from them holds for
    scans of another kind: heads of random contrast, scalp and texture, and photographs, at many
    accelerations and noise levels. Validation and test examples show the anatomy as it is, at one
    acceleration and noise level, in slabs of the volume that training never sees. A file that was
    made with the same settings is left as it is. A file appears whole or not at all.

    The files hold, with the example first: ``imgs (n, ny, nx)``, ``maps`` and ``ksp (n, coil, ny,
    nx)``, complex64, missing coils being zero; ``masks (n, ny, nx)`` and ``noise_std (n,)``,
    float32; and the settings as JSON in the attribute ``settings``. With a trajectory they are of
    the same images, coils and noise levels; ``ksp (n, coil, spoke, readout)``, and in place of the
    masks there are ``traj (n, spoke, readout, 2)`` in rad/voxel and the density weights ``dcf (n,
    spoke, readout)``, float32: arrays of `NonCartesianMRI` with ``n_sample_axes=2``. Of volumes,
    slabs of the anatomy as it is, there is an axis nz before ny, which in ``ksp`` of a stack is
    that of the partitions, before the spokes; and ``traj`` of a koosh ball has three components.

    Args:
        out: Folder to write to; made if missing.
        source: ``"mni152"``, ``"shepp-logan"`` or the path of a 3-D NIfTI file.
        shape: Image shape ``(ny, nx)``; ``(nz, ny, nx)`` for a koosh ball or a stack.
        n_train: Number of training examples; with 0 the file is not written.
        n_val: Number of validation examples.
        n_test: Number of test examples.
        coils: Smallest and largest number of coils.
        accelerations: Smallest and largest acceleration of the training examples.
        photos: Fraction of the training images that are photographs; 0 for anatomy only.
        plain: Fraction of the training heads that show the volume as it is.
        noise: Smallest and largest standard deviation of the noise of the training examples,
            relative to the brightest pixel.
        test_acceleration: Acceleration of the validation and test examples.
        test_noise: Standard deviation of their noise, relative to the brightest pixel.
        trajectory: Masks on a ``"cartesian"`` grid; or radial spokes in golden-angle order, linear
            order, spirals of variable density, or rosettes, each turned by a random angle; or
            echo-planar lines, sampled on ramps too and shifted at random. Of volumes a koosh ball
            of spokes, or a stack of golden-angle stars or spirals, fully sampled along z.
        spokes: Number of spokes, interleaves, petals or lines of every example; accelerations are
            of masks alone.
        shards: Number of files of the training examples; several are in the folder `train`. The
            examples are the same for any number.
        seed: The same seed gives the same files.
        overwrite: Replace a file that was made with other settings.
        processes: Number of processes; the number of cores if None, and 1 starts none.
        progress: Show a progress bar.

    Returns:
        The path of each file, by split; that of the folder if the training examples have several.

    Raises:
        ValueError: If an argument is out of range.
        FileExistsError: If a file exists that was made with other settings.
        ImportError: If a package that holds the images is not installed.
    """
    folder = Path(out)
    counts = {s: n for s, n in zip(SPLITS, (n_train, n_val, n_test), strict=True) if n > 0}
    training = Recipe(
        source, "train", shape, coils, accelerations, photos, noise, plain, seed, trajectory, spokes
    )
    check_recipe(training, test_acceleration, test_noise)
    held_out = dataclasses.replace(
        training,
        accelerations=(test_acceleration, test_acceleration),
        noise=(test_noise, test_noise),
        photos=0.0,
        plain=1.0,
    )
    made: dict[str, Path] = {}
    missing: list[tuple[Recipe, dict[Path, range]]] = []
    for split, n in counts.items():
        recipe = training if split == "train" else dataclasses.replace(held_out, split=split)
        made[split], files = _files(folder, split, n, shards if split == "train" else 1)
        absent = {p: r for p, r in files.items() if _is_missing(p, recipe.settings(r), overwrite)}
        missing.append((recipe, absent))
    for recipe, files in missing:
        write_examples(files, recipe, processes, progress)
    return made


def _files(folder: Path, split: str, n: int, shards: int) -> tuple[Path, dict[Path, range]]:
    """Path of a split: a file, or a folder of several; and the examples of each of its files."""
    if not 1 <= shards <= n:
        raise ValueError(
            f"make_dataset: `shards` must be from 1 to the number of training examples, {n}, got "
            f"{shards}."
        )
    if shards == 1:
        return folder / f"{split}.h5", {folder / f"{split}.h5": range(n)}
    home = folder / split
    ends = [n * i // shards for i in range(shards + 1)]
    files = {home / f"{split}-{i:04}.h5": range(ends[i], ends[i + 1]) for i in range(shards)}
    if other := sorted(set(home.glob("*.h5")) - files.keys()):
        raise FileExistsError(
            f"make_dataset: {home} must hold nothing but its {shards} files, got {other[0].name}. "
            "Remove it, or choose another folder."
        )
    return home, files


def write_examples(
    files: Mapping[Path, range],
    recipe: Recipe,
    processes: int | None = None,
    progress: bool = True,
) -> None:
    """Write examples of a recipe to HDF5 files; each replaces another when all of it is done.

    Args:
        files: Files to write, and the numbers of their examples; folders are made.
        recipe: What to simulate.
        processes: Number of processes; the number of cores if None, and 1 starts none.
        progress: Show a progress bar.
    """
    if not files:
        return
    load_volume(recipe.source, recipe.split)  # a bad source fails here, not in every process
    indices = [i for examples in files.values() for i in examples]
    made = _simulate(recipe, indices, processes or os.cpu_count() or 1)
    bar = tqdm(made, total=len(indices), desc=f"simulate {recipe.split}", disable=not progress)
    with contextlib.closing(made):
        following = iter(bar)
        for path, examples in files.items():
            _write(path, recipe, examples, following)


def _write(path: Path, recipe: Recipe, examples: range, made: Iterator[dict[str, Array]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with h5py.File(partial, "w") as file:
            file.attrs["settings"] = json.dumps(recipe.settings(examples))
            datasets = _create(file, len(examples), recipe)
            for index, example in enumerate(itertools.islice(made, len(examples))):
                for key, values in example.items():
                    target = datasets[key]
                    if key in ("maps", "ksp"):  # coils that are missing stay zero
                        target[index, : values.shape[0]] = values
                    else:
                        target[index] = values
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    size = path.stat().st_size / 1e6
    _log.info("wrote %s: %d examples, %.0f MB", path, len(examples), size)


def _create(file: h5py.File, n: int, recipe: Recipe) -> dict[str, h5py.Dataset]:
    """Empty data sets for n examples, by the name of an example's array."""
    shape, n_coils = recipe.shape, recipe.coils[1]
    if recipe.trajectory == "cartesian":
        sampled, sampling = shape, {"mask": ("masks", shape, np.float32)}
    else:
        traj = trajectory_of(recipe.trajectory, shape, recipe.spokes).shape
        sampled = (*shape[: -traj[-1]], *traj[:-1])
        sampling = {"traj": ("traj", traj, np.float32), "dcf": ("dcf", traj[:-1], np.float32)}
    layout = {
        "img": ("imgs", shape, np.complex64),
        "maps": ("maps", (n_coils, *shape), np.complex64),
        **sampling,
        "ksp": ("ksp", (n_coils, *sampled), np.complex64),
    }
    datasets = {
        key: file.create_dataset(name, (n, *size), dtype, chunks=(1, *size), shuffle=True,
                                 compression="gzip", compression_opts=1)
        for key, (name, size, dtype) in layout.items()
    }  # fmt: skip
    datasets["noise_std"] = file.create_dataset("noise_std", (n,), np.float32)
    return datasets


def _simulate(
    recipe: Recipe, indices: Sequence[int], processes: int
) -> Generator[dict[str, Array], None, None]:
    """Yield the examples in order, simulated in several processes a little ahead of their use."""
    if processes == 1:
        yield from map(recipe.example, indices)
        return
    context = multiprocessing.get_context("spawn")  # forking breaks under threads
    with ProcessPoolExecutor(min(processes, len(indices)), context) as pool:
        waiting = collections.deque()
        try:
            for index in indices:
                waiting.append(pool.submit(recipe.example, index))
                if len(waiting) == _AHEAD * processes:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise RuntimeError(
                "make_dataset: a process ended early. Call it below "
                '`if __name__ == "__main__":` in a script, or pass processes=1.'
            ) from error
        finally:
            for future in waiting:
                future.cancel()


def _is_missing(path: Path, settings: dict[str, object], overwrite: bool) -> bool:
    """Return whether a file is to be made; refuse one that has other settings."""
    if not path.exists():
        return True
    try:
        with h5py.File(path) as file:
            found = json.loads(file.attrs.get("settings", "{}"))
    except OSError:  # not HDF5
        found = {}
    if found == settings:
        _log.info("%s is there already, made with the same settings", path)
        return False
    if overwrite:
        return True
    differing = sorted(k for k in settings if found.get(k) != settings[k])
    raise FileExistsError(
        f"make_dataset: `out` must not hold other data, got {path}, made with other "
        f"{', '.join(differing)}. Pass overwrite=True or another folder."
    )
