"""`reconic search` from the command line, over descents and over training runs."""

import contextlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
import types
from argparse import ArgumentError
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from reconic.simulate import random_example

pytest.importorskip("optuna")
pytest.importorskip("jax")
pytest.importorskip("lightning")

from reconic.cli import objectives, search_gpus, search_workers
from reconic.search import Plan

ROOT = Path(__file__).parents[2]

DESCENT = {
    "name": "tv",
    "search": {
        "command": "descend",
        "metric": "nrmse",
        "n_trials": 3,
        "sampler": "grid",
        "space": {"loss.tv.weight": {"choices": [1e-4, 3e-3, 3e-1]}},
    },
    "scene": {
        "class_path": "Deconvolution",
        "init_args": {"side": 32, "margin": 6, "radius": 2.0, "noise": 0.02},
    },
    "loss": {"l2": {"target": "measurement"}, "tv": {"variable": "object", "weight": 1e-3}},
    "optimizers": {"object": {"method": "adam", "learning_rate": 0.02}},
    "epochs": 60,
}


@pytest.fixture
def reconic(tmp_path, monkeypatch, capfd):
    """Run a command in `tmp_path`; gives what it printed. Only its workers are other processes."""
    from reconic.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TQDM_DISABLE", "")  # which a search changes: put back after the test

    def call(*words):
        capfd.readouterr()
        status = main(list(words))
        out, err = capfd.readouterr()
        assert status == 0, out + err
        return out

    return call


@pytest.mark.slow
def test_a_search_over_descents_ends_with_a_report_and_the_best_configuration(tmp_path, reconic):
    (tmp_path / "s.json").write_text(json.dumps(DESCENT))
    printed = reconic("search", "--config", "s.json", "--workers", "2")
    best = Path(tmp_path, printed.splitlines()[-1])
    assert yaml.safe_load(best.read_text())["loss"]["tv"]["weight"] == 3e-3  # neither end
    page = (tmp_path / "logs" / "tv" / "report.html").read_text()
    assert "Optimization History" in page
    assert "Parallel Coordinate" in page
    assert 'src="http' not in page  # it stands alone
    runs = sorted(p.name for p in (tmp_path / "logs" / "tv").glob("version_*"))
    assert runs == ["version_0", "version_1", "version_2"]
    reconic("descend", "--config", str(best))
    value = json.loads((tmp_path / "logs/tv/version_3/results.json").read_text())
    assert f"best nrmse: {value['object']['Reconstructed']:.5g}" in printed  # the same figure
    reconic("bundle", "logs/tv/version_1", "--out", "trial.zip")
    reconic("reproduce", "trial.zip", "--tolerance", "0")
    reconic("search", "--config", "s.json")  # nothing is left to do
    assert not (tmp_path / "logs/tv/version_4").exists()


@pytest.mark.slow
def test_a_search_over_one_scan_finds_the_lambda_of_the_smallest_held_out_error(tmp_path, reconic):
    rng = np.random.default_rng(0)
    e = random_example(rng, (48, 40), 4, source="shepp-logan", photos=0)
    np.save(tmp_path / "ksp.npy", e["ksp"])
    np.save(tmp_path / "maps.npy", e["maps"])
    lams = [1e-3, 1e-2, 1e-1, 1.0]
    config = {
        "name": "lam",
        "ksp": "ksp.npy",
        "maps": "maps.npy",
        "search": {"command": "recon", "sampler": "grid", "space": {"lam": lams}},
    }
    (tmp_path / "s.json").write_text(json.dumps(config))
    printed = reconic("search", "--config", "s.json")
    best = yaml.safe_load(Path(tmp_path, printed.splitlines()[-1]).read_text())
    errors = {}
    for run in (tmp_path / "logs" / "lam").glob("version_*"):
        found = json.loads((run / "results.json").read_text())
        errors[found["CG-SENSE"]["lam"]] = found["CG-SENSE"]["holdout"]
    assert len(errors) == 4
    assert best["lam"] == pytest.approx(min(errors, key=errors.get), rel=1e-6)
    reconic("recon", "--config", "logs/lam/best.yaml")


