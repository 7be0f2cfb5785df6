"""The data set against the arrays in its file; noise, processes, and errors."""

import multiprocessing
import os
import pickle

import numpy as np
import pytest
from tiny import centred_fft, tiny_arrays, write_h5

from reconic.train import ReconDataset


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


def _inode_of_handle(dataset, queue):
    before = dataset._open
    dataset[0]
    queue.put((before[0] if before else None, dataset._open[0], os.getpid()))


@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")  # JAX, if other tests loaded it
def test_a_forked_process_opens_the_file_anew(path):
    dataset = ReconDataset(path)
    assert dataset._open is None  # nothing is held before the first access
    dataset[0]
    assert dataset._open[0] == os.getpid()
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=_inode_of_handle, args=(dataset, queue))
    process.start()
    inherited, opened_by, worker = queue.get(timeout=30)
    process.join()
    assert inherited == os.getpid()
    assert opened_by == worker != os.getpid()


def test_an_open_dataset_can_be_pickled(path):
    dataset = ReconDataset(path)
    dataset[0]
    copy = pickle.loads(pickle.dumps(dataset))
    assert copy._open is None
    np.testing.assert_array_equal(copy[1]["y"].numpy(), dataset[1]["y"].numpy())


def test_missing_file():
    with pytest.raises(FileNotFoundError, match=r"'nowhere\.h5', which is no file"):
        ReconDataset("nowhere.h5")


def test_broken_file(tmp_path):
    (tmp_path / "broken.h5").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="whole HDF5 file"):
        ReconDataset(tmp_path / "broken.h5")


def test_missing_key_lists_those_found(tmp_path, arrays):
    del arrays["maps"]
    with pytest.raises(KeyError, match=r"got imgs, ksp, masks\. Missing: maps"):
        ReconDataset(write_h5(tmp_path / "a.h5", arrays))


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("imgs", lambda a: a[:, :-1]),
        ("maps", lambda a: a[:2]),
        ("masks", lambda a: a[..., :-2]),
        ("imgs", lambda a: a[:, None, None]),
    ],
)
def test_wrong_shape_says_what_is_expected_and_found(tmp_path, arrays, key, change):
    arrays[key] = change(arrays[key])
    found = str(arrays[key].shape).replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(ValueError, match=rf"must have .*got .*{found}"):
        ReconDataset(write_h5(tmp_path / "a.h5", arrays))


@pytest.mark.parametrize(("name", "value"), [("stdev", -1.0), ("limit", 0)])
def test_values_out_of_range(path, name, value):
    with pytest.raises(ValueError, match=f"`{name}` must"):
        ReconDataset(path, **{name: value})
