"""The other commands, on a tiny run and tiny data."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from tiny import tiny_arrays, write_h5, write_splits

from reconic.track import read_image, read_slices


def test_test_repeats_the_results_of_the_run(reconic, run, home):
    status, out, _ = reconic("test", run)
    assert status == 0
    folder = run / "test" / "version_0"
    assert out.splitlines()[-1] == str(folder)
    before = json.loads((run / "results.json").read_text())
    assert json.loads((folder / "results.json").read_text()) == before
    assert (folder / "figures" / "comparison.png").is_file()
    modl = read_slices(run / "slices.csv")["modl"]["psnr"]
    assert f"{np.mean(modl):.2f} ± {np.std(modl, ddof=1):.2f}" in out
    assert read_slices(folder / "slices.csv")["modl"]["psnr"] == pytest.approx(modl)
    for name in ("zero-filled", "cg-sense", "modl", "truth"):
        assert read_image(folder / "images.h5", name, 2).shape == (32, 24)
    with h5py.File(home / "test.h5") as file:
        truth = read_image(folder / "images.h5", "truth", 1)
        np.testing.assert_array_equal(truth, file["imgs"][1])


def test_test_without_images(reconic, run):
    status, out, _ = reconic("test", run, "--keep_images", "false", "--baselines", "[]")
    assert status == 0
    assert not (type(run)(out.splitlines()[-1]) / "images.h5").exists()


def test_test_on_other_data(reconic, run, tmp_path):
    other = write_splits(tmp_path, n_coils=3)
    argv = ("--data.test", other["test"], "--baselines", "[]", "--which", "last")
    status, out, _ = reconic("test", run, *argv)
    assert status == 0
    results = json.loads((run / "results.json").read_text())
    found = json.loads((type(run)(out.splitlines()[-1]) / "results.json").read_text())
    assert list(found) == ["modl"]
    assert found["modl"] != results["modl"]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["nowhere"], "must be a run folder"),
        ([], "required, but not given: run"),
        (["RUN", "--data.tst", "x"], "Did you mean '--data.test'"),
        (["RUN", "--which", "bst"], "invalid choice: 'bst'"),
    ],
)
def test_wrong_use_of_test(reconic, run, argv, message):
    status, _, err = reconic("test", *[run if word == "RUN" else word for word in argv])
    assert status == 2
    assert message in err


@pytest.fixture
def ksp(home, tmp_path):
    """k-space of one example as .npy."""
    with h5py.File(home / "test.h5") as file:
        np.save(tmp_path / "ksp.npy", file["ksp"][0])
        np.save(tmp_path / "maps.npy", file["maps"][0])
    return tmp_path / "ksp.npy"


def test_recon_of_measured_kspace(reconic, run, ksp, tmp_path):
    out = tmp_path / "brain.png"
    status, text, _ = reconic(
        "recon", ksp, "--method", f"cgsense,{run}", "--out", out, "--logdir", tmp_path / "logs",
        "--n_calib", 8, "--maps", tmp_path / "maps.npy",
        )  # fmt: skip
    assert status == 0
    folder = tmp_path / "logs" / "recon" / "version_0"
    table = json.loads((folder / "results.json").read_text())
    assert list(table) == ["Zero-filled", "CG-SENSE", "MoDL"]
    for name, row in table.items():
        assert any(
            line.startswith(name) and f"{row['holdout']:.4f}" in line for line in text.splitlines()
        )
    assert text.splitlines()[-2:] == [str(out), str(folder)]
    files = {p.name for p in folder.rglob("*") if not p.name.startswith("events")}
    assert files >= {"config.yaml", "environment.json", "metrics.jsonl", "comparison.png"}
    assert out.read_bytes() == (folder / "figures" / "comparison.png").read_bytes()
    again = reconic("recon", "--config", folder / "config.yaml", "--logdir", tmp_path / "again")
    assert again[0] == 0
    found = json.loads((tmp_path / "again" / "recon" / "version_0" / "results.json").read_text())
    assert found == table


@pytest.mark.parametrize("ending", [".npy", ".h5", ".nii.gz", ".cfl"])
def test_recon_writes_by_the_ending_with_the_figure_beside(reconic, home, tmp_path, ending):
    out = tmp_path / f"brain{ending}"
    status, text, _ = reconic(
        "recon", home / "test.h5", "--index", 1, "--lam", 0.1, "--holdout", 0, "--out", out,
        "--logdir", tmp_path / "logs",
    )  # fmt: skip
    assert status == 0
    assert out.is_file()
    assert (tmp_path / "brain.png").is_file()
    assert f"figure: {tmp_path / 'brain.png'}" in text.splitlines()
    if ending == ".npy":
        with h5py.File(home / "test.h5") as file:
            truth = file["imgs"][1]
        image = np.load(out)
        assert np.linalg.norm(image - truth) < 0.4 * np.linalg.norm(truth)  # λ of 0.1 shrinks it


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "required, but not given: ksp"),
        (["nowhere.npy"], "'nowhere.npy'"),
        (["KSP", "--methd", "x"], "Did you mean '--method'"),
        (["KSP", "--method", "cgsens"], "got 'cgsens'"),
        (["KSP", "--out", "x.xyz"], "must end in one of .png"),
        (["KSP", "--out", "nowhere/x.png"], "folder of `out` must exist"),
        (["KSP", "--lam", "autt"], "Did you mean 'auto'"),
    ],
)
def test_wrong_use_of_recon(reconic, ksp, argv, message):
    status, _, err = reconic("recon", *[ksp if word == "KSP" else word for word in argv])
    assert status == 2
    assert message in err


def test_simulate(reconic, tmp_path):
    argv = ("--source", "shepp-logan", "--shape", "40,32", "--photos", 0, "--processes", 1)
    sizes = ("--n_train", 2, "--n_val", 1, "--n_test", 1, "--progress", "false")
    status, out, _ = reconic("simulate", "--out", tmp_path, *argv, *sizes)
    assert status == 0
    assert out.split() == [str(tmp_path / f"{split}.h5") for split in ("train", "val", "test")]
    with h5py.File(tmp_path / "train.h5") as file:
        assert file["imgs"].shape == (2, 40, 32)
    argv = [word.replace("40,32", "[40,32]") if isinstance(word, str) else word for word in argv]
    _, out, _ = reconic("simulate", "--out", tmp_path, *argv, *sizes, "--shards", 2)
    assert out.split()[0] == str(tmp_path / "train")
    assert len(list((tmp_path / "train").iterdir())) == 2
    status, _, err = reconic("simulate", "--out", tmp_path, *argv, *sizes, "--shap", 3)
    assert status == 2
    assert "Did you mean '--shape'" in err
    for words, found in ((["--shape=40"], "40"), (["--shape", "a,b"], "a,b")):
        status, _, err = reconic("simulate", "--out", tmp_path, *words)
        assert status == 2
        assert f"expected numbers with commas, such as 128,128, got {found}." in err


SYSTEMS = """
from reconic.operator import LinearSystem, system
from reconic.systems import CartesianMRI

