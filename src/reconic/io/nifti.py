"""NIfTI images: magnitude, and the phase of a complex image in a second file."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
from nibabel.nifti1 import Nifti1Image

from reconic.io.atomic import atomic_path


def write(path: Path, x: np.ndarray) -> None:
    """Write the magnitude as float32 to `path`, and the phase in radians to `NAME_phase.nii…`.

    Viewers read complex NIfTI badly, so there are two files; a real image is written as it is, to
    one. Axes `([frames,] [nz,] ny, nx)` become NIfTI's (x, y, z, t). Orientation and voxel size are
    not known: voxels count as 1 mm, x runs to the patient's left and y to the back, so a viewer
    shows rows and columns as they are in the array.
    """
    if np.iscomplexobj(x):
        at = path.name.lower().rindex(".nii")
        _write(path.with_name(f"{path.name[:at]}_phase{path.name[at:]}"), np.angle(x))
        x = np.abs(x)
    _write(path, x)


def _write(path: Path, x: np.ndarray) -> None:
    data = np.asarray(x, dtype=np.float32).T
    data = data.reshape(*data.shape, *(1,) * (3 - data.ndim))
    image = Nifti1Image(data, affine=np.diag([-1.0, -1.0, 1.0, 1.0]))
    image.header.set_xyzt_units("mm")
    with atomic_path(path) as temporary:
        nibabel.save(image, temporary)
