"""Arrays in files, as viewers open them."""

import h5py
import nibabel
import numpy as np
import pytest

from reconic.io import write_cfl
from reconic.view.files import open_array
from reconic.view.source import Source

RNG = np.random.default_rng(0)
A = RNG.standard_normal((3, 4, 5)).astype(np.float32)


def seen(opened):
    """All planes of an array, as viewers read them."""
    source = Source(opened.array)
    return np.stack([source.plane((1, 2), (i, 0, 0)) for i in range(source.shape[0])])


def save(path, kind):
    match kind:
        case ".npy":
            np.save(path, A)
        case ".npz":
            np.savez(path, a=A)
        case ".h5":
            with h5py.File(path, "w") as file:
                file["group/a"] = A
        case ".cfl":
            write_cfl(path, A.reshape(3, 1, 1, 4, 5))
        case ".nii.gz":
            nibabel.Nifti1Image(A.T, np.diag([0.5, 2, 3, 1])).to_filename(path)
        case ".tif":
            pytest.importorskip("tifffile").imwrite(path, A, photometric="minisblack")
        case ".zarr":
            pytest.importorskip("zarr").save(str(path), A)


@pytest.mark.parametrize("kind", [".npy", ".npz", ".h5", ".cfl", ".nii.gz", ".tif", ".zarr"])
def test_every_format_gives_the_array(tmp_path, kind):
    path = tmp_path / f"a{kind}"
    save(path, kind)
    opened = open_array(path)
    np.testing.assert_array_equal(seen(opened), A)
    assert opened.spacing == ((3.0, 2.0, 0.5) if kind == ".nii.gz" else None)


def test_a_pair_keeps_its_last_two_axes(tmp_path):
    write_cfl(tmp_path / "a.cfl", A.reshape(3, 1, 20, 1))
    assert open_array(tmp_path / "a.cfl").array.shape == (3, 20, 1)


@pytest.mark.parametrize("name", ["A.NPY", "a.mat"])
def test_endings_in_capitals_and_of_matlab(tmp_path, name):
    with (tmp_path / name).open("wb") as file:
        if name == "A.NPY":
            np.save(file, A)
    if name == "a.mat":
        with h5py.File(tmp_path / name, "w") as file:
            file["a"] = A
            file["version"] = 7.3  # a number is no array
            file["text"] = ["x"]
    np.testing.assert_array_equal(seen(open_array(tmp_path / name)), A)


def test_a_compressed_tiff(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "a.tif", A, photometric="minisblack", compression="zlib")
    np.testing.assert_array_equal(seen(open_array(tmp_path / "a.tif")), A)


def test_complex_values_as_records(tmp_path):
    pairs = np.zeros(A.shape, [("real", "f4"), ("imag", "f4")])
    pairs["real"], pairs["imag"] = A, 2 * A
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["dataset/image_0/data"] = pairs
        file["dataset/image_0/header"] = np.zeros(3, [("version", "u2")])
    np.testing.assert_array_equal(seen(open_array(tmp_path / "a.h5")), A + 2j * A)


def test_of_several_data_sets_one_is_chosen(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["imgs"], file["ksp"] = A, 2 * A
    np.testing.assert_array_equal(seen(open_array(tmp_path / "a.h5", "ksp")), 2 * A)
    with pytest.raises(KeyError, match=r"imgs \(3, 4, 5\) float32, ksp .*--key imgs"):
        open_array(tmp_path / "a.h5")


@pytest.mark.parametrize("kind", [".npy", ".h5", ".npz", ".nii.gz"])
def test_cut_short(tmp_path, kind):
    whole, part = tmp_path / f"a{kind}", tmp_path / f"b{kind}"
    save(whole, kind)
    part.write_bytes(whole.read_bytes()[:90])
    with pytest.raises(ValueError, match="cut short"):
        open_array(part)


def test_no_file_and_no_known_ending(tmp_path):
    with pytest.raises(FileNotFoundError, match="must be a file"):
        open_array(tmp_path / "a.npy")
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(ValueError, match=r"must end in one of \.npy"):
        open_array(tmp_path / "a.txt")