class Wrong(CartesianMRI):
    def _adjoint(self, y):
        return 1.1 * CartesianMRI._adjoint(self, y)

Wrong = system(Wrong)

class Broken(CartesianMRI):
    def _forward(self, x):
        raise RuntimeError("no physics today")

def right(rng, like):
    return CartesianMRI.example(rng, like)

import numpy
instance = CartesianMRI.example(numpy.random.default_rng(0), numpy.zeros(1))
"""


@pytest.fixture
def systems(tmp_path):
    (tmp_path / "my_systems.py").write_text(SYSTEMS)
    return tmp_path / "my_systems.py"


@pytest.mark.parametrize("name", ["right", "instance"])
def test_check_of_a_right_system(reconic, systems, name):
    status, out, _ = reconic("check", f"{systems}:{name}")
    assert status == 0
    assert "All checks passed." in out
    assert "FAILED" not in out
    assert {"numpy", "torch", "jax"} <= set(out.split())


def test_check_of_a_class_by_its_module(reconic):
    status, out, _ = reconic("check", "reconic.systems:CartesianMRI", "--timing", "true")
    assert status == 0
    assert "cost" in out


def test_check_of_wrong_systems(reconic, systems):
    status, out, _ = reconic("check", f"{systems}:Wrong")
    assert status == 1
    assert "Look for a missing conj" in out
    status, out, _ = reconic("check", f"{systems}:Broken")
    assert status == 1
    assert "RuntimeError: no physics today" in out


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("nothing_here:A", "No module named 'nothing_here'"),
        ("os", "must be module:name"),
        ("reconic.systems:CartesianMR", "Did you mean 'CartesianMRI'"),
    ],
)
def test_wrong_use_of_check(reconic, target, message):
    status, _, err = reconic("check", target)
    assert status == 2
    assert message in err


def test_info(reconic, home, run, ksp):
    status, out, _ = reconic("info")
    assert status == 0
    assert "torch" in out
    assert "cpu" in out
    _, out, _ = reconic("info", home / "train.h5")
    assert "(4, 4, 32, 24)" in out
    _, out, _ = reconic("info", ksp)
    assert "(4, 32, 24)" in out
    _, out, _ = reconic("info", run)
    assert "class_path: reconic.recons.MoDL" in out
    assert "best.ckpt, last.ckpt" in out
    assert "cg-sense" in out


def test_wrong_use_of_info(reconic, home):
    assert reconic("info", "nowhere")[0] == 2
    assert reconic("info", home / "config.json")[0] == 2
    (home / "cut.h5").write_bytes((home / "test.h5").read_bytes()[:3000])
    status, _, err = reconic("info", home / "cut.h5")
    assert status == 2
    assert "must be of a whole HDF5 file" in err
    (home / "empty").mkdir()
    status, _, err = reconic("info", home / "empty")
    assert status == 2
    assert "must be a folder with .h5 or .hdf5 files" in err


def test_info_of_many_files(reconic, tmp_path):
    for i, n_coils in enumerate((3, 3, 4)):
        write_h5(tmp_path / f"{i}.h5", tiny_arrays(2 + i, n_coils=n_coils))
    with h5py.File(tmp_path / "3.h5", "w") as file:
        file.create_dataset("ksp", (6, 2, 8, 8), np.complex64, chunks=(3, 2, 8, 8))
    (tmp_path / "4.h5").write_text("no HDF5")
    status, out, _ = reconic("info", tmp_path)
    assert status == 0
    assert out.startswith("4 files, 15 examples, ")
    rows = [line.split() for line in out.splitlines()]
    assert ["2", "5", "imgs", "(32,", "24)", "complex64", "1"] in rows
    assert ["ksp", "(4,", "32,", "24)", "complex64", "1"] in rows
    assert ["1", "6", "ksp", "(2,", "8,", "8)", "complex64", "3"] in rows
    assert "To read one example of ksp, a chunk of several is read" in out
    assert f"{tmp_path / '4.h5'} must be of a whole HDF5 file" in out
    assert reconic("info", tmp_path / "[01].h5")[1].startswith("2 files, 5 examples, ")


def test_recon_of_a_radial_scan(reconic, home, tmp_path):
    pytest.importorskip("finufft")
    from reconic.simulate import radial
    from reconic.systems import NonCartesianMRI

    traj = radial(40, 64)
    with h5py.File(home / "test.h5") as file:
        A = NonCartesianMRI(file["maps"][0], traj.astype(np.float32), n_sample_axes=2)
        np.save(tmp_path / "ksp.npy", A(file["imgs"][0]))
        np.save(tmp_path / "maps.npy", file["maps"][0])
    np.save(tmp_path / "traj.npy", traj / (2 * np.pi))
    argv = (
        "recon", tmp_path / "ksp.npy", "--traj", tmp_path / "traj.npy", "--shape", "32,24",
        "--maps", tmp_path / "maps.npy", "--out", tmp_path / "radial.png", "--logdir", tmp_path,
    )  # fmt: skip
    status, _, err = reconic(*argv)
    assert status == 2
    assert "This looks like cycles/voxel: multiply by 2π. Or give --traj_unit cycles/voxel" in err
    status, _, _ = reconic(*argv, "--traj_unit", "cycles/voxel")
    assert status == 0
    table = json.loads((tmp_path / "recon" / "version_0" / "results.json").read_text())
    assert table["CG-SENSE"]["holdout"] < 0.5 * table["Gridding"]["holdout"]
    assert (tmp_path / "radial.png").is_file()
    config = (tmp_path / "recon" / "version_0" / "config.yaml").read_text()
    assert "traj_unit: cycles/voxel" in config


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """k-space of eight coils, and their maps."""
    folder = tmp_path_factory.mktemp("large")
    arrays, rng = tiny_arrays(1, 3, n_coils=8), np.random.default_rng(0)
    noise = 0.1 * rng.standard_normal((2, *arrays["ksp"].shape))  # of which there is a best λ
    arrays["ksp"] += arrays["masks"][:, None] * (noise[0] + 1j * noise[1])
    write_h5(folder / "ksp.h5", arrays)
    return folder


def words_of(folder, name):
    options = ("--method", "cgsense", "--n_calib", 8, "--out", folder / f"{name}.npy")
    return ("recon", folder / "ksp.h5", *options, "--logdir", folder / name)


def recon(folder, name, *words, launcher=()):
    """Reconstruct in a process of its own."""
    command = (*launcher, "-m", "reconic", *words_of(folder, name), *words)
    return subprocess.Popen(
        [sys.executable, *map(str, command)], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def results(folder, name):
    (version,) = (folder / name / "recon").iterdir()
    return np.load(folder / f"{name}.npy"), json.loads((version / "results.json").read_text())


@pytest.mark.slow
def test_recon_by_processes_that_share_the_coils(reconic, large):
    assert reconic(*words_of(large, "one"))[0] == 0
    x, judged = results(large, "one")
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", 2)
    ways = {"two": (("--devices", 2), ()), "torchrun": ((), torchrun)}
    for name, (words, launcher) in ways.items():  # not at once: each takes three processes
        process = recon(large, name, *words, launcher=launcher)
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, f"{name}: status {process.returncode}\n{err[-4000:]}"
        assert out.count("CG-SENSE") == 1  # the first process alone speaks
        found, other = results(large, name)
        # sums in single precision, of which rounding moves no step of the choice of λ
        assert np.linalg.norm(found - x) < 1e-4 * np.linalg.norm(x)
        for method, expected in judged.items():
            assert other[method]["lam"] == expected["lam"]
            assert other[method]["holdout"] == pytest.approx(expected["holdout"], rel=1e-4)


@pytest.mark.slow
def test_recon_tells_that_a_process_was_lost(large):
    process = recon(large, "lost", "--devices", 2)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if not children.exists():
        pytest.skip("needs Linux's /proc")
    deadline = time.monotonic() + 60
    while len(workers := _spawned(children)) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(workers[1], signal.SIGKILL)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "process 1 of 2 was lost (SIGKILL), and the others were stopped" in err
    assert not list(large.glob("lost*"))


def _spawned(children):
    """Processes that compute, of a process's children."""
    found = map(int, children.read_text().split())
    return [n for n in found if "spawn_main" in Path(f"/proc/{n}/cmdline").read_text()]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--devices", 0], "--devices: must be a positive number, got 0"),
        (["--devices", "two"], "devices"),
    ],
)
def test_recon_by_a_wrong_number_of_processes(reconic, large, words, message):
    status, _, err = reconic("recon", large / "ksp.h5", *words)
    assert status == 2
    assert message in err


