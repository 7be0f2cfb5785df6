"""Runs of several ranks against the same run of one: curves, scores, files, stops and losses.

The ranks are forked, and meet by gloo as those that torchrun or srun start.
"""

import csv
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from several_ranks import free_port, ranks
from tiny import tiny_arrays, tiny_config, write_h5, write_splits
from torch.distributed import TCPStore

from reconic.train import Interrupted, fit
from reconic.train.config import prepare, train_parser
from reconic.train.load import read_checkpoint

pytestmark = pytest.mark.slow

# Gradients are summed in another order: 1e-7 of single precision, and Adam divides by their size.
CLOSE = {"rtol": 2e-4, "atol": 2e-6}
SSDU = {"class_path": "SSDU", "init_args": {"fraction": 0.3}}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Training examples of two shapes, 5 and 3, so that batches of 3 leave 2 of one over."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "train").mkdir()
    write_h5(folder / "train" / "a.h5", tiny_arrays(5, seed=4))
    write_h5(folder / "train" / "b.h5", tiny_arrays(4, seed=5, shape=(24, 24)))
    paths = write_splits(folder, n_val=4, n_test=5)
    changes = {"batch_size": 3, "augment": True, "stdev": 0.01}
    return {**paths, "train": str(folder / "train"), **changes}


def train(folder, data, *callbacks, **changes):
    """One run of a configuration; a rank of it if the environment says so."""
    config = tiny_config(folder, data, **changes)
    config["trainer"] = {"enable_progress_bar": False, **config["trainer"]}
    path = folder / f"config_{os.getpid()}.json"
    path.write_text(json.dumps(config))
    parser = train_parser()
    arguments = prepare(parser, parser.parse_args(["--config", str(path)]))
    arguments["trainer"]["callbacks"] = list(callbacks)
    return fit(**arguments)


def on(n, **settings):
    return {"max_epochs": 2, "accelerator": "cpu", "log_every_n_steps": 1, "devices": n, **settings}


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def check_same_curve(found, expected):
    """Scalars of each step, the time and what counts a batch's iterations aside."""
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        names = a.keys() - {"time", "train/samples_per_second", "train/n_cg"}
        assert names == b.keys() - {"time", "train/samples_per_second", "train/n_cg"}
        for name in names:
            np.testing.assert_allclose(a[name], b[name], err_msg=f"{name}, {a['step']}", **CLOSE)


@pytest.fixture(scope="module")
def alone(data, tmp_path_factory):
    """The run of one process."""
    folder = tmp_path_factory.mktemp("alone")
    return train(folder, data, loss=SSDU, ema=0.9)


@pytest.fixture(scope="module")
def three(data, tmp_path_factory):
    """What each of three ranks returned; of a batch of 2 or 1, some have no example."""
    folder = tmp_path_factory.mktemp("three")
    return ranks(folder, 3, lambda rank: train(folder, data, loss=SSDU, ema=0.9, trainer=on(3)))


def test_three_ranks_have_the_loss_curve_of_one(alone, three):
    check_same_curve(lines(three[0].folder), lines(alone.folder))


def test_three_ranks_have_the_weights_of_one(alone, three):
    for name in ("best.ckpt", "last.ckpt"):
        found, expected = (
            read_checkpoint(run.folder / "checkpoints" / name) for run in (three[0], alone)
        )
        assert found["position"] == expected["position"]
        for key, value in expected["state_dict"].items():
            torch.testing.assert_close(found["state_dict"][key], value, **CLOSE)
        torch.testing.assert_close(found["random"]["torch"], expected["random"]["torch"])


def test_every_test_example_is_scored_once_and_in_order(alone, three):
    def rows(run):
        with (run.folder / "slices.csv").open() as file:
            return list(csv.DictReader(file))

    found, expected = rows(three[0]), rows(alone)
    assert len(expected) == 5 * 3
    for a, b in zip(found, expected, strict=True):
        assert {k: v for k, v in a.items() if k in ("method", "slice")} == {
            k: v for k, v in b.items() if k in ("method", "slice")
        }
        for metric in ("nrmse", "psnr", "ssim"):
            np.testing.assert_allclose(float(a[metric]), float(b[metric]), rtol=1e-3)


