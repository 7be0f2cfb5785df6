"""NIfTI files, read back with nibabel."""

import nibabel
import numpy as np
import pytest

from reconic.io import write_image


def image(shape, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize("shape", [(5, 7), (3, 5, 7), (2, 3, 5, 7)])
def test_magnitude_and_phase(tmp_path, ending, shape):
    x = image(shape)
    write_image(tmp_path / f"x.nii.y{ending}", x)
    assert {p.name for p in tmp_path.iterdir()} == {f"x.nii.y{ending}", f"x.nii.y_phase{ending}"}
    magnitude = nibabel.load(tmp_path / f"x.nii.y{ending}")
    phase = nibabel.load(tmp_path / f"x.nii.y_phase{ending}")
    expected = x if x.ndim > 2 else x[None]
    stored = np.asarray(magnitude.dataobj) * np.exp(1j * np.asarray(phase.dataobj))
    assert stored.shape == expected.shape[::-1]  # (x, y, z, t)
    np.testing.assert_allclose(stored.T, expected, rtol=1e-5)
    assert magnitude.get_data_dtype() == np.float32
    assert magnitude.header.get_xyzt_units()[0] == "mm"


def test_a_real_image_is_one_file_with_its_signs(tmp_path):
    x = image((5, 7)).real
    write_image(tmp_path / "x.nii", x)
    assert [p.name for p in tmp_path.iterdir()] == ["x.nii"]
    np.testing.assert_array_equal(np.asarray(nibabel.load(tmp_path / "x.nii").dataobj)[..., 0].T, x)


def test_rows_run_to_the_back_and_columns_to_the_left(tmp_path):
    write_image(tmp_path / "x.nii", image((4, 5, 7)).real)
    loaded = nibabel.load(tmp_path / "x.nii")
    assert nibabel.aff2axcodes(loaded.affine) == ("L", "P", "S")
    np.testing.assert_array_equal(loaded.header.get_zooms(), [1, 1, 1])
