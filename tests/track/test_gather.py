"""Runs in one table: names, shared baselines, and runs that cannot be compared."""

import pytest

from reconic.track import gather_scores, write_slices


@pytest.fixture
def runs(tmp_path):
    """Make a run's slices.csv of the PSNR of each method; returns its folder."""

    def make(name, **psnr):
        folder = tmp_path / name
        scores = {m.replace("_", "-"): {"psnr": [float(v) for v in vs]} for m, vs in psnr.items()}
        write_slices(folder / "slices.csv", scores)
        return folder

    return make


def test_baselines_are_listed_once_and_runs_by_name(runs):
    a = runs("ssdu/version_0", zero_filled=[1, 2], cg_sense=[3, 4], modl=[5, 6])
    b = runs("dip/version_3", zero_filled=[1, 2], cg_sense=[3, 4], deepimageprior=[7, 8])
    scores, sources = gather_scores([a, b])
    assert {name: v["psnr"] for name, v in scores.items()} == {
        "zero-filled": [1, 2], "cg-sense": [3, 4], "ssdu": [5, 6], "dip": [7, 8]
    }  # fmt: skip
    assert (sources["dip"].folder, sources["dip"].name) == (b, "deepimageprior")
    assert [s.baseline for s in sources.values()] == [True, True, False, False]


def test_a_baseline_that_differs_stays_with_its_run(runs):
    a = runs("a", zero_filled=[1, 2], cg_sense=[3, 4], modl=[5, 6])
    b = runs("b", zero_filled=[1, 2], cg_sense=[3, 5], modl=[5, 7])
    assert list(gather_scores([a, b])[0]) == ["zero-filled", "a cg-sense", "a", "b cg-sense", "b"]


def test_shorter_tests_share_the_first_slices(runs):
    a = runs("a", zero_filled=[1], modl=[5])
    b = runs("b", zero_filled=[1, 2, 3], modl=[5, 7, 9])
    scores, sources = gather_scores([a, b])
    assert scores["zero-filled"]["psnr"] == [1, 2, 3]
    assert sources["zero-filled"].folder == b
    assert len(scores["a"]["psnr"]) == 1


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (("x/version_0", "y/version_0/test/version_1"), ["x", "y"]),
        (("x/version_0/test/version_0", "x/version_1"), ["x/version_0", "x/version_1"]),
        (("mine", "yours"), ["mine", "yours"]),
    ],
)
def test_labels(runs, names, labels):
    folders = [runs(name, modl=[1]) for name in names]
    assert list(gather_scores(folders)[0]) == labels


def test_labels_that_only_the_path_tells_apart(runs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a/x", "b/x"):
        runs(name, modl=[1])
    assert list(gather_scores(["a/x", "b/x/slices.csv"])[0]) == ["a/x", "b/x/slices.csv"]


def test_one_run_twice(runs):
    a = runs("a", modl=[1])
    with pytest.raises(ValueError, match="must be different ones"):
        gather_scores([a, a])


def test_other_examples(runs):
    a = runs("a", zero_filled=[1, 2], modl=[5, 6])
    b = runs("b", zero_filled=[1, 2.1], modl=[5, 6])
    with pytest.raises(ValueError, match="same examples, got zero-filled images of different"):
        gather_scores([a, b])


def test_other_metrics(runs, tmp_path):
    a = runs("a", modl=[1])
    write_slices(tmp_path / "b" / "slices.csv", {"modl": {"nrmse": [1.0]}})
    with pytest.raises(ValueError, match="same metrics, got psnr in a; nrmse in b"):
        gather_scores([a, tmp_path / "b"])


def test_no_run(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"got .*slices\.csv"):
        gather_scores([tmp_path])
