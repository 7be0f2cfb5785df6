"""What a configuration descends on: a forward model with its variables and data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import matplotlib.cbook
import numpy as np
from PIL import Image

from reconic._array import Array
from reconic.systems import Convolution

__all__ = ["Deconvolution", "Scene"]


class Scene:
    """A reconstruction problem to be chosen in a configuration; subclass it for your own.

    Attributes:
        forward: Forward model, as `reconstruct` takes it.
        variables: Variables to start from, by name.
        data: Measurements by name.
        truth: True value of a variable, by name, where it is known.
        before: A plain estimate of each variable that has a truth, to compare with; may be left
            out, as `truth` may.
    """

    forward: Any
    variables: Mapping[str, Any]
    data: Mapping[str, Any]
    truth: Mapping[str, Array] = MappingProxyType({})
    before: Mapping[str, Array] = MappingProxyType({})

    def images(self, variables: Mapping[str, Any]) -> dict[str, Array]:
        """Images to log and to compare, by variable; here those with two axes or more."""
        return {name: x for name, x in variables.items() if np.ndim(x) >= 2}


class Deconvolution(Scene):
    """An image `object` from its blurred `measurement`, by a known point-spread function.

    Without files a photograph that ships with matplotlib is blurred and gets noise.

    Args:
        measurement: Image file, or .npy; None simulates one.
        psf: Image file, or .npy, of the point-spread function, with its centre at n//2; scaled to
            sum 1. Needed with a measurement; None takes a disc.
        margin: Width of the scene beyond the measurement on each side, in pixels.
        side: Side of the simulated measurement, in pixels.
        radius: Radius of the disc, in pixels.
        noise: Standard deviation of the simulated noise, as a fraction of white.
        seed: Seed of the noise.
    """

    def __init__(
        self,
        measurement: str | None = None,
        psf: str | None = None,
        margin: int = 12,
        side: int = 256,
        radius: float = 4.5,
        noise: float = 0.01,
        seed: int = 0,
    ) -> None:
        if measurement is not None and psf is None:
            raise ValueError("Deconvolution: a `measurement` needs its `psf`, got none.")
        blur = disc(radius) if psf is None else read_image(psf)
        blur = blur / blur.sum()
        if measurement is None:
            truth = portrait(side + 2 * margin)
            y = _blurred(truth, blur, (side, side))
            y = y + noise * np.random.default_rng(seed).standard_normal(y.shape)
            self.truth = {"object": _middle(truth, margin)}
        else:
            y, self.truth = read_image(measurement), {}
        y = y.astype(np.float32)
        scene = tuple(n + 2 * margin for n in y.shape)
        self.margin = margin
        self.forward = Convolution.from_psf(blur, scene, output=y.shape)
        self.variables = {"object": np.pad(y, margin, mode="edge")}
        self.data = {"measurement": y}
        self.before = {"object": y}

    def images(self, variables: Mapping[str, Any]) -> dict[str, Array]:
        return {"object": _middle(variables["object"], self.margin)}


def _blurred(truth: np.ndarray, psf: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    return Convolution.from_psf(psf, truth.shape, output=shape)(truth)


def _middle(x: Array, margin: int) -> Array:
    return x[margin : x.shape[0] - margin, margin : x.shape[1] - margin]


def disc(radius: float) -> np.ndarray:
    """Disc of an edge one pixel soft, of sum one."""
    n = int(np.ceil(radius)) + 1
    distance = np.hypot(*np.mgrid[-n : n + 1, -n : n + 1])
    found = np.clip(radius + 0.5 - distance, 0, 1).astype(np.float32)
    return found / found.sum()


def portrait(side: int) -> np.ndarray:
    """Grace Hopper's portrait (public domain, ships with matplotlib), between 0 and 1."""
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:  # pyright: ignore
        picture = Image.open(file).convert("L").crop((90, 30, 450, 390)).resize((side, side))
    return np.asarray(picture, np.float32) / 255


def read_image(path: str) -> np.ndarray:
    """Image of an image file or of a .npy file, real (ny, nx); colours are averaged.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it holds no image.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no file {path!r}.")
    image = np.load(path) if path.endswith(".npy") else np.asarray(Image.open(path))
    image = image.astype(np.float32)
    image = image[..., :3].mean(-1) if image.ndim == 3 else image
    if image.ndim != 2:
        raise ValueError(f"{path}: an image must have shape (ny, nx), got {image.shape}.")
    return image