def changed(**section):
    return {**DESCENT, "search": {**DESCENT["search"], **section}}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (changed(metric="val/psnr"), "search.metric: expected one of loss, holdout, nrmse, psnr"),
        (changed(metric="holdout"), "the metric holdout needs `holdout` above 0"),
        (changed(space={}), "`space` must name at least one key"),
        (changed(space={"epoch": [1, 2]}), "there is no key 'epoch'. Did you mean 'epochs'?"),
        (changed(space={"epochs": {"low": 9, "high": 3}}), "`low` of 'epochs' must be below"),
        (changed(samplr="tpe"), "there is no key 'search.samplr'. Did you mean 'sampler'?"),
        (changed(sampler="tpee"), "got tpee. Did you mean 'tpe'?"),
        (changed(direction="up"), "search.direction: expected one of 'maximize', 'minimize'"),
        (changed(n_trials="many"), "search.n_trials: expected an int, got many"),
        (changed(time_limit="1h"), "search.time_limit: expected a float, got 1h"),
        (changed(n_trials="20x"), "search.n_trials: expected an int, got 20x"),
        (changed(gpus=0), "search.gpus: expected"),
        (changed(gpus=[]), "`gpus` must name a GPU, got []"),
        (changed(space=["a"]), "search.space: expected keys and values, got ['a']"),
        (changed(pruner=None), "search.pruner: must have a value, got null"),
        (changed(space=["epochs"]), "search.space: expected keys and values"),
        ({**DESCENT, "search": 3}, "must have a section `search`"),
        (changed(space={"epochs": {"low": 1, "high": 9.5, "int": True}}), "whole numbers"),
    ],
)
def test_what_is_wrong_is_told_before_anything_runs(config, message, tmp_path, capsys, monkeypatch):
    from reconic.cli import main

    monkeypatch.chdir(tmp_path)
    Path("s.json").write_text(json.dumps(config))
    assert main(["search", "--config", "s.json"]) == 2
    assert message in capsys.readouterr().err
    assert not Path("logs").exists()


def test_the_password_of_a_database_is_not_in_what_to_try_next(tmp_path, capsys, monkeypatch):
    from reconic.cli import main

    monkeypatch.chdir(tmp_path)
    Path("s.json").write_text(json.dumps(DESCENT))
    url = "postgresql://anna:secret@127.0.0.1:1/db"
    assert main(["search", "--config", "s.json", "--storage", url]) == 1
    err = capsys.readouterr().err
    assert "--storage postgresql://anna:***@127.0.0.1:1/db" in err
    assert "secret" not in err


@pytest.mark.parametrize(
    ("lost", "finished", "status"), [([0], False, 1), ([0], True, 0), ([], False, 0)]
)
def test_trials_go_to_the_folder_of_the_search_whose_status_tells_of_lost_ones(
    lost, finished, status, tmp_path, monkeypatch, capsys
):
    from reconic.cli import main, search

    jobs, config = [], {k: v for k, v in DESCENT.items() if k != "name"}

    def share(job, gpus):
        jobs.append(job)
        return False, lost

    study = types.SimpleNamespace(best_value=1.0, best_trial=types.SimpleNamespace(number=0))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(search, "share", share)
    monkeypatch.setattr(search, "open_study", lambda *_: contextlib.nullcontext(study))
    monkeypatch.setattr(search, "write_best", lambda _, home: home / "best.yaml")
    monkeypatch.setattr(search, "write_report", lambda *_: None)
    monkeypatch.setattr(search, "is_finished", lambda *_: finished)
    Path("s.json").write_text(json.dumps(config))
    assert main(["search", "--config", "s.json"]) == status
    assert jobs[0].config["name"] == jobs[0].name == "search"


def test_a_search_without_any_complete_trial_says_so(tmp_path, monkeypatch, capsys):
    from reconic.cli import main, search

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(search, "share", lambda *_: (False, []))
    Path("s.json").write_text(json.dumps(DESCENT))
    assert main(["search", "--config", "s.json"]) == 1
    assert "no trial was completed" in capsys.readouterr().err


def test_a_gpu_that_is_not_there_is_named(tmp_path, capsys, monkeypatch):
    from reconic.cli import main

    monkeypatch.chdir(tmp_path)
    Path("s.json").write_text(json.dumps(DESCENT))
    assert main(["search", "--config", "s.json", "--gpus", "[99]"]) == 2
    assert "there is no GPU 99" in capsys.readouterr().err
    assert not Path("logs").exists()


