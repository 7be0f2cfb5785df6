"""The data set against the arrays in its files; noise, masks, maps, processes, and errors."""

import multiprocessing
import os
import pickle
import re

import h5py
import numpy as np
import pytest
from tiny import centred_fft, tiny_arrays, write_h5

from reconic.calibrate import espirit
from reconic.train import ReconDataset
from reconic.train.masks import PoissonDisc, RandomMask


@pytest.fixture
def arrays():
    return tiny_arrays(3)


@pytest.fixture
def path(tmp_path, arrays):
    return write_h5(tmp_path / "data.h5", arrays)


def test_item_holds_the_arrays_of_the_file(path, arrays):
    item = ReconDataset(path)[1]
    for name, key in {"x": "imgs", "y": "ksp", "maps": "maps", "mask": "masks"}.items():
        np.testing.assert_array_equal(item[name].numpy(), arrays[key][1])
    assert item["index"] == 1
    assert item["x"].dtype.is_complex
    assert item["mask"].dtype.is_floating_point


def test_kspace_that_is_fully_sampled_is_masked(tmp_path, arrays):
    full = centred_fft(arrays["maps"] * arrays["imgs"][:, None]).astype(np.complex64)
    item = ReconDataset(write_h5(tmp_path / "full.h5", {**arrays, "ksp": full}))[0]
    np.testing.assert_allclose(item["y"].numpy(), arrays["ksp"][0], atol=1e-6)


def test_double_precision_on_disk_becomes_single(tmp_path, arrays):
    double = {
        k: v.astype(np.complex128 if v.dtype.kind == "c" else float) for k, v in arrays.items()
    }
    item = ReconDataset(write_h5(tmp_path / "double.h5", double))[0]
    assert str(item["x"].dtype) == "torch.complex64"
    assert str(item["mask"].dtype) == "torch.float32"


def test_noise_has_the_stated_deviation_and_only_where_sampled(path, arrays):
    stdev = 0.3
    noisy = ReconDataset(path, stdev=stdev)[0]["y"].numpy()
    noise = noisy - arrays["ksp"][0]
    sampled = np.broadcast_to(arrays["masks"][0] > 0, noise.shape)
    assert np.all(noise[~sampled] == 0)
    measured = np.sqrt(np.mean(np.abs(noise[sampled]) ** 2))
    assert measured == pytest.approx(stdev, rel=0.1)  # 1/sqrt(n) is 0.02
    assert np.std(noise[sampled].real) == pytest.approx(stdev / np.sqrt(2), rel=0.1)


def test_noise_depends_on_seed_epoch_and_index_alone(path):
    def noise(seed, item):
        clean, noisy = ReconDataset(path), ReconDataset(path, stdev=1.0, seed=seed)
        return (noisy[item]["y"] - clean[item]["y"]).numpy()

    first = noise(0, (2, 1))
    np.testing.assert_array_equal(first, noise(0, (2, 1)))
    for other in (noise(1, (2, 1)), noise(0, (3, 1)), noise(0, (2, 0))):
        assert not np.array_equal(first, other)


def test_stored_noise_is_complex_and_scaled(tmp_path, arrays, normal):
    noise = normal(*arrays["ksp"].shape).astype(np.complex64)
    path = write_h5(tmp_path / "noise.h5", {**arrays, "noise": noise})
    want = arrays["masks"][2] * (arrays["ksp"][2] + 0.5 / np.sqrt(2) * noise[2])
    np.testing.assert_allclose(ReconDataset(path, stdev=0.5)[2]["y"].numpy(), want, atol=1e-6)


