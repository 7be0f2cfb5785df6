"""A small head of one's own, as a NIfTI file."""

import nibabel
import numpy as np
import pytest


@pytest.fixture
def save_nifti(tmp_path):
    def save(data, affine=None, name="head.nii.gz"):
        path = tmp_path / name
        nibabel.save(nibabel.Nifti1Image(data, np.eye(4) if affine is None else affine), path)
        return str(path)

    return save


@pytest.fixture
def ellipsoid():
    """A filled ellipsoid whose brightness rises from bottom to top, float32 (40, 50, 60)."""
    x, y, z = np.meshgrid(*(np.linspace(-1.1, 1.1, n) for n in (40, 50, 60)), indexing="ij")
    inside = x**2 + y**2 + z**2 < 1
    return (inside * (2 + z)).astype(np.float32)
