"""Head volumes to slice: the MNI152 template, the Shepp-Logan phantom or the user's own NIfTI."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any

import numpy as np

from reconic._array import Array
from reconic.simulate.phantoms import shepp_logan
from reconic.simulate.sources import SPLITS, mni_file

_SHAPE = (160, 200, 160)  # of the Shepp-Logan volume
# Slabs along the head's axis as fractions of the object's extent; what lies between a held-out slab
# and the rest of the training volume (a fiftieth, 3 mm of a head) is in no split.
_HELD_OUT = {"test": (0.52, 0.62), "val": (0.70, 0.78)}
_GAP = 0.02


@dataclasses.dataclass(frozen=True, eq=False)
class Volume:
    """A head, with axes running right, forward and up.

    Attributes:
        intensity: Magnitude ``(nx, ny, nz)``, float32 or uint8.
        grey: Probability of grey matter, same scale as `white`, or None where it is unknown.
        white: Probability of white matter, or None.
        spacing: Size of a voxel along each axis, in mm.
        axial_only: The volume is a thin slab, to be cut across its third axis only.
    """

    intensity: Array
    grey: Array | None
    white: Array | None
    spacing: tuple[float, float, float]
    axial_only: bool = False

    @property
    def has_tissues(self) -> bool:
        """Whether it is a brain of known grey and white matter, without skull and scalp."""
        return self.grey is not None and self.white is not None

    @functools.cached_property
    def extent(self) -> tuple[tuple[int, int], ...]:
        """First and last index along each axis where there is anything."""
        thick = self.intensity > 0.05 * float(self.intensity.max())
        spans = []
        for axis in range(3):
            hit = np.flatnonzero(thick.any(axis=tuple(a for a in range(3) if a != axis)))
            spans.append((int(hit[0]), int(hit[-1])))
        return tuple(spans)


@functools.lru_cache(maxsize=6)
def load_volume(source: str, split: str | None = None) -> Volume:
    """Load a head volume, whole or the part that belongs to one split.

    Validation and test each get a slab of axial slices. Training gets the volume from which the
    slabs and a margin around them are cut out, the remaining parts joined: no training slice,
    however it is tilted, has a voxel in common with a held-out one.

    Args:
        source: ``"mni152"``, ``"shepp-logan"`` or the path of a 3-D NIfTI file.
        split: ``"train"``, ``"val"``, ``"test"``, or None for the whole volume.

    Returns:
        The volume; read-only, since it is cached.

    Raises:
        ImportError: If the package that holds the template is not installed.
        FileNotFoundError: If `source` is a path without a file.
        ValueError: If the file is not a finite, non-empty 3-D volume, or `split` is unknown.
    """
    if split is None:
        return _read(source)
    if split not in SPLITS:
        raise ValueError(f"load_volume: `split` must be one of {', '.join(SPLITS)}, got {split!r}.")
    volume = load_volume(source)
    low, high = volume.extent[2]
    slabs = {
        name: tuple(round(low + f * (high + 1 - low)) for f in fractions)
        for name, fractions in _HELD_OUT.items()
    }
    if split != "train":
        keep = np.arange(*slabs[split])
    else:
        gap = max(1, round(_GAP * (high + 1 - low)))
        cut = [np.arange(a - gap, b + gap) for a, b in slabs.values()]
        keep = np.setdiff1d(np.arange(volume.intensity.shape[2]), np.concatenate(cut))
    return _take(volume, keep, axial_only=split != "train")


def _take(volume: Volume, keep: Array, axial_only: bool) -> Volume:
    """Keep some axial slices; those of training are spaced so that the head keeps its height."""
    dx, dy, dz = volume.spacing
    if not axial_only:
        dz *= volume.intensity.shape[2] / keep.size
    if keep.size < 2:
        raise ValueError(
            "load_volume: the volume must be thick enough to be split by slice, got "
            f"{volume.intensity.shape[2]} slices. Use a volume of at least 40."
        )
    whole = (volume.intensity, volume.grey, volume.white)
    parts = [None if p is None else np.ascontiguousarray(p[..., keep]) for p in whole]
    return Volume(*parts, spacing=(dx, dy, dz), axial_only=axial_only)


def _read(source: str) -> Volume:
    if source == "shepp-logan":
        drawn = shepp_logan(_SHAPE[::-1])  # (z, y, x) with the front first
        return Volume(np.ascontiguousarray(drawn[:, ::-1].T), None, None, (1.0, 1.0, 1.0))
    if source == "mni152":
        parts = [_read_nifti(mni_file(t))[0].astype(np.uint8) for t in ("t1", "gm", "wm")]
        return Volume(*parts, spacing=(1.0, 1.0, 1.0))
    path = Path(source).expanduser()
    if not path.is_file():
        raise FileNotFoundError(
            f"load_volume: `source` must be mni152, shepp-logan or a NIfTI file, got {source!r}, "
            "and there is no such file."
        )
    intensity, spacing = _read_nifti(path)
    return Volume(np.abs(intensity), None, None, spacing)


def _read_nifti(path: Path) -> tuple[Array, tuple[float, float, float]]:
    """Read a volume in RAS orientation; return it and its voxel size in mm."""
    import nibabel  # here, since it is slow to import
    from nibabel.filebasedimages import ImageFileError

    try:
        image: Any = nibabel.load(path)
    except ImageFileError as error:
        raise ValueError(
            f"load_volume: `source` must be a NIfTI file, got {path.name}, which nibabel cannot "
            "read. Convert it to .nii or .nii.gz."
        ) from error
    if len(image.shape) != 3 or min(image.shape) < 2:
        raise ValueError(
            f"load_volume: `source` must be a 3-D volume, got shape {image.shape} in {path.name}. "
            "Save one volume of the series."
        )
    image = nibabel.as_closest_canonical(image)
    data = np.asarray(image.dataobj, dtype=np.float32)
    if not np.isfinite(data).all():
        raise ValueError(
            f"load_volume: `source` must be finite, got {np.count_nonzero(~np.isfinite(data))} NaN "
            f"or infinite voxels in {path.name}. Replace them, by 0 for instance."
        )
    if not data.any():
        raise ValueError(f"load_volume: `source` must not be empty, got only zeros in {path.name}.")
    dx, dy, dz = (float(s) for s in image.header.get_zooms()[:3])
    return data, (dx, dy, dz)