@pytest.mark.parametrize("shape", [(32, 24), (17, 16), (18, 18)])
def test_augmented_examples_still_fit_together(tmp_path, shape):
    arrays = tiny_arrays(1, shape=shape)
    dataset = ReconDataset(write_h5(tmp_path / "a.h5", arrays), augmented=True)
    images = []
    for epoch in range(40):
        item = {k: np.asarray(v) for k, v in dataset[epoch, 0].items()}
        want = item["mask"] * centred_fft(item["maps"] * item["x"])
        np.testing.assert_allclose(item["y"], want, atol=1e-5)  # sums of 32 x 24 float32
        images.append(np.abs(item["x"]))
    plain = np.abs(arrays["imgs"][0])
    assert any(np.allclose(image, plain) for image in images)
    assert not all(np.allclose(image, plain) for image in images)
    is_square = shape[0] == shape[1]
    assert is_square == any(np.allclose(im, plain.T) for im in images if im.shape == plain.T.shape)


def test_limit(path):
    assert len(ReconDataset(path)) == 3
    assert len(ReconDataset(path, limit=2)) == 2
    assert len(ReconDataset(path, limit=9)) == 3
    with pytest.raises(IndexError, match="below 2"):
        ReconDataset(path, limit=2)[2]


def _handle_of_fork(dataset, queue):
    before = dataset._handles._process
    dataset[0]
    queue.put((before, dataset._handles._process, os.getpid()))


@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")  # JAX, if other tests loaded it
def test_a_forked_process_opens_the_file_anew(path):
    dataset = ReconDataset(path)
    assert not dataset._handles._open  # nothing is held before the first access
    dataset[0]
    assert dataset._handles._process == os.getpid()
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=_handle_of_fork, args=(dataset, queue))
    process.start()
    inherited, opened_by, worker = queue.get(timeout=120)
    process.join()
    assert inherited == os.getpid()
    assert opened_by == worker != os.getpid()


def test_an_open_dataset_can_be_pickled(path):
    dataset = ReconDataset(path)
    dataset[0]
    copy = pickle.loads(pickle.dumps(dataset))
    assert not copy._handles._open
    np.testing.assert_array_equal(copy[1]["y"].numpy(), dataset[1]["y"].numpy())


def test_a_folder_is_one_set_in_the_order_of_names(tmp_path):
    files = {name: tiny_arrays(n, n) for name, n in {"b.h5": 1, "a.h5": 3, "c.HDF5": 2}.items()}
    for name, arrays in files.items():
        write_h5(tmp_path / name, arrays)
    (tmp_path / "notes.txt").write_text("no data")
    dataset = ReconDataset(tmp_path)
    want = np.concatenate([files[name]["imgs"] for name in ("a.h5", "b.h5", "c.HDF5")])
    np.testing.assert_array_equal(
        [item["x"].numpy() for item in map(dataset.__getitem__, range(6))], want
    )
    assert len(ReconDataset(tmp_path, limit=4)) == 4
    assert ReconDataset(tmp_path, limit=4).groups().tolist() == [0] * 4


def test_a_folder_without_data(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"folder with \.h5 or \.hdf5 files"):
        ReconDataset(tmp_path)


def test_few_files_of_a_large_folder_are_open_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr("reconic.train.files._MOST_OPEN", 2)
    arrays = tiny_arrays(1, shape=(16, 16), n_coils=1)
    for i in range(5):
        write_h5(tmp_path / f"{i}.h5", {**arrays, "imgs": arrays["imgs"] + i})
    dataset = ReconDataset(tmp_path)
    for i in [0, 1, 2, 3, 4, 0, 3]:
        assert dataset[i]["x"][0, 0].numpy() == arrays["imgs"][0, 0, 0] + i
        assert len(dataset._handles._open) <= 2


def test_groups_are_of_one_shape_whatever_the_coils(tmp_path):
    without = tiny_arrays(1, 3)
    del without["imgs"]
    lines = tiny_arrays(1)
    lines["masks"] = lines["masks"][..., :1]
    sets = [tiny_arrays(2, n_coils=3), tiny_arrays(1, n_coils=5), tiny_arrays(1, shape=(24, 24))]
    for i, arrays in enumerate([*sets, without, lines]):
        write_h5(tmp_path / f"{i}.h5", arrays)
    assert ReconDataset(tmp_path).groups().tolist() == [0, 0, 0, 1, 2, 3]


