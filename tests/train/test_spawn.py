"""The other ranks of a host: how they are started and ended, without starting any."""

import os
import sys

import pytest
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from reconic.train import spawn, trainer
from reconic.train.interrupt import Interrupted
from reconic.train.launch import _environment_kept


class Process:
    """Stands for a process; keeps what it was started with and what it was told."""

    def __init__(self, command, env):
        self.command, self.env, self.returncode, self.told = command, env, None, []

    def poll(self):
        return self.returncode

    def terminate(self):
        self.told.append("end")

    def wait(self, timeout=None):
        self.told.append("wait")


@pytest.fixture
def started(monkeypatch):
    """Processes, as they are started by the second of two hosts with three ranks each."""
    found = []
    monkeypatch.setattr(
        spawn.subprocess, "Popen", lambda c, env: found.append(Process(c, env)) or found[-1]
    )
    monkeypatch.setenv("NODE_RANK", "1")
    monkeypatch.setattr(rank_zero_only, "rank", 0)  # that a strategy changes; put back afterwards
    with _environment_kept():
        yield found


def others(config=None):
    settings = {"accelerator": "cpu", "devices": 3, "num_nodes": 2, "strategy": "ddp"}
    strategy = trainer.strategy_of(settings)
    strategy.set_world_ranks()
    return spawn.others(strategy, "host", 1234, config)


def test_each_is_told_its_place(started):
    with others() as check:
        check()
    assert [p.env["LOCAL_RANK"] for p in started] == ["1", "2"]
    for process in started:
        told = {
            k: process.env[k] for k in ("NODE_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
        }
        assert list(told.values()) == ["1", "6", "host", "1234"]
        assert process.command == [sys.executable, *sys.orig_argv[1:]]
        assert process.told == ["wait"]
    assert os.environ["LOCAL_RANK"] == "0"


def test_the_one_that_ended_is_named(started):
    with others() as check:
        started[1].returncode = 2
        with pytest.raises(ConnectionError, match="rank 5 must start, got its end with status 2"):
            check()


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("no"), ["end", "wait"]),
        (Interrupted(10, "stopped", saved=False), ["end", "wait"]),
        (Interrupted(10, "stopped", saved=True), ["wait"]),  # they are about to save, too
    ],
)
def test_they_are_ended_unless_they_stop_by_themselves(started, error, told):
    with pytest.raises(type(error)), others():
        raise error
    assert [p.told for p in started] == [told, told]
