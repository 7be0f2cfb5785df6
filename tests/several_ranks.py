"""Ranks as forked processes, which start at once, for tests of runs of several processes."""

import os
import pickle
import signal
import socket
import sys
import time
from pathlib import Path

import torch


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def fork(call, environment, path):
    """Process that keeps in `path` what a call gives or raises; its exit status is the call's."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        os.setpgid(0, 0)
        torch.set_num_threads(1)  # more would wait for threads that are not in this process
        os.environ.update({k: v for k, v in environment.items() if v is not None})
        try:
            result, status = call(), 0
        except SystemExit as end:
            result, status = end, end.code
        except BaseException as error:
            result = error
        path.write_bytes(pickle.dumps(result))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def ranks(folder, n, call, environment=lambda rank: {}, limit=120):
    """What `call(rank)` gives in each of n processes, or the error, or None if it was killed."""
    meet = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "NODE_RANK": "0"}
    paths = [Path(folder, f"rank_{rank}.pickle") for rank in range(n)]
    children = [
        fork(
            lambda rank=rank: call(rank),
            {**meet, "LOCAL_RANK": str(rank), **environment(rank)},  # None leaves one out
            paths[rank],
        )
        for rank in range(n)
    ]
    until = time.monotonic() + limit
    left = set(children)
    while left and time.monotonic() < until:
        left -= {child for child in left if os.waitpid(child, os.WNOHANG)[0]}
        time.sleep(0.02)
    for child in left:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert not left, f"{len(left)} of {n} ranks went on after {limit} s"
    return [pickle.loads(p.read_bytes()) if p.is_file() else None for p in paths]
