"""A run killed at any moment leaves a checkpoint from which it goes on; signals end it in order."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from forked import Forked
from tiny import tiny_config

from reconic.train.load import read_checkpoint

ROOT = Path(__file__).parents[2]


def spawned(argv, cwd):
    """`python main.py` as a process group of its own."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")}
    return subprocess.Popen(
        [sys.executable, str(ROOT / "main.py"), *argv], cwd=cwd, env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


@pytest.fixture
def start(tmp_path, splits):
    """Start training as a process of its own; waits for its first checkpoint."""
    config = tiny_config(tmp_path, splits)
    config["checkpoint"] = {"every_n_steps": 1}
    config["trainer"] |= {"enable_progress_bar": False, "max_epochs": 1000}
    (tmp_path / "config.json").write_text(json.dumps(config))
    started = []

    def launch(*options, process=spawned):
        argv = [str(word) for word in options]
        if "--resume" not in argv:
            argv += ["--config", str(tmp_path / "config.json")]
        folder = tmp_path / "logs" / "tiny" / f"version_{len(started)}"
        started.append(process(argv, tmp_path))
        deadline = time.monotonic() + 600  # for a busy machine
        while not (folder / "checkpoints" / "last.ckpt").is_file():
            assert started[-1].poll() is None, started[-1].communicate()[1]
            assert time.monotonic() < deadline, list(folder.parent.rglob("*.ckpt"))
            time.sleep(0.02)
        return started[-1], folder

    yield launch
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("signum", "status", "workers"), [(signal.SIGTERM, 143, 0), (signal.SIGINT, 130, 2)]
)
@pytest.mark.slow
def test_signals_save_and_exit(start, signum, status, workers):
    """Sent to the whole group, as a terminal does: worker processes must not mind."""
    process, folder = start("--data.num_workers", workers)
    time.sleep(1)
    os.killpg(process.pid, signum)
    _, err = process.communicate(timeout=120)
    assert process.returncode == status, err
    (line,) = (line for line in err.splitlines() if line.startswith("reconic train:"))
    assert f"stopped by {signum.name} after step" in line
    assert line.endswith(f"--resume {folder.relative_to(folder.parents[2])}") or str(folder) in line
    assert "Traceback" not in err
    saved = read_checkpoint(folder / "checkpoints" / "last.ckpt")
    assert f"after step {saved['global_step']}," in line
    again, second = start("--resume", folder)
    time.sleep(0.5)
    again.send_signal(signal.SIGTERM)
    assert again.wait(timeout=300) == 143
    later = read_checkpoint(second / "checkpoints" / "last.ckpt")
    assert later["global_step"] >= saved["global_step"]


@pytest.mark.slow
def test_a_run_that_fails_ends_with_its_workers(tmp_path, splits):
    """They ignore the signal that Python ends them with."""
    config = tiny_config(tmp_path, splits)
    config["data"]["num_workers"] = 1
    config["recon"]["init_args"]["network"]["init_args"]["channels"] = 2  # the first step fails
    (tmp_path / "config.json").write_text(json.dumps(config))
    process = spawned(["--config", str(tmp_path / "config.json")], tmp_path)
    try:
        _, said = process.communicate(timeout=120)  # for a busy machine; it would wait for ever
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 2
    assert "`x` must hold 2 channel(s)" in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_killed_at_20_random_moments(start):
    """Each time, the last checkpoint is whole, and the next process goes on from it."""
    rng = np.random.default_rng(0)
    process, folder = start(process=Forked)
    steps = []
    for _ in range(20):
        time.sleep(rng.uniform(0, 0.5))
        process.kill()
        process.communicate()
        saved = read_checkpoint(folder / "checkpoints" / "last.ckpt")
        steps.append(saved["global_step"])
        position = saved["position"]
        assert 4 * position["epoch"] + position["n_done"] == saved["global_step"]
        for best in folder.glob("checkpoints/best.ckpt"):
            read_checkpoint(best)
        process, folder = start("--resume", folder, process=Forked)
    assert steps == sorted(steps)
    assert steps[-1] > steps[0]
