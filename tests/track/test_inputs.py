"""Data known by their contents."""

import hashlib

import pytest

from reconic.track import find_data, fingerprint


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_a_file_is_known_by_its_sha256(tmp_path):
    found = fingerprint(write(tmp_path / "a.h5", b"abc"))
    assert (found.sha256, found.n_bytes) == (hashlib.sha256(b"abc").hexdigest(), 3)


def test_a_file_is_found_under_another_name_elsewhere(tmp_path):
    wanted = fingerprint(write(tmp_path / "a.h5", b"abc"))
    write(tmp_path / "there" / "x" / "z.h5", b"abd")
    moved = write(tmp_path / "there" / "y" / "b.h5", b"abc")
    assert find_data(tmp_path / "there", wanted) == moved
    assert find_data(moved, wanted) == moved
    assert find_data(tmp_path / "there" / "x", wanted) is None


@pytest.mark.parametrize(
    "names",
    [
        ("scan.cfl", "scan.hdr"),  # BART's pair
        ("train/0.h5", "train/1.hdf5"),  # a folder of examples
        ("run/checkpoints/best.ckpt", "run/config.yaml"),  # a run, of which the weights count
    ],
)
def test_a_pair_a_folder_and_a_run_are_known_too(tmp_path, names):
    def written(home, second):
        write(home / names[0], b"first")
        write(home / names[1], second)
        part = names[0].partition("/")
        return home / part[0]

    wanted = fingerprint(written(tmp_path / "a", b"second"))
    assert find_data(tmp_path / "a", wanted) == tmp_path / "a" / names[0].partition("/")[0]
    other = written(tmp_path / "b", b"change")  # of the same length
    assert (fingerprint(other) == wanted) == names[1].endswith(".yaml")


def test_what_is_nothing_has_no_fingerprint(tmp_path):
    assert fingerprint(tmp_path / "none.h5") is None
    assert fingerprint(tmp_path) is None
    assert fingerprint(write(tmp_path / "half.cfl", b"x")) is None