def test_without_images_items_have_no_truth(tmp_path, arrays):
    images = arrays.pop("imgs")
    dataset = ReconDataset(write_h5(tmp_path / "a.h5", arrays), augmented=True, stdev=0.1)
    item = dataset[3, 1]
    assert set(item) == {"y", "maps", "mask", "index"}
    with_images = ReconDataset(
        write_h5(tmp_path / "b.h5", {**arrays, "imgs": images}), augmented=True, stdev=0.1
    )[3, 1]
    np.testing.assert_array_equal(item["y"].numpy(), with_images["y"].numpy())


def test_without_masks_all_that_is_not_zero_is_measured(tmp_path, arrays):
    masks = arrays.pop("masks")
    item = ReconDataset(write_h5(tmp_path / "a.h5", arrays))[2]
    np.testing.assert_array_equal(item["mask"].numpy(), masks[2])
    np.testing.assert_array_equal(item["y"].numpy(), arrays["ksp"][2])


def test_a_mask_of_lines_is_spread_only_where_it_may_turn(tmp_path):
    arrays = tiny_arrays(1, shape=(24, 24))
    arrays["masks"] = np.ones((1, 24, 1), np.float32)
    path = write_h5(tmp_path / "a.h5", arrays)
    assert ReconDataset(path)[0]["mask"].shape == (24, 1)
    assert ReconDataset(path, augmented=True)[0]["mask"].shape == (24, 24)


@pytest.mark.parametrize("extra", [(5,), (5, 3)])
def test_frames_sets_and_volumes(tmp_path, normal, extra):
    space = (*extra, 8, 6)
    shared = (*[1] * len(extra), 8, 6)
    arrays = {
        "ksp": normal(2, 3, *space),
        "maps": normal(2, 2, 3, *shared),
        "imgs": normal(2, 2, *space),
        "masks": np.ones((2, *extra, 8, 1)),
    }
    item = ReconDataset(write_h5(tmp_path / "a.h5", arrays))[1]
    assert item["x"].shape == (2, *space)
    assert item["maps"].shape == (2, 3, *shared)
    np.testing.assert_array_equal(item["y"].numpy(), arrays["ksp"][1].astype(np.complex64))


def test_noise_stays_out_of_padding_coils(tmp_path):
    arrays = tiny_arrays(1, n_coils=2, n_zero_coils=2)
    item = ReconDataset(write_h5(tmp_path / "a.h5", arrays), stdev=1.0)[0]
    assert item["y"][:2].abs().min(0).values[item["mask"] > 0].all()
    assert not item["y"][2:].any()


@pytest.fixture
def full(tmp_path):
    """File with fully sampled k-space of square images."""
    arrays = tiny_arrays(2, shape=(32, 32))
    ksp = centred_fft(arrays["maps"] * arrays["imgs"][:, None])
    return write_h5(tmp_path / "full.h5", {**arrays, "ksp": ksp.astype(np.complex64)})


class Record(RandomMask):
    """The same lines every time."""

    def draw(self, shape, acceleration, rng):
        return (np.arange(shape[0]) % 3 == 0)[:, None] * np.ones(shape)


def test_a_drawn_mask_keeps_its_orientation_whatever_turns(full):
    dataset = ReconDataset(full, augmented=True, mask=Record(), stdev=0.1)
    clean = ReconDataset(full, augmented=True, mask=Record())
    want = Record()((32, 32), np.random.default_rng())
    for epoch in range(8):
        item = {k: np.asarray(v) for k, v in clean[epoch, 0].items()}
        np.testing.assert_array_equal(item["mask"], want)
        exact = want * centred_fft(item["maps"] * item["x"])
        np.testing.assert_allclose(item["y"], exact, atol=1e-5)  # sums of 32 x 32 float32
        noisy = np.asarray(dataset[epoch, 0]["y"])
        assert np.all((noisy != item["y"]) == (np.broadcast_to(want, noisy.shape) > 0))


