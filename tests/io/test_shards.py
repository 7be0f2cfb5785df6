"""Which files a data setting names."""

import os

import pytest

from reconic.io import example_files


@pytest.fixture
def folder(tmp_path):
    for name in ("b.h5", "a.hdf5", "c.H5", ".hidden.h5", "notes.txt", "in/d.h5", "in/in/e.h5"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def names(files, folder):
    return [str(p.relative_to(folder)) for p in files]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("b.h5", ["b.h5"]),
        ("notes.txt", ["notes.txt"]),  # a file that is named is not judged by its name
        ("", ["a.hdf5", "b.h5", "c.H5"]),
        ("*", ["a.hdf5", "b.h5", "c.H5"]),
        ("[ab].h*5", ["a.hdf5", "b.h5"]),
        ("in/**/*.h5", ["in/d.h5", "in/in/e.h5"]),
        (["in/in", "b.h5", "in/d*"], ["in/in/e.h5", "b.h5", "in/d.h5"]),
    ],
)
def test_a_file_a_folder_a_pattern_and_a_list(folder, source, found):
    one = isinstance(source, str)
    given = str(folder / source) if one else [folder / part for part in source]
    assert names(example_files(given), folder) == found


def test_a_file_whose_name_looks_like_a_pattern(tmp_path):
    (tmp_path / "knee[1].h5").touch()
    assert len(example_files(tmp_path / "knee[1].h5")) == 1


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("none.h5", r"must be an HDF5 file, got '.*none\.h5', which is no file"),
        ("none*", r"must be a pattern of .*, got '.*none\*', which has none"),
        (
            "empty",
            r"must be a folder with .*which has none\. Files in folders within",
        ),
    ],
)
def test_nothing_there(folder, source, message):
    (folder / "empty" / "in").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=message):
        example_files(folder / source)
    with pytest.raises(FileNotFoundError, match=message):
        example_files([folder / "b.h5", folder / source])


@pytest.mark.parametrize("source", ["", "*.h5"])
def test_many_files_are_in_the_order_of_their_names(tmp_path, rng, source):
    for i in rng.permutation(20):
        (tmp_path / f"{i:02}.h5").touch()
    found = names(example_files(str(tmp_path / source)), tmp_path)
    assert found == [f"{i:02}.h5" for i in range(20)]


def test_a_folder_with_the_name_of_a_file_is_none(folder):
    (folder / "z.h5").mkdir()
    assert names(example_files(folder), folder) == ["a.hdf5", "b.h5", "c.H5"]


def test_an_empty_list():
    with pytest.raises(FileNotFoundError, match="got an empty list"):
        example_files([])


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_file_twice(folder, link):
    link(folder / "b.h5", folder / "z.h5")
    with pytest.raises(ValueError, match=r"each file once, got '.*z\.h5', the same .*b\.h5'"):
        example_files(folder)
    with pytest.raises(ValueError, match=r"each file once, got '.*a\.hdf5'"):
        example_files([folder / "in", folder / "a*", folder / "a.hdf5"])
