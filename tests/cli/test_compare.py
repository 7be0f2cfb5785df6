"""`reconic compare` on runs of which only the scores are there, and on a tested one."""

import csv

import numpy as np
import pytest

from reconic.track import ImageFile, write_slices


def scores(shift, n=4):
    base = np.array([30.0, 32.0, 35.0, 31.0])[:n]
    return {
        "zero-filled": {"nrmse": [0.1] * n, "psnr": list(base)},
        "modl": {"nrmse": [0.05] * n, "psnr": list(base + shift)},
    }


@pytest.fixture
def runs(tmp_path):
    for name, shift in {"supervised": 5.0, "ssdu": 3.5}.items():
        write_slices(tmp_path / name / "version_0" / "slices.csv", scores(shift))
    return [tmp_path / name / "version_0" for name in ("supervised", "ssdu")]


def test_table_files_and_figure(reconic, runs, tmp_path):
    status, out, _ = reconic("compare", *runs, "--logdir", tmp_path / "logs")
    assert status == 0
    folder = tmp_path / "logs" / "compare" / "version_0"
    assert out.splitlines()[-2:] == [f"figure: {folder / 'compare.png'}", str(folder)]
    assert {p.name for p in folder.iterdir()} == {"compare.csv", "compare.md", "compare.png"}
    lines = [line.split("  ") for line in out.splitlines()]
    assert [w for w in lines[3] if w][:2] == ["supervised", "4"]
    assert any("ssdu" in line and "-1.50 [-1.50, -1.50]" in line for line in out.splitlines())
    assert "less supervised" in out
    assert "| ssdu | +0.0000 [+0.0000, +0.0000] | -1.50 [-1.50, -1.50] |" in (
        folder / "compare.md"
    ).read_text(encoding="utf-8")
    with (folder / "compare.csv").open(newline="") as file:
        rows = {(r["method"], r["metric"]): r for r in csv.DictReader(file)}
    assert float(rows["zero-filled", "psnr"]["difference"]) == -5


def test_another_reference_and_metric(reconic, runs, tmp_path):
    argv = ("--reference", "zero-filled", "--metric", "nrmse", "--logdir", tmp_path)
    status, out, _ = reconic("compare", *runs, *argv)
    assert status == 0
    assert "less zero-filled" in out


def test_one_run_has_only_its_own_differences(reconic, runs, tmp_path):
    status, out, _ = reconic("compare", runs[0], "--logdir", tmp_path / "logs")
    assert status == 0
    assert "less supervised" in out


def test_images_that_tests_kept_are_shown(reconic, runs, tmp_path, rng):
    truth = rng.random((1, 20, 16))
    for run in runs:
        with ImageFile.create(run / "images.h5") as images:
            for i in range(4):
                images.add("truth", i, truth)
                images.add("modl", i, truth + 0.1 * rng.random((1, 20, 16)))
    assert reconic("compare", *runs, "--logdir", tmp_path / "logs")[0] == 0
    assert (tmp_path / "logs" / "compare" / "version_0" / "images.png").is_file()


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "required, but not given: runs"),
        (["nowhere"], "got 'nowhere/slices.csv'"),
        (["RUN", "--reference", "supervise"], "Did you mean 'supervised'"),
        (["RUN", "--metric", "psn"], "Did you mean 'psnr'"),
        (["RUN", "--metrc", "x"], "Did you mean '--metric'"),
    ],
)
def test_wrong_use_of_compare(reconic, runs, tmp_path, argv, message):
    argv = [runs[0] if word == "RUN" else word for word in argv]
    status, _, err = reconic("compare", *argv, "--logdir", tmp_path / "logs")
    assert status == 2
    assert message in err
    assert not (tmp_path / "logs").exists()