def test_drawn_masks_depend_on_seed_epoch_and_index_alone(full):
    def mask(seed, item):
        drawn = PoissonDisc(4.0, n_calib=4)
        return ReconDataset(full, seed=seed, mask=drawn)[item]["mask"].numpy()

    first = mask(0, (2, 1))
    np.testing.assert_array_equal(first, mask(0, (2, 1)))
    for other in (mask(1, (2, 1)), mask(0, (3, 1)), mask(0, (2, 0))):
        assert not np.array_equal(first, other)


def test_a_drawn_mask_changes_no_other_random_number(full):
    plain, drawn = (
        ReconDataset(full, augmented=True, stdev=0.1, mask=mask)[4, 1]
        for mask in (None, PoissonDisc(2.0, n_calib=4))
    )
    np.testing.assert_array_equal(plain["x"].numpy(), drawn["x"].numpy())
    both = (plain["mask"] * drawn["mask"]).numpy() > 0
    np.testing.assert_array_equal(plain["y"].numpy()[:, both], drawn["y"].numpy()[:, both])


def test_zero_filled_edges_are_never_measured(tmp_path):
    arrays = tiny_arrays(1)
    full = centred_fft(arrays["maps"] * arrays["imgs"][:, None]).astype(np.complex64)
    full[..., :4] = 0
    path = write_h5(tmp_path / "a.h5", {**arrays, "ksp": full})
    mask = ReconDataset(path, mask=Record())[0]["mask"]
    assert not mask[:, :4].any()
    assert mask[0, 4:].all()


def test_masks_are_drawn_for_fully_sampled_kspace_only(path):
    dataset = ReconDataset(path, mask=PoissonDisc(4.0, n_calib=4))
    with pytest.raises(
        ValueError, match=r"example 1 of .*data\.h5: 'ksp' must be fully .* got \d+%"
    ):
        dataset[1]


def test_a_mask_that_cannot_be_drawn_names_the_example(full):
    dataset = ReconDataset(full, mask=PoissonDisc(40.0))
    with pytest.raises(ValueError, match=r"example 1 of .*full\.h5: poisson_disc: `accelera"):
        dataset[1]


def test_maps_can_be_estimated(tmp_path):
    arrays = tiny_arrays(1, centre=16)
    truth = arrays.pop("maps")
    path = write_h5(tmp_path / "a.h5", arrays)
    with pytest.raises(KeyError, match=r"Missing: maps\. Set `maps` to espirit"):
        ReconDataset(path)
    item = ReconDataset(path, maps="espirit")[0]
    found = item["maps"].numpy()
    assert found.shape == truth[0].shape
    inside = (np.abs(arrays["imgs"][0]) > 0.3) & (np.abs(found).sum(0) > 0)
    # unit vectors over the coils: 1 where parallel; the kernel smooths where the object ends
    alignment = np.abs(np.sum(found.conj() * truth[0], 0))[inside]
    assert np.median(alignment) > 0.99
    assert inside.mean() > 0.2


def test_estimated_maps_are_of_the_measurements(full):
    dataset = ReconDataset(full, mask=PoissonDisc(3.0, n_calib=12), maps="espirit")
    item = dataset[0]
    np.testing.assert_array_equal(item["maps"].numpy(), espirit(item["y"], n_calib=None).numpy())
    with pytest.raises(ValueError, match=r"example 0 of .*: espirit"):
        ReconDataset(full, mask=PoissonDisc(8.0, n_calib=2), maps="espirit")[0]


def test_maps_of_volumes_are_not_estimated(tmp_path, normal):
    path = write_h5(tmp_path / "a.h5", {"ksp": normal(1, 2, 4, 8, 6)})
    with pytest.raises(
        ValueError, match=r"must have shape \(example, coil, ny, nx\) for `maps` 'e"
    ):
        ReconDataset(path, maps="espirit")


def test_missing_file():
    with pytest.raises(FileNotFoundError, match=r"'nowhere\.h5', which is no file"):
        ReconDataset("nowhere.h5")


def test_broken_file(tmp_path):
    (tmp_path / "broken.h5").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="whole HDF5 file"):
        ReconDataset(tmp_path / "broken.h5")


