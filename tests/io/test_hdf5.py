"""DeepInPy's layout."""

import tracemalloc

import h5py
import numpy as np
import pytest

from reconic.io import read_kspace, write_image


def complex_normal(shape, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)


def data_set(path, n=3, coils=4, extra=(), space=(8, 6), **changes):
    """Write a data set and return its arrays; a change to None leaves the key out."""
    rng = np.random.default_rng(1)
    arrays = {
        "imgs": complex_normal((n, *extra, *space), 2),
        "maps": complex_normal((n, coils, *extra, *space), 3),
        "masks": (rng.random((n, *extra, *space)) > 0.5).astype(np.float32),
        "ksp": complex_normal((n, coils, *extra, *space), 4),
    }
    arrays = {k: v for k, v in {**arrays, **changes}.items() if v is not None}
    with h5py.File(path, "w") as file:
        for key, value in arrays.items():
            file[key] = value
    return arrays


@pytest.mark.parametrize(("extra", "space"), [((), (8, 6)), ((), (4, 8, 6)), ((5,), (8, 7))])
@pytest.mark.parametrize("index", [0, 2])
def test_reads_one_example(tmp_path, extra, space, index):
    arrays = data_set(tmp_path / "a.h5", extra=extra, space=space)
    found = read_kspace(tmp_path / "a.h5", index=index)
    expected = arrays["ksp"][index] * arrays["masks"][index]  # the file's k-space is fully sampled
    np.testing.assert_array_equal(found.ksp, expected)
    np.testing.assert_array_equal(found.maps, arrays["maps"][index])
    np.testing.assert_array_equal(found.mask, arrays["masks"][index])
    np.testing.assert_array_equal(found.reference, arrays["imgs"][index])
    assert found.mask.flags.writeable


def peak_of(read):
    """What a call gives, and the most memory that it had allocated."""
    tracemalloc.start()
    try:
        return read(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("masks", [None, "stored"])
def test_a_share_of_the_coils_is_read_alone(tmp_path, masks):
    traj = {} if masks else {"traj": np.zeros((2, 128, 96, 2), np.float32), "masks": None}
    arrays = data_set(tmp_path / "a.h5", n=2, coils=16, space=(128, 96), **traj)
    whole, most = peak_of(lambda: read_kspace(tmp_path / "a.h5", 1))
    asked = []

    def share(n_coils):
        asked.append(n_coils)
        return slice(3, 5)

    found, peak = peak_of(lambda: read_kspace(tmp_path / "a.h5", 1, share))
    assert asked == [16]
    assert (found.shared, whole.shared) == (True, False)
    np.testing.assert_array_equal(found.ksp, whole.ksp[3:5])
    np.testing.assert_array_equal(found.maps, arrays["maps"][1, 3:5])
    np.testing.assert_array_equal(found.reference, whole.reference)
    assert peak < 0.4 * most  # 2 of 16 coils, and what is of no coil


def test_coils_without_signal_are_a_share_like_any_other(tmp_path):
    data_set(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["ksp"][:, :2] = 0
    found = read_kspace(tmp_path / "a.h5", 0, lambda n: slice(2))
    assert found.shared
    assert not found.ksp.any()


@pytest.mark.parametrize("missing", ["maps", "masks"])
def test_all_coils_are_read_where_something_is_estimated_from_them(tmp_path, missing):
    data_set(tmp_path / "a.h5", **{missing: None})
    found = read_kspace(tmp_path / "a.h5", 0, lambda n: slice(1))
    assert not found.shared
    assert len(found.ksp) == 4


def test_only_kspace_is_needed(tmp_path):
    arrays = data_set(tmp_path / "a.h5", imgs=None, maps=None, masks=None)
    found = read_kspace(tmp_path / "a.h5", index=1)
    np.testing.assert_array_equal(found.ksp, arrays["ksp"][1])
    assert np.all(found.mask == 1)
    assert found.maps is None
    assert found.reference is None


def test_double_precision_and_integers_become_single(tmp_path):
    arrays = data_set(
        tmp_path / "a.h5",
        ksp=complex_normal((3, 4, 8, 6)).astype(np.complex128),
        masks=np.ones((3, 8, 6), np.uint8),
        imgs=np.ones((3, 8, 6)),
    )
    found = read_kspace(tmp_path / "a.h5")
    np.testing.assert_array_equal(found.ksp, arrays["ksp"][0])
    types = (found.ksp.dtype, found.mask.dtype, found.reference.dtype)
    assert types == (np.complex64, np.float32, np.complex64)


def test_maps_and_masks_shared_by_frames(tmp_path):
    data_set(
        tmp_path / "a.h5",
        extra=(5,),
        maps=complex_normal((3, 4, 1, 8, 6)),
        masks=np.ones((3, 1, 8, 6)),
    )
    found = read_kspace(tmp_path / "a.h5")
    assert found.maps.shape == (4, 1, 8, 6)
    assert found.mask.shape == (5, 8, 6)


def test_missing_key_lists_those_found(tmp_path):
    data_set(tmp_path / "a.h5", ksp=None)
    with pytest.raises(KeyError, match="the data set 'ksp', got the keys 'imgs', 'maps', 'masks'"):
        read_kspace(tmp_path / "a.h5")
    data_set(tmp_path / "a.h5", ksp=None, imgs=None, maps=None, masks=None)
    with pytest.raises(KeyError, match=r"got the keys \(none\)"):
        read_kspace(tmp_path / "a.h5")


def test_a_group_is_not_a_data_set(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_group("ksp")
    with pytest.raises(KeyError, match="must have the data set 'ksp'"):
        read_kspace(tmp_path / "a.h5")


@pytest.mark.parametrize(
    ("key", "shape"),
    [("maps", (3, 5, 8, 6)), ("masks", (3, 4, 8, 6)), ("imgs", (3, 8, 7)), ("imgs", (1, 8, 6))],
)
def test_shapes_must_fit_the_kspace(tmp_path, key, shape):
    data_set(tmp_path / "a.h5", **{key: np.ones(shape, np.float32)})
    with pytest.raises(
        ValueError, match=rf"'{key}' must have shape \(example, .*, got \({shape[0]}"
    ):
        read_kspace(tmp_path / "a.h5", index=1)


def test_nan_in_maps(tmp_path):
    data_set(tmp_path / "a.h5", maps=np.full((3, 4, 8, 6), np.nan, np.complex64))
    with pytest.raises(ValueError, match=r"the maps in a\.h5 must be finite, got 192 values"):
        read_kspace(tmp_path / "a.h5")


def test_index_beyond_the_file(tmp_path):
    data_set(tmp_path / "a.h5")
    with pytest.raises(IndexError, match=r"from 0 to 2, the last example of a\.h5, got 3"):
        read_kspace(tmp_path / "a.h5", index=3)


def test_the_file_is_closed(tmp_path):
    data_set(tmp_path / "a.h5")
    read_kspace(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "a"):  # refused by HDF5 while another handle reads
        pass


def test_written_image_is_a_data_set_of_one(tmp_path):
    x = complex_normal((5, 7))
    write_image(tmp_path / "x.h5", x)
    with h5py.File(tmp_path / "x.h5") as file:
        assert list(file) == ["imgs"]
        np.testing.assert_array_equal(file["imgs"][:], x[None])