def test_only_the_first_rank_writes(alone, three):
    def files(run):
        names = (str(p.relative_to(run.folder)) for p in run.folder.rglob("*") if p.is_file())
        return sorted(name.split(".out.")[0] for name in names)

    assert [p.name for p in three[0].folder.parent.iterdir()] == ["version_0"]
    assert files(three[0]) == files(alone)
    assert {run.folder for run in three} == {three[0].folder}
    assert three[1].results == three[0].results == three[2].results
    assert three[1].lam == three[0].lam == pytest.approx(alone.lam, rel=1e-3)


class At(Callback):
    """Does something on one rank, before a step."""

    def __init__(self, rank, step, what):
        self.rank, self.step, self.what = rank, step, what

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.global_rank == self.rank and trainer.global_step == self.step:
            self.what()


def send(signum):
    return lambda: os.kill(os.getpid(), signum)


def slurm(rank):
    """What srun tells a task."""
    return {
        "SLURM_JOB_ID": "4321", "SLURM_JOB_NAME": "train", "SLURM_NTASKS": "2",
        "SLURM_NTASKS_PER_NODE": "2", "SLURM_STEP_NUM_TASKS": "2", "SLURM_NNODES": "1",
        "SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank), "SLURM_NODEID": "0",
        "SLURM_NODELIST": "localhost",
    }  # fmt: skip


def test_a_signal_to_one_rank_stops_all_and_one_goes_on_alone(alone, data, tmp_path):
    """As SLURM does before the time is over, in mid-epoch; the other rank must stop alike."""
    told = ranks(
        tmp_path, 2,
        lambda rank: train(tmp_path, data, At(1, 2, send(signal.SIGUSR1)), loss=SSDU, ema=0.9,
                           trainer=on(2)),
        slurm,
    )  # fmt: skip
    assert [type(stop) for stop in told] == [Interrupted, Interrupted]
    assert {(stop.status, stop.saved) for stop in told} == {(138, True)}
    (folder,) = (tmp_path / "logs" / "tiny").iterdir()
    saved = read_checkpoint(folder / "checkpoints" / "last.ckpt")
    assert f"after step {saved['global_step']}, saved" in str(told[0])
    assert saved["position"]["n_done"] == saved["global_step"] == 2
    resumed = train(tmp_path, data, loss=SSDU, ema=0.9, resume=str(folder))
    expected = [line for line in lines(alone.folder) if line["step"] >= 2]
    check_same_curve(lines(resumed.folder), expected)


def lose(folder, data, what):
    """What three ranks end with when the second does something, and how long it takes."""
    began = []

    def run(rank):
        try:
            return train(folder, data, At(1, 5, what), trainer=on(3))
        finally:
            began.append(time.time())

    return ranks(folder, 3, run)


def test_a_killed_rank_ends_the_others_and_two_go_on(data, tmp_path):
    began = time.monotonic()
    first, second, third = lose(tmp_path, data, send(signal.SIGKILL))
    assert time.monotonic() - began < 300  # gloo would wait half an hour
    assert second is None
    assert isinstance(first, ConnectionError)
    assert "rank 1 (process " in str(first)
    folder = tmp_path / "logs" / "tiny" / "version_0"
    assert str(first).endswith(f"--resume {folder}")
    assert isinstance(third, SystemExit)  # rank 0 has told it
    on_two = ranks(
        tmp_path, 2,
        lambda rank: train(tmp_path, data, resume=str(folder), trainer=on(2, max_epochs=3)),
    )  # fmt: skip
    assert on_two[0].results == on_two[1].results
    assert lines(on_two[0].folder)[0]["step"] == 4  # saved after the validation of step 4


def test_a_rank_that_fails_is_named_with_its_error(data, tmp_path):
    def fail():
        raise ValueError("the disk of this host is broken")

    first, second, third = lose(tmp_path, data, fail)
    assert isinstance(first, ConnectionError)
    assert "rank 1 failed: ValueError: the disk of this host is broken" in str(first)
    assert isinstance(second, SystemExit)
    assert isinstance(third, SystemExit)


