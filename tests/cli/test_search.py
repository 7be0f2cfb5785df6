"""`reconic search` from the command line, over descents and over training runs."""

import contextlib
import json
import os
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import yaml

from reconic.simulate import random_example

pytest.importorskip("optuna")
pytest.importorskip("jax")
pytest.importorskip("lightning")

from reconic.cli import search_workers
from reconic.search import Plan

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


def reconic(folder, *words):
    return subprocess.run(
        [sys.executable, "-m", "reconic", *words], cwd=folder, capture_output=True, text=True
    )


@pytest.mark.slow
def test_a_search_over_descents_ends_with_a_report_and_the_best_configuration(tmp_path):
    (tmp_path / "s.json").write_text(json.dumps(DESCENT))
    done = reconic(tmp_path, "search", "--config", "s.json", "--workers", "2")
    assert done.returncode == 0, done.stderr
    best = Path(tmp_path, done.stdout.splitlines()[-1])
    assert yaml.safe_load(best.read_text())["loss"]["tv"]["weight"] == 3e-3  # neither end
    page = (tmp_path / "logs" / "tv" / "report.html").read_text()
    assert "Optimization History" in page
    assert "Parallel Coordinate" in page
    assert 'src="http' not in page  # it stands alone
    runs = sorted(p.name for p in (tmp_path / "logs" / "tv").glob("version_*"))
    assert runs == ["version_0", "version_1", "version_2"]
    again = reconic(tmp_path, "descend", "--config", str(best))
    assert again.returncode == 0, again.stderr
    value = json.loads((tmp_path / "logs/tv/version_3/results.json").read_text())
    assert f"best nrmse: {value['object']['Reconstructed']:.5g}" in done.stdout  # the same figure
    packed = reconic(tmp_path, "bundle", "logs/tv/version_1", "--out", "trial.zip")
    assert packed.returncode == 0, packed.stderr
    same = reconic(tmp_path, "reproduce", "trial.zip", "--tolerance", "0")
    assert same.returncode == 0, same.stdout + same.stderr
    more = reconic(tmp_path, "search", "--config", "s.json")  # nothing is left to do
    assert more.returncode == 0, more.stderr
    assert not (tmp_path / "logs/tv/version_4").exists()


@pytest.mark.slow
def test_a_search_over_one_scan_finds_the_lambda_of_the_smallest_held_out_error(tmp_path):
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
    done = reconic(tmp_path, "search", "--config", "s.json")
    assert done.returncode == 0, done.stderr
    best = yaml.safe_load(Path(tmp_path, done.stdout.splitlines()[-1]).read_text())
    errors = {}
    for run in (tmp_path / "logs" / "lam").glob("version_*"):
        found = json.loads((run / "results.json").read_text())
        errors[found["CG-SENSE"]["lam"]] = found["CG-SENSE"]["holdout"]
    assert len(errors) == 4
    assert best["lam"] == pytest.approx(min(errors, key=errors.get), rel=1e-6)
    again = reconic(tmp_path, "recon", "--config", "logs/lam/best.yaml")
    assert again.returncode == 0, again.stderr


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
        (changed(sampler="tpee"), "got 'tpee'. Did you mean 'tpe'?"),
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
    assert search_workers.find_gpus(wanted) == names


def test_each_worker_sees_one_gpu(monkeypatch):
    seen = []

    class Process:
        """A process that is none, and has its own variables."""

        exitcode = 0

        def __init__(self, target, args):
            self.start = lambda: target(*args)

        def is_alive(self):
            return False

    def trials(*_):
        seen.append(os.environ["CUDA_VISIBLE_DEVICES"])

    context = types.SimpleNamespace(Process=Process)
    monkeypatch.setattr(search_workers.multiprocessing, "get_context", lambda _: context)
    monkeypatch.setattr(search_workers, "open_study", lambda *_, **__: contextlib.nullcontext())
    monkeypatch.setattr(search_workers, "run_trials", trials)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # put back after the test
    monkeypatch.setenv("TQDM_DISABLE", "")
    job = search_workers.Job(Plan(space={"a": [1]}, command="recon", workers=5), {}, "", "")
    assert not search_workers.share(job, ["4", "GPU-b", "6"])
    assert seen == ["4", "GPU-b", "6", "4", "GPU-b"]


@pytest.mark.slow
def test_a_file_with_a_search_given_to_train_searches_training_runs(tmp_path):
    words = ["--shape", "[32, 32]", "--n_train", "4", "--n_val", "2", "--n_test", "1"]
    made = reconic(
        tmp_path, "simulate", "--out", "data", "--source", "shepp-logan", "--photos", "0", *words
    )
    assert made.returncode == 0, made.stderr
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
    done = reconic(tmp_path, "train", "--config", "s.json")
    assert done.returncode == 0, done.stderr
    assert "best val/psnr:" in done.stdout
    best = float(done.stdout.split("best val/psnr: ")[1].split(",")[0])
    seen = [
        json.loads(line).get("val/psnr")
        for path in (tmp_path / "logs/s").glob("version_*/metrics.jsonl")
        for line in path.read_text().splitlines()
    ]
    assert best == pytest.approx(max(v for v in seen if v is not None), rel=1e-4)
