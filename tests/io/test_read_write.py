"""What read_kspace and write_image promise for every format."""

import h5py
import numpy as np
import pytest

from reconic.io import READERS, WRITERS, Measurement, read_kspace, sampling_mask, write_image
from reconic.io import cfl as cfl_format


def kspace(shape=(3, 8, 6), dtype=np.complex64, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    return (y * (rng.random(shape[1:]) > 0.4)).astype(dtype)


def save(path, y):
    """Write k-space in the format that the ending names, without the code under test."""
    if path.suffix == ".npy":
        np.save(path, y)
    elif path.suffix in (".h5", ".hdf5"):
        with h5py.File(path, "w") as file:
            file["ksp"] = y[None]
    else:
        dims = (*y.shape[:0:-1], *(1,) * (4 - y.ndim), y.shape[0])
        path.with_suffix(".hdr").write_text("# Dimensions\n" + " ".join(map(str, dims)) + "\n")
        y.astype(np.complex64).tofile(path.with_suffix(".cfl"))
    return path


every_ending = pytest.mark.parametrize("ending", sorted(READERS))


@every_ending
@pytest.mark.parametrize("shape", [(3, 8, 6), (1, 5, 7), (2, 4, 6, 5)])
def test_reads_kspace_and_finds_the_mask(tmp_path, ending, shape):
    y = kspace(shape)
    found = read_kspace(str(save(tmp_path / f"scan{ending}", y)))
    assert isinstance(found, Measurement)
    np.testing.assert_array_equal(found.ksp, y)
    np.testing.assert_array_equal(found.mask, np.any(y != 0, axis=0))
    assert (found.ksp.dtype, found.mask.dtype) == (np.complex64, np.float32)
    assert found.maps is None
    assert found.reference is None


@every_ending
def test_missing_file(tmp_path, ending):
    with pytest.raises(FileNotFoundError, match="scan"):
        read_kspace(tmp_path / f"scan{ending}")


@every_ending
def test_truncated_file(tmp_path, ending):
    path = save(tmp_path / f"scan{ending}", kspace((4, 40, 40)))
    data = path.with_suffix(".cfl") if ending == ".hdr" else path
    data.write_bytes(data.read_bytes()[:-1000])
    with pytest.raises(ValueError, match="It may be cut short; copy it again"):
        read_kspace(path)


@every_ending
def test_empty_file(tmp_path, ending):
    path = tmp_path / f"scan{ending}"
    for p in {path, path.with_suffix(".cfl"), path.with_suffix(".hdr")}:
        p.touch()
    with pytest.raises(ValueError, match="must"):
        read_kspace(path)


@every_ending
@pytest.mark.parametrize("value", [np.nan, np.inf, 1j * np.inf])
def test_not_finite(tmp_path, ending, value):
    y = kspace()
    y[1, 2, 3] = y[0, 0, 0] = value
    with pytest.raises(ValueError, match="must be finite, got 2 values that are NaN or Inf"):
        read_kspace(save(tmp_path / f"scan{ending}", y))


@every_ending
def test_only_zeros(tmp_path, ending):
    with pytest.raises(ValueError, match="must hold samples, got zeros alone"):
        read_kspace(save(tmp_path / f"scan{ending}", 0 * kspace()))


@every_ending
@pytest.mark.parametrize("index", [1, -1])
def test_index_beyond_the_examples(tmp_path, ending, index):
    with pytest.raises(IndexError, match=f"must be from 0 to 0, .* got {index}"):
        read_kspace(save(tmp_path / f"scan{ending}", kspace()), index=index)


@pytest.mark.parametrize("ending", [".npy", ".h5"])
def test_real_kspace(tmp_path, ending):
    with pytest.raises(TypeError, match="must be complex, got float64"):
        read_kspace(save(tmp_path / f"scan{ending}", kspace().real.astype(np.float64)))


@pytest.mark.parametrize("ending", [".npy", ".h5"])
@pytest.mark.parametrize("shape", [(8, 6), (2, 2, 2, 2, 8, 6), (0, 8, 6)])
def test_wrong_rank(tmp_path, ending, shape):
    with pytest.raises(ValueError, match=r"must have shape \(coil, \[frames,\] \[nz,\] ny, nx\), "):
        read_kspace(save(tmp_path / f"scan{ending}", kspace(shape)))


def test_double_precision_becomes_single_and_must_fit(tmp_path):
    y = kspace(dtype=np.complex128)
    found = read_kspace(save(tmp_path / "scan.npy", y)).ksp
    np.testing.assert_array_equal(found, y.astype(np.complex64))
    with pytest.raises(ValueError, match="must be finite"):
        read_kspace(save(tmp_path / "scan.npy", y * 1e300))


def test_pickled_objects_are_refused(tmp_path):
    np.save(tmp_path / "scan.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"must be a whole \.npy file of numbers"):
        read_kspace(tmp_path / "scan.npy")


@pytest.mark.parametrize("name", ["scan.dat", "scan", "npy", "scan.npy.txt"])
def test_unknown_ending_lists_the_known(tmp_path, name):
    with pytest.raises(ValueError, match=r"one of \.npy, \.cfl, \.hdr, \.h5, \.hdf5, got") as error:
        read_kspace(tmp_path / name)
    assert repr(name) in str(error.value)
    with pytest.raises(ValueError, match=r"one of \.npy, \.cfl, \.h5, \.hdf5, \.nii, \.nii\.gz"):
        write_image(tmp_path / name, np.zeros((2, 2)))


def test_endings_in_capitals(tmp_path):
    path = save(tmp_path / "scan.npy", kspace())
    assert read_kspace(path.rename(tmp_path / "SCAN.NPY")).ksp.shape == (3, 8, 6)


def test_sampling_mask_is_where_any_coil_is_nonzero():
    y = np.zeros((2, 2, 3), np.complex64)
    y[0, 0, 1] = 1j
    y[1, 1, 2] = -1
    np.testing.assert_array_equal(sampling_mask(y), [[0, 1, 0], [0, 0, 1]])
    assert sampling_mask(y).dtype == np.float32


@pytest.mark.parametrize("ending", [".npy", ".h5", ".hdf5", ".cfl"])
@pytest.mark.parametrize("shape", [(5, 7), (3, 5, 7), (2, 3, 5, 7)])
def test_images_are_kept_exactly(tmp_path, ending, shape):
    x = kspace(shape)
    path = tmp_path / f"x{ending}"
    write_image(path, x)
    if ending == ".npy":
        found = np.load(path)
    elif ending == ".cfl":
        found = cfl_format.read_cfl(path).reshape(shape)
    else:
        with h5py.File(path) as file:
            found = file["imgs"][0]
    np.testing.assert_array_equal(found, x)
    assert found.dtype == x.dtype


@pytest.mark.parametrize("ending", sorted(WRITERS))
def test_writing_leaves_no_other_files_and_overwrites(tmp_path, ending):
    path = tmp_path / f"x{ending}"
    for value in (1.0, 2.0):
        write_image(path, np.full((4, 5), value, np.float32))
    names = {p.name for p in tmp_path.iterdir()}
    assert names == {path.name} | ({"x.hdr"} if ending == ".cfl" else set())


@pytest.mark.parametrize("ending", sorted(WRITERS))
def test_wrong_images(tmp_path, ending):
    path = tmp_path / f"x{ending}"
    with pytest.raises(ValueError, match=r"got \(7,\). Write one image at a time"):
        write_image(path, np.zeros(7))
    with pytest.raises(TypeError, match="`x` must be numeric, got <U1"):
        write_image(path, np.array([["a"]]))
    with pytest.raises(FileNotFoundError, match="the folder of `path` must exist"):
        write_image(tmp_path / "no" / path.name, np.zeros((2, 2)))
    assert list(tmp_path.iterdir()) == []