def test_the_first_rank_keeps_its_own_error(data, tmp_path):
    def run(rank):
        missing = At(0, 1, lambda: Path("nowhere").read_text())
        return train(tmp_path, data, missing, trainer=on(2))

    first, second = ranks(tmp_path, 2, run)
    assert isinstance(first, FileNotFoundError)
    assert isinstance(second, SystemExit)


@pytest.fixture
def hosts():
    """Names and addresses of two hosts of one network: network namespaces."""
    if os.geteuid() or not shutil.which("ip"):
        pytest.skip("only root may make network namespaces, with ip of iproute2")
    tag = f"{os.getpid() % 10000}"
    names, addresses = [f"ra{tag}", f"rb{tag}"], ["10.213.7.1", "10.213.7.2"]

    def ip(*words):
        done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"network namespaces cannot be made here: {done.stderr.strip()}")

    try:
        for name in names:
            ip("netns", "add", name)
        ip("link", "add", "veth0", "netns", names[0], "type", "veth", "peer", "veth0",
           "netns", names[1])  # fmt: skip
        for name, address in zip(names, addresses, strict=True):
            ip("-n", name, "address", "add", f"{address}/24", "dev", "veth0")
            ip("-n", name, "link", "set", "veth0", "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield names, addresses
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


def enter(name):
    """Move this process to a network namespace."""
    with Path("/run/netns", name).open() as namespace:
        if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), 0):
            raise OSError(ctypes.get_errno(), "setns")


def test_two_hosts_have_the_loss_curve_of_one(alone, data, hosts, tmp_path):
    names, addresses = hosts
    port = str(free_port())

    def run(rank):
        enter(names[rank])
        return train(tmp_path, data, loss=SSDU, ema=0.9, trainer=on(1, num_nodes=2))

    def environment(rank):
        where = {"MASTER_ADDR": addresses[0], "MASTER_PORT": port, "NODE_RANK": str(rank)}
        return {**where, "LOCAL_RANK": None, "GLOO_SOCKET_IFNAME": "veth0"}

    first, second = ranks(tmp_path, 2, run, environment)
    check_same_curve(lines(first.folder), lines(alone.folder))
    assert second.results == first.results


def test_ranks_of_torchrun_meet_at_its_store(alone, data, tmp_path):
    """With the environment that torchrun gives, whose agent keeps the store."""
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)

    def environment(rank):
        return {
            "TORCHELASTIC_RUN_ID": "none", "TORCHELASTIC_USE_AGENT_STORE": "True",
            "TORCHELASTIC_RESTART_COUNT": "0", "MASTER_PORT": str(store.port),
            "RANK": str(rank), "LOCAL_RANK": str(rank), "GROUP_RANK": "0", "WORLD_SIZE": "2",
        }  # fmt: skip

    first, _ = ranks(
        tmp_path, 2, lambda rank: train(tmp_path, data, loss=SSDU, ema=0.9, trainer=on(2)),
        environment,
    )  # fmt: skip
    check_same_curve(lines(first.folder), lines(alone.folder))


def test_the_command_starts_the_others_and_names_a_killed_one(data, tmp_path):
    config = tiny_config(tmp_path, data, trainer=on(2, max_epochs=1000, enable_progress_bar=False))
    (tmp_path / "config.json").write_text(json.dumps(config))
    command = [sys.executable, "-m", "reconic", "train", "--config", str(tmp_path / "config.json")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    last = tmp_path / "logs" / "tiny" / "version_0" / "checkpoints" / "last.ckpt"
    until = time.monotonic() + 300
    while not last.is_file() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    assert process.poll() is None, process.stderr.read()
    (other,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(other), signal.SIGKILL)
    _, told = process.communicate(timeout=300)
    assert process.returncode == 1
    assert f"reconic train: train: rank 1 (process {other} on" in told
    assert f"start all ranks again with --resume {last.parents[1]}" in told
    assert "Traceback" not in told