@pytest.mark.parametrize(
    ("visible", "wanted", "names"),
    [
        (None, None, ["0", "1", "2"]),
        (None, [2, 0], ["2", "0"]),
        ("5,6,7", None, ["5", "6", "7"]),
        ("5, GPU-a1,7", [1], ["GPU-a1"]),  # the number counts what this process may use
    ],
)
def test_gpus_are_called_as_the_variable_calls_them(visible, wanted, names, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert search_gpus.find_gpus(wanted) == names


@pytest.mark.parametrize("visible", [None, "", "1"])
def test_gpus_are_found_without_torch(visible, tmp_path, monkeypatch):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'GPU 0: H200 (UUID: a)'\necho 'GPU 1: H200 (UUID: b)'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(search_gpus.importlib.util, "find_spec", lambda _: None)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert search_gpus.find_gpus(None) == {None: ["0", "1"], "": [], "1": ["1"]}[visible]


def test_each_worker_sees_one_gpu_and_its_share_of_the_memory(monkeypatch):
    seen = []

    class Process:
        """A process that is none, and has its own variables."""

        exitcode = 0

        def __init__(self, target, args):
            self.start = lambda: target(*args)

        def join(self):
            pass

    def trials(*_):
        share = os.environ.pop("XLA_PYTHON_CLIENT_MEM_FRACTION", None)
        seen.append((os.environ["CUDA_VISIBLE_DEVICES"], share))

    context = types.SimpleNamespace(Process=Process)
    monkeypatch.setattr(search_workers.multiprocessing, "get_context", lambda _: context)
    monkeypatch.setattr(search_workers, "open_study", lambda *_, **__: contextlib.nullcontext())
    monkeypatch.setattr(search_workers, "run_trials", trials)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # put back after the test
    monkeypatch.delenv("XLA_PYTHON_CLIENT_MEM_FRACTION", raising=False)
    monkeypatch.setenv("TQDM_DISABLE", "")
    job = search_workers.Job(Plan(space={"a": [1]}, command="recon", workers=5), {}, "", "")
    assert search_workers.share(job, ["4", "GPU-b", "6"]) == (False, [])
    a, b, c = ("4", "0.450"), ("GPU-b", "0.450"), ("6", None)
    assert seen == [a, b, c, a, b]


def test_readers_of_data_are_started_as_those_of_a_training_run(monkeypatch):
    """A process that is spawned would spawn its own too, each with imports of seconds."""
    seen = []
    monkeypatch.setattr(search_workers, "open_study", lambda *_, **__: contextlib.nullcontext())
    monkeypatch.setattr(
        search_workers, "run_trials", lambda *_: seen.append(multiprocessing.get_start_method())
    )
    multiprocessing.set_start_method("spawn", force=True)
    try:
        search_workers._work(
            search_workers.Job(Plan(space={"a": [1]}, command="recon"), {}, "", "")
        )
    finally:
        multiprocessing.set_start_method(None, force=True)
    assert seen == multiprocessing.get_all_start_methods()[:1]  # the first is the platform's


class Worker:
    """A process that ends when it is told to as strongly as it needs."""

    def __init__(self, stop, needs):
        self.stop = stop  # what its parent gets while it waits
        self.needs = needs
        self.told = []
        self.pid = None

    def start(self):
        pass

    def is_alive(self):
        return self.needs not in self.told

    def join(self, timeout=None):
        if timeout is None:
            raise self.stop
        self.told.append("waited" if timeout > 0 else "at once")

    def terminate(self):
        self.told.append("terminate")

    def kill(self):
        self.told.append("kill")


@pytest.mark.parametrize(
    ("stop", "needs", "told"),
    [
        (KeyboardInterrupt, "waited", ["waited"]),
        (KeyboardInterrupt, "terminate", ["waited", "terminate"]),
        (search_workers._Terminated, "terminate", ["at once", "terminate"]),
        (search_workers._Terminated, "kill", ["at once", "terminate", "waited", "kill"]),
    ],
)
def test_no_worker_outlives_its_parent(stop, needs, told):
    worker = Worker(stop, needs)
    assert search_workers._joined([worker])
    assert worker.told == told


def test_sigterm_is_like_ctrl_c_once():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), search_workers._terminable():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before
    with search_workers._terminable():
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)  # amid what the first one made it do