def test_missing_key_lists_those_found(tmp_path, arrays):
    del arrays["ksp"]
    with pytest.raises(KeyError, match=r"data set 'ksp', got the keys imgs, maps, masks"):
        ReconDataset(write_h5(tmp_path / "a.h5", arrays))


@pytest.mark.parametrize(
    ("key", "change", "wanted"),
    [
        ("imgs", lambda a: a[:, :-1], "(3, 32, 24)"),
        ("imgs", lambda a: a[:, None, None], "(3, 32, 24)"),
        ("maps", lambda a: a[:2], "(3, 4, 32, 24)"),
        ("maps", lambda a: a[:, :2], "(3, 4, 32, 24)"),
        ("maps", lambda a: a[..., :1], "(3, 4, 32, 24)"),
        ("masks", lambda a: a[..., :-2], "(3, 32, 24)"),
        ("masks", lambda a: a[:, None], "(3, 32, 24)"),
        ("ksp", lambda a: a[:, 0], "(example, coil, [frames,] [nz,] ny, nx)"),
        ("ksp", lambda a: a[:0], "(example, coil, [frames,] [nz,] ny, nx)"),
    ],
)
def test_wrong_shape_says_what_is_expected_and_found(tmp_path, arrays, key, change, wanted):
    arrays[key] = change(arrays[key])
    found = str(arrays[key].shape)
    message = rf"in .*a\.h5 '{key}' must have shape {re.escape(wanted)}.*got {re.escape(found)}"
    with pytest.raises(ValueError, match=message):
        ReconDataset(write_h5(tmp_path / "a.h5", arrays))


@pytest.mark.parametrize(
    ("key", "kind", "wanted"),
    [("ksp", float, "complex"), ("maps", float, "complex"), ("masks", complex, "numbers")],
)
def test_wrong_kind(tmp_path, arrays, key, kind, wanted):
    arrays[key] = np.ones(arrays[key].shape, kind)
    with pytest.raises(TypeError, match=rf"'{key}' in .*a\.h5 must be {wanted}, got"):
        ReconDataset(write_h5(tmp_path / "a.h5", arrays))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
@pytest.mark.parametrize("key", ["imgs", "ksp", "maps", "masks"])
def test_values_that_are_not_finite_name_file_key_and_example(tmp_path, arrays, key, value):
    arrays[key] = arrays[key].astype(np.result_type(arrays[key], np.float64))
    arrays[key][1, ..., 3, 2] = value
    dataset = ReconDataset(write_h5(tmp_path / "a.h5", arrays))
    assert dataset[0]
    n = 4 if key in ("ksp", "maps") else 1
    message = rf"in .*a\.h5 '{key}' must be finite, got {n} of \d+ values .* in example 1\."
    with pytest.raises(ValueError, match=message):
        dataset[1]


def test_an_example_that_cannot_be_read_is_named(tmp_path, arrays):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        for key, value in arrays.items():
            file.create_dataset(key, data=value, chunks=(1, *value.shape[1:]), compression="gzip")
        place = file["ksp"].id.get_chunk_info(1).byte_offset
    content = bytearray(path.read_bytes())
    content[place : place + 32] = bytes(32)
    path.write_bytes(content)
    dataset = ReconDataset(path)
    assert dataset[0]
    with pytest.raises(ValueError, match=r"'ksp' of example 1 in .*a\.h5 must be of a whole HDF5"):
        dataset[1]


def test_a_file_that_changes_underway(tmp_path, arrays):
    path = write_h5(tmp_path / "a.h5", arrays)
    dataset = ReconDataset(path)
    write_h5(path, tiny_arrays(3, shape=(16, 16)))
    with pytest.raises(ValueError, match=r"examples of shape \(32, 24\), got \(16, 16\)"):
        dataset[0]


@pytest.mark.parametrize(("name", "value"), [("stdev", -1.0), ("limit", 0)])
def test_values_out_of_range(path, name, value):
    with pytest.raises(ValueError, match=f"`{name}` must"):
        ReconDataset(path, **{name: value})
