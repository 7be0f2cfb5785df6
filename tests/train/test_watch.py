"""What ranks hear of each other, over sockets within this process."""

import contextlib
import json
import os
import socket
import threading

import pytest

from reconic.train import watch as watch_module
from reconic.train.watch import Watch, send


@pytest.fixture
def watching():
    """Function that makes a watch of a rank, and gives it with the other ends by rank."""
    with contextlib.ExitStack() as stack:

        def make(rank, *others):
            pairs = {other: socket.socketpair() for other in others}
            for _, end in pairs.values():
                end.settimeout(5)
                stack.callback(end.close)
            names = {other: f"rank {other} (on a host)" for other in others}
            found = Watch(rank, {r: own for r, (own, _) in pairs.items()}, names)
            stack.callback(found.close)
            return found, {r: end for r, (_, end) in pairs.items()}

        yield make


def test_who_loses_the_first_rank_speaks_in_its_place(watching):
    found, ends = watching(1, 0)
    assert not found.speaks
    ends[0].close()
    assert found.learn(5)
    assert found.speaks
    assert found.lost == "rank 0 (on a host) was lost: killed, out of memory, or cut off"


def test_the_first_rank_passes_on_what_it_hears_first(watching):
    found, ends = watching(0, 1, 2)
    send(ends[1], {"lost": "rank 1 failed: no"})
    assert json.loads(ends[2].recv(1000)) == {"lost": "rank 1 failed: no"}
    send(ends[2], {"lost": "rank 2 failed: no gradients"})  # since the other one did
    send(ends[2], {"left": True})
    assert ends[2].recv(1000) == b""  # heard, and hung up
    assert found.lost == "rank 1 failed: no"


def test_other_ranks_pass_nothing_on(watching):
    found, ends = watching(1, 0)
    send(ends[0], {"lost": "rank 2 was lost"})
    assert found.learn(5)
    found.close()
    assert json.loads(ends[0].recv(1000)) == {"left": True}


def test_news_that_come_in_pieces_are_joined(watching):
    found, ends = watching(1, 0)
    ends[0].sendall(b'{"lost": "rank 2 ')
    assert not found.learn(0.1)
    ends[0].sendall(b'failed"}\n')
    assert found.learn(5)
    assert found.lost == "rank 2 failed"


def test_a_process_that_waits_for_a_lost_rank_is_ended(watching, monkeypatch, capsys):
    ended = threading.Event()
    monkeypatch.setattr(watch_module, "GRACE", 0.01)
    monkeypatch.setattr(os, "_exit", lambda status: status == 1 and ended.set())
    _, ends = watching(0, 1)
    ends[1].close()
    assert ended.wait(5)
    assert "train: rank 1 (on a host) was lost" in capsys.readouterr().err


def test_the_message_names_a_checkpoint_that_is_there(watching, tmp_path):
    found, _ = watching(0, 1)
    found.lost, found.last = "rank 1 failed", tmp_path / "checkpoints" / "last.ckpt"
    assert "No checkpoint was saved before" in found.message()
    found.last.parent.mkdir()
    found.last.touch()
    assert found.message().endswith(f"start all ranks again with --resume {tmp_path}")
