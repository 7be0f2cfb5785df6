"""Images that ship inside other packages: found on disk, never imported."""

from __future__ import annotations

import functools
import gzip
import importlib.util
from pathlib import Path

import numpy as np
from PIL import Image

from reconic._array import Array

SPLITS = ("train", "val", "test")
SAGITTAL = "matplotlib/mpl-data/sample_data/s1045.ima.gz"
_MNI = "nilearn/datasets/data/mni_icbm152_{}_tal_nlin_sym_09a_converted.nii.gz"
_PIP_NAMES = {"skimage": "scikit-image", "sklearn": "scikit-learn"}

# Of training only: validation and test are anatomy.
PHOTOGRAPHS = (
    "matplotlib/mpl-data/sample_data/grace_hopper.jpg",
    "skimage/data/astronaut.png",
    "skimage/data/brick.png",
    "skimage/data/camera.png",
    "skimage/data/cell.png",
    "skimage/data/chelsea.png",
    "skimage/data/clock_motion.png",
    "skimage/data/coffee.png",
    "skimage/data/coins.png",
    "skimage/data/grass.png",
    "skimage/data/gravel.png",
    "skimage/data/hubble_deep_field.jpg",
    "skimage/data/ihc.png",
    "skimage/data/moon.png",
    "skimage/data/motorcycle_left.png",
    "skimage/data/page.png",
    "skimage/data/retina.jpg",
    "skimage/data/rocket.jpg",
    "sklearn/datasets/images/china.jpg",
    "sklearn/datasets/images/flower.jpg",
)


def package_file(name: str) -> Path:
    """Locate a file inside an installed package without importing the package.

    Args:
        name: ``"package/path/inside/it"``.

    Returns:
        Path of the file.

    Raises:
        ImportError: If the package is not installed, or has no such file.
    """
    package, _, inside = name.partition("/")
    spec = importlib.util.find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or ():
        if (path := Path(folder, inside)).is_file():
            return path
    distribution = _PIP_NAMES.get(package, package)
    problem = "is not installed" if spec is None else f"has no file {inside}"
    raise ImportError(
        f"reconic.simulate: the example data need {distribution}, which {problem}. "
        f'Install it: pip install "reconic[data]"'
    )


@functools.lru_cache(maxsize=32)
def load_photograph(name: str) -> Array:
    """Read a photograph as red, green and blue, uint8 ``(ny, nx, 3)``."""
    path = package_file(name)
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


@functools.cache
def load_sagittal() -> Array:
    """Read Matplotlib's sample of a real sagittal T1 head, with skull and face.

    Returns:
        Magnitude, float32 ``(256, 256)``, between 0 and 1.
    """
    raw = gzip.decompress(package_file(SAGITTAL).read_bytes())
    return (np.frombuffer(raw, "<u2").reshape(256, 256) / 55040).astype(np.float32)


def mni_file(tissue: str) -> Path:
    """Locate a volume of the MNI152 template: ``"t1"``, ``"gm"`` or ``"wm"``."""
    return package_file(_MNI.format(tissue))
