"""slices.csv there and back, and files that are none."""

import csv
import math

import pytest

from reconic.track import read_slices, write_slices

SCORES = {
    "zero-filled": {"nrmse": [0.1, 1 / 3], "psnr": [30.0, math.inf]},
    "modl": {"nrmse": [0.05, 1e-9], "psnr": [40.0, -2.5]},
}


def test_what_is_written_is_read_to_the_last_digit(tmp_path):
    path = tmp_path / "new" / "slices.csv"
    write_slices(path, SCORES)
    assert read_slices(path) == SCORES
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[1] == {"slice": "1", "method": "zero-filled", "nrmse": repr(1 / 3), "psnr": "inf"}
    assert [p.name for p in path.parent.iterdir()] == ["slices.csv"]


def test_an_empty_cell_is_no_number(tmp_path):
    path = tmp_path / "slices.csv"
    path.write_text("slice,method,psnr\n0,a,\n1,a,2\n")
    first, second = read_slices(path)["a"]["psnr"]
    assert math.isnan(first)
    assert second == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "got nothing and 0 rows"),
        ("a,b,c\n1,2,3\n", "columns slice, method and metrics, and rows, got a, b, c"),
        ("slice,method,psnr\n", "0 rows"),
        ("slice,method,psnr\n0,a,x\n", "line 2 of .* got '0,a,x'"),
        ("slice,method,psnr\n0,a,1\n1,a,1,5\n", "line 3 of .* got '1,a,1,5'"),
        ("slice,method,psnr\n1,a,1\n", "counted from 0, got 1 in line 2"),
        ("slice,method,psnr\n0,a,1\n0,a,2\n", "counted from 0, got 0 in line 3"),
    ],
)
def test_wrong_files(tmp_path, text, message):
    path = tmp_path / "slices.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_slices(path)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"must be a file, got .*slices\.csv"):
        read_slices(tmp_path / "slices.csv")
