"""Processes that share the coils of one scan: started here, or by torchrun."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import (
    ProcessExitedException,
    ProcessRaisedException,
    start_processes,
)

from reconic.cli.spelling import usage_error
from reconic.train.ranks import rank_device

__all__ = ["DEVICES", "joined", "launch", "to_launch"]

DEVICES = """Number of processes here that share the coils, each with a GPU of its own where there
are GPUs; None uses one process, and under torchrun those that it started."""

_PATIENCE = 5.0  # seconds that the first process has to tell of an error which all have


def to_launch(devices: int | None) -> bool:
    """Whether this process is to start others, after checking that there can be so many."""
    if devices is None or dist.is_initialized() or dist.is_torchelastic_launched():
        return False
    n_gpus = torch.cuda.device_count()
    if devices < 1 or 0 < n_gpus < devices:
        most = f"at most {n_gpus}, the number of GPUs," if n_gpus else "a positive number,"
        usage_error(f"--devices: must be {most} got {devices}.")
    return devices > 1


def launch(command: str, argv: list[str], n: int) -> int:
    """Run a command in n processes of this machine; the exit status of the first to fail."""
    logging.getLogger("torch.multiprocessing.spawn").setLevel(logging.ERROR)  # whom it ends
    with tempfile.TemporaryDirectory() as folder:
        context = start_processes(_work, (command, argv, n, folder), n, join=False)
        assert context is not None  # as it is where nothing is joined
        try:
            while not context.join():
                pass
        except ProcessExitedException as error:
            return _told(command, context.processes, error, Path(folder))
        except ProcessRaisedException as error:
            if _lost(context.processes) is None:
                raise
            return _told(command, context.processes, error, Path(folder))
    return 0


def _told(
    command: str, processes: list[Any], error: ProcessExitedException | ProcessRaisedException,
    folder: Path,
) -> int:  # fmt: skip
    """Say why a process failed, unless the first has done so; the exit status."""
    lost = _lost(processes)
    if lost is not None:
        name = signal.Signals(-processes[lost].exitcode).name
        sys.stderr.write(
            f"reconic {command}: process {lost} of {len(processes)} was lost ({name}), and the "
            "others were stopped. The memory may be too small for so many.\n"
        )
        return 1
    if error.error_index:
        sys.stderr.write((folder / f"{error.error_index}.txt").read_text())
    return processes[error.error_index].exitcode


def _lost(processes: list[Any]) -> int | None:
    """First process that ended by a signal other than that of the launcher."""
    ours = (-signal.SIGTERM, -signal.SIGINT)
    found = [i for i, p in enumerate(processes) if (p.exitcode or 0) < 0 and p.exitcode not in ours]
    return found[0] if found else None


def _work(rank: int, command: str, argv: list[str], n: int, folder: str) -> None:
    from reconic.cli.main import main

    if rank:
        sys.stdout = sys.stderr = Path(folder, f"{rank}.txt").open("w", buffering=1)  # noqa: SIM115
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, torch.get_num_threads() // n))
    store = f"file://{Path(folder, 'store')}"
    dist.init_process_group(_backend(rank, n), store, rank=rank, world_size=n)
    status = main([command, *argv])
    if status and rank:
        time.sleep(_PATIENCE)
    if not status:
        _leave()
    sys.exit(status)


def _leave() -> None:
    """Leave the group once all are done, so that none is cut off in a sum that it still needs."""
    with contextlib.suppress(RuntimeError):  # one that failed meanwhile tells of it itself
        dist.all_reduce(torch.zeros(1, device=rank_device()))
    dist.destroy_process_group()


def _backend(local_rank: int, n_local: int) -> str:
    """NCCL if each process of this machine has a GPU, which becomes its current one; else gloo."""
    if torch.cuda.device_count() < n_local:
        return "gloo"
    torch.cuda.set_device(local_rank)
    return "nccl"


@contextlib.contextmanager
def joined(devices: int | None) -> Iterator[bool]:
    """Join the processes that torchrun started; tells whether this one is to write."""
    started = dist.is_torchelastic_launched() and not dist.is_initialized()
    if started:
        here = int(os.environ["LOCAL_WORLD_SIZE"])
        if devices not in (None, here):
            usage_error(f"--devices: torchrun started {here} processes here, got {devices}.")
        dist.init_process_group(_backend(int(os.environ["LOCAL_RANK"]), here))
    yield not dist.is_initialized() or dist.get_rank() == 0
    if started:
        _leave()