def test_a_metric_of_true_images_needs_them(tmp_path):
    train = objectives.objective("train")
    with h5py.File(tmp_path / "val.h5", "w") as file:
        file["ksp"] = np.zeros((1, 2, 8, 8))
    config = tmp_path / "c.json"
    config.write_text(json.dumps({"data": {"val": str(tmp_path / "val.h5")}}))
    with pytest.raises(ArgumentError, match=r"val/ssim needs validation data with true images"):
        train.read(config, "val/ssim")
    train.read(config, "val/loss")
    with h5py.File(tmp_path / "val.h5", "a") as file:
        file["imgs"] = np.zeros((1, 8, 8))
    train.read(config, "val/ssim")


def test_each_validation_of_an_epoch_is_a_step_of_its_own():
    from reconic.cli.objectives.train import _Reports

    told = []
    reports = _Reports("val/loss", False, lambda *told_: told.append(told_))
    for loss in (2.0, 1.0):
        trainer = types.SimpleNamespace(
            sanity_checking=False, callback_metrics={"val/loss": loss}, current_epoch=0
        )
        reports.on_validation_end(trainer, None)
    assert told == [(2.0, 0), (1.0, 1)]


def test_ctrl_c_amid_the_imports_of_a_worker_says_nothing(monkeypatch):
    def stopped(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(search_workers, "objective", stopped)
    search_workers._work(search_workers.Job(Plan(space={"a": [1]}), {}, "", ""))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for processes in /proc")
def test_ctrl_c_right_after_the_start_of_workers_says_nothing(tmp_path):
    code = (
        "from reconic.cli.search_workers import Job, share\n"
        "from reconic.search import Plan\n"
        "if __name__ == '__main__':\n"
        "    job = Job(Plan(space={'a': [1]}, workers=2), {}, 'sqlite:///study.db', 'n')\n"
        "    assert share(job, []) == (True, [])\n"
    )
    (tmp_path / "share.py").write_text(code)
    process = subprocess.Popen(
        [sys.executable, "share.py"], cwd=tmp_path, stderr=subprocess.PIPE, text=True,
        start_new_session=True, env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    deadline = time.monotonic() + 120  # for a busy machine
    while len(children.read_text().split()) < 3 and time.monotonic() < deadline:  # and a tracker
        time.sleep(0.01)
    time.sleep(0.3)  # amid their imports, of a second and more
    os.killpg(process.pid, signal.SIGINT)  # as a terminal sends it
    _, said = process.communicate(timeout=120)
    assert (process.returncode, said) == (0, "")


def test_a_file_with_a_search_given_to_train_searches_training_runs(tmp_path, reconic):
    words = ["--shape", "[32, 32]", "--n_train", "4", "--n_val", "2", "--n_test", "1"]
    reconic("simulate", "--out", "data", "--source", "shepp-logan", "--photos", "0", *words)
    files = {s: f"data/{s}.h5" for s in ("train", "val", "test")}
    network = {"class_path": "CNN", "init_args": {"width": 4, "n_layers": 2}}
    config = {
        "name": "s",
        "search": {"n_trials": 2, "space": {"optimizer.init_args.lr": {"low": 1e-4, "high": 1e-2}}},
        "data": {**files, "num_workers": 0},
        "recon": {"class_path": "ResNetRecon", "init_args": {"network": network}},
        "optimizer": {"class_path": "Adam", "init_args": {"lr": 1e-3}},
        "trainer": {"max_epochs": 2},
    }
    (tmp_path / "s.json").write_text(json.dumps(config))
    printed = reconic("train", "--config", "s.json")
    assert "best val/psnr:" in printed
    best = float(printed.split("best val/psnr: ")[1].split(",")[0])
    seen = [
        json.loads(line).get("val/psnr")
        for path in (tmp_path / "logs/s").glob("version_*/metrics.jsonl")
        for line in path.read_text().splitlines()
    ]
    assert best == pytest.approx(max(v for v in seen if v is not None), rel=1e-4)
