"""Runs over several devices and several processes against runs on one device."""

import re
import socket
import subprocess
import sys
from pathlib import Path

import jax
import many_devices
import numpy as np
import pytest

from reconic import descent as rd
from reconic.cli import main
from reconic.descent import checkpoint

pytestmark = pytest.mark.slow

CONFIG = Path(__file__).parents[2] / "configs" / "deconvolution.yaml"
SCRIPT = Path(many_devices.__file__)
CALLS = ("values_held_out", "remainder", "in_order", "rows_held_out", "on_disk", "iterable",
         "one_each", "failing")  # fmt: skip
# Sums over measurements are taken in another order: rounding of 2e-16 of the largest, which Adam
# divides by the gradient's size.
CLOSE = {"rtol": 1e-9, "atol": 1e-10}


def launch(*words):
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), *map(str, words)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def compare(folder, a, b, **how):
    found, expected = np.load(folder / f"{a}.npz"), np.load(folder / f"{b}.npz")
    assert found.files == expected.files
    for name in expected.files:
        np.testing.assert_allclose(found[name], expected[name], err_msg=name, **how)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Results of every call on one device and on four."""
    folder = tmp_path_factory.mktemp("devices")
    many_devices.write(folder)
    process = launch("four", folder)
    out, _ = process.communicate(timeout=600)
    assert process.returncode == 0, out
    return folder


@pytest.mark.parametrize("call", CALLS)
def test_four_devices_give_what_one_gives(folder, call):
    compare(folder, f"{call}.all", f"{call}.one", **CLOSE)


def test_a_number_of_devices_that_is_odd_gives_the_same(folder):
    compare(folder, "remainder.three", "remainder.one", **CLOSE)


def test_the_same_devices_give_the_same_bits(folder):
    compare(folder, "remainder.again", "remainder.all", rtol=0, atol=0)


def test_a_run_goes_on_with_another_number_of_devices(folder):
    compare(folder, "remainder.resumed", "remainder.all", **CLOSE)


def test_measurements_and_their_transforms_stay_on_their_devices(folder):
    whole = rf"\[{many_devices.N + 1},6,5\]"
    assert not re.search(whole, (folder / "gathered.txt").read_text())


@pytest.fixture(scope="module")
def pair(folder):
    """Results of two processes."""
    port = free_port()
    processes = [launch("two", folder, port, i) for i in range(2)]
    for process in processes:
        out, _ = process.communicate(timeout=600)
        assert process.returncode == 0, out
    return folder


@pytest.mark.parametrize("call", ["values_held_out", "remainder", "on_disk", "iterable"])
def test_two_processes_give_what_one_device_gives(pair, call):
    compare(pair, f"{call}.two.0", f"{call}.two.1", rtol=0, atol=0)
    found, expected = np.load(pair / f"{call}.two.0.npz"), np.load(pair / f"{call}.one.npz")
    for name in expected.files:
        if "held_out" not in name:  # it is looked at every second epoch
            np.testing.assert_allclose(found[name], expected[name], err_msg=name, **CLOSE)


def test_a_process_reads_only_its_share_of_a_file(pair):
    counts = [np.load(pair / f"read.{i}.npy") for i in range(2)]
    steps = [n for batch in (4, 4, 3) for n in [batch] * 3]  # of three epochs, and the first look
    assert sum(counts).sum() == sum(steps) + 4
    assert max(c.sum() for c in counts) == 3 * (2 + 2 + 2) + 2


def test_only_the_first_process_writes_and_all_go_on_from_it(pair):
    compare(pair, "remainder.resumed.0", "remainder.one", **CLOSE)
    assert [p.name for p in (pair / "pair").iterdir()] == ["version_0"]
    assert checkpoint.latest(pair / "pair" / "version_0").epoch == 5


def test_processes_with_other_arguments_are_told(pair):
    told = {(pair / f"differ.{i}.txt").read_text() for i in range(2)}
    assert len(told) == 1
    assert "those of process 1 are not those of process 0" in told.pop()


def test_all_processes_stop_together(pair):
    told = {(pair / f"stopped.{i}.txt").read_text() for i in range(2)}
    assert len(told) == 1
    assert told.pop().startswith("the time limit is over")


def test_a_lost_process_ends_the_others_and_the_run_can_go_on(folder):
    port = free_port()
    processes = [launch("lost", folder, port, i) for i in range(2)]
    out, _ = processes[0].communicate(timeout=300)  # of which the runtime waits 10 for a sign
    processes[1].communicate(timeout=60)
    assert processes[0].returncode != 0
    assert "another of the 2 processes was lost" in out
    assert checkpoint.latest(folder / "lost" / "version_0").epoch == 2


@pytest.mark.parametrize(("words", "says"), [
    (["--process", "1"], "several need --coordinator host:port"),
    (["--coordinator", "host:1"], "`processes` and `process` must be given with the coordinator"),
    (["--devices", "some"], "devices: expected"),
])  # fmt: skip
def test_options_that_do_not_fit_are_named(words, says, capsys):
    assert main(["descend", "--config", str(CONFIG), *words]) == 2
    assert says in capsys.readouterr().err


def test_a_configuration_runs_in_two_processes(tmp_path):
    small = ["--scene.side", "16", "--scene.margin", "5", "--scene.radius", "1.5", "--epochs", "4"]
    where = ["--logdir", str(tmp_path), "--coordinator", f"127.0.0.1:{free_port()}"]
    command = [sys.executable, "-m", "reconic", "descend", "--config", str(CONFIG), *small, *where]
    started = [
        subprocess.Popen(
            [*command, "--processes", "2", "--process", str(i)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for i in range(2)
    ]  # fmt: skip
    out, errors = zip(*(p.communicate(timeout=300) for p in started), strict=True)
    assert [p.returncode for p in started] == [0, 0], errors
    assert "figure: " in out[0]
    assert "figure: " not in out[1]
    config = (tmp_path / "deconvolution" / "version_0" / "config.yaml").read_text()
    assert "devices: all" in config
    assert "coordinator: null" in config  # so that it runs anywhere


def test_devices_that_are_not_there_are_named():
    def run(devices):
        return rd.reconstruct(
            lambda v, b: v, np.zeros(3), {"y": np.ones(3)}, rd.l2("y"), rd.sgd(0.1), epochs=1,
            devices=devices,
        )  # fmt: skip

    with pytest.raises(ValueError, match=r"`devices` must be from 1 to \d+, .* got 4096"):
        run(4096)
    with pytest.raises(TypeError, match='must be "all", a number or JAX devices, got str'):
        run(["gpu"])
    np.testing.assert_allclose(run(jax.devices()[:1]).variables, run(None).variables)