@pytest.mark.parametrize(
    ("index", "exits", "status", "message"),
    [
        (0, [2, -signal.SIGTERM], 2, ""),  # the first has told
        (1, [-signal.SIGTERM, 2], 2, "what the second said\n"),
        (0, [1, -signal.SIGKILL], 1, "reconic recon: process 1 of 2 was lost (SIGKILL)"),
    ],
)
def test_processes_that_fail_are_told_once(tmp_path, capsys, index, exits, status, message):
    from reconic.cli.ranks import _told

    (tmp_path / "1.txt").write_text("what the second said\n")
    processes = [SimpleNamespace(exitcode=code) for code in exits]
    error = SimpleNamespace(error_index=index)
    assert _told("recon", processes, error, tmp_path) == status
    told = capsys.readouterr().err
    assert told.startswith(message)
    assert bool(told) == bool(message)


@pytest.mark.parametrize("fails", [False, True])
def test_a_process_waits_for_the_others_before_it_leaves(tmp_path, monkeypatch, fails):
    import torch.distributed as dist

    from reconic.cli.ranks import _leave

    waited = []

    def all_reduce(value):
        waited.append(dist.is_initialized())
        if fails:
            raise RuntimeError("Connection closed by peer")

    dist.init_process_group("gloo", f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    monkeypatch.setattr(dist, "all_reduce", all_reduce)
    _leave()
    assert waited == [True]
    assert not dist.is_initialized()
