"""What determines the examples of a file."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np

from reconic._array import Array
from reconic.simulate.example import random_example
from reconic.simulate.noncartesian import SAMPLINGS, check_shape
from reconic.simulate.sources import SPLITS

__all__ = ["TEST_ACCELERATION", "Recipe", "check_recipe"]

TEST_ACCELERATION = 4.0
_VERSION = 1  # of what the examples look like: raise it when the same settings give other data
_CARTESIAN = ("accelerations",)  # of a recipe, what says nothing about a trajectory


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Everything that determines the examples of one file.

    Attributes:
        source: ``"mni152"``, ``"shepp-logan"`` or the path of a 3-D NIfTI file.
        split: ``"train"``, ``"val"`` or ``"test"``: which slices of the volume.
        shape: Image shape ``(ny, nx)``, or ``(nz, ny, nx)`` with a trajectory of three axes.
        coils: Smallest and largest number of coils.
        accelerations: Smallest and largest acceleration.
        photos: Fraction of images that are photographs.
        noise: Smallest and largest standard deviation of the noise, relative to the brightest
            pixel.
        plain: Fraction of the heads that show the volume as it is; the others get a random
            contrast, scalp, texture and spots.
        seed: Seed of the whole data set.
        trajectory: ``"cartesian"``, or one of `SAMPLINGS`, to which accelerations are nothing.
        spokes: Number of spokes, interleaves, petals or lines of that trajectory.
    """

    source: str = "mni152"
    split: str = "train"
    shape: tuple[int, int] | tuple[int, int, int] = (144, 120)
    coils: tuple[int, int] = (4, 8)
    accelerations: tuple[float, float] = (3.0, 9.0)
    photos: float = 0.25
    noise: tuple[float, float] = (0.01, 0.05)
    plain: float = 0.8
    seed: int = 0
    trajectory: str = "cartesian"
    spokes: int = 32

    def example(self, index: int) -> dict[str, Array]:
        """Simulate the example of that index alone; see `random_example`."""
        rng = np.random.default_rng([self.seed, SPLITS.index(self.split), index])
        return random_example(
            rng,
            self.shape,
            int(rng.integers(self.coils[0], self.coils[1] + 1)),
            source=self.source,
            split=self.split,
            photos=self.photos,
            acceleration=self.accelerations,
            noise=self.noise,
            plain=self.plain,
            trajectory=self.trajectory,
            spokes=self.spokes,
        )

    def settings(self, examples: range) -> dict[str, object]:
        """Return what a file of these examples is to record, ready for JSON."""
        values = json.loads(json.dumps(dataclasses.asdict(self)))
        for name in ("trajectory", "spokes") if self.trajectory == "cartesian" else _CARTESIAN:
            del values[name]
        if (path := Path(self.source).expanduser()).is_file():
            values["source"] = path.name
            values["source_sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        first = {"first": examples.start} if examples.start else {}
        return {"version": _VERSION, "n": len(examples), **first, **values}


def check_recipe(recipe: Recipe, test_acceleration: float, test_noise: float) -> None:
    """Check the settings of a data set: the recipe of its training examples, and of the others.

    Raises:
        ValueError: If one is out of range, or does not go with the trajectory.
    """
    where = "make_dataset"
    ranges = {
        "coils": (recipe.coils, 1),
        "accelerations": (recipe.accelerations, 1),
        "test_acceleration": ((test_acceleration, test_acceleration), 1),
        "noise": (recipe.noise, 1e-9),
        "test_noise": ((test_noise, test_noise), 1e-9),
    }
    for name, (values, least) in ranges.items():
        if len(values) != 2 or not least <= values[0] <= values[1]:
            raise ValueError(
                f"{where}: `{name}` must be a smallest and a largest value, {least} or more, "
                f"got {values}."
            )
    for name, fraction in {"photos": recipe.photos, "plain": recipe.plain}.items():
        if not 0 <= fraction <= 1:
            raise ValueError(f"{where}: `{name}` must be between 0 and 1, got {fraction}.")
    _check_trajectory(recipe, test_acceleration)
    check_shape(where, recipe.shape, recipe.trajectory)


def _check_trajectory(recipe: Recipe, test_acceleration: float) -> None:
    cartesian = recipe.trajectory == "cartesian"
    if not cartesian and recipe.trajectory not in SAMPLINGS:
        raise ValueError(
            f"make_dataset: `trajectory` must be cartesian, {', '.join(SAMPLINGS)}, got "
            f"{recipe.trajectory!r}."
        )
    if recipe.spokes < 1:
        raise ValueError(f"make_dataset: `spokes` must be at least 1, got {recipe.spokes}.")
    accelerations = tuple(recipe.accelerations), test_acceleration
    if not cartesian and accelerations != (Recipe.accelerations, TEST_ACCELERATION):
        raise ValueError(
            "make_dataset: `accelerations` and `test_acceleration` must be left out for a "
            f"trajectory, got {recipe.accelerations} and {test_acceleration}. Give `spokes`."
        )
    if cartesian and recipe.spokes != Recipe.spokes:
        raise ValueError(
            f"make_dataset: `spokes` must be left out for Cartesian masks, got {recipe.spokes}. "
            "Give `accelerations`, or a `trajectory`."
        )
