"""Data known by their contents."""

import hashlib

import pytest

from reconic.io import example_files
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


def test_a_pattern_is_known_by_the_files_that_it_matches(tmp_path):
    for name in ("a/train-0.h5", "a/val-0.h5", "b/train-1.h5"):
        write(tmp_path / "here" / name, name.encode())
    wanted = fingerprint(tmp_path / "here" / "*" / "train-*.h5")
    assert wanted.n_bytes == 2 * len("a/train-0.h5")
    assert wanted != fingerprint(tmp_path / "here" / "**" / "*.h5")
    write(tmp_path / "there" / "x" / "0.h5", b"a/train-0.h5")
    assert find_data(tmp_path / "there", wanted) is None
    write(tmp_path / "there" / "y" / "1.h5", b"b/train-1.h5")
    found = find_data(tmp_path / "there", wanted)
    assert [path.name for path in example_files(found)] == ["0.h5", "1.h5"]
    assert fingerprint(tmp_path / "none" / "*.h5") is None


def test_of_the_weights_of_a_run_the_best_count(tmp_path):
    best = write(tmp_path / "checkpoints" / "best.ckpt", b"best")
    write(tmp_path / "checkpoints" / "last.ckpt", b"last one")
    found, alone = fingerprint(tmp_path), fingerprint(best)
    assert (found.sha256, found.n_bytes) == (alone.sha256, alone.n_bytes)


def test_endings_of_examples_may_be_in_capitals(tmp_path):
    write(tmp_path / "0.H5", b"abc")
    assert fingerprint(tmp_path).n_bytes == 3


def test_what_is_nothing_has_no_fingerprint(tmp_path):
    assert fingerprint(tmp_path / "none.h5") is None
    assert fingerprint(tmp_path) is None
    assert fingerprint(write(tmp_path / "half.cfl", b"x")) is None
