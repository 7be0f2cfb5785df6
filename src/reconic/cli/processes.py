"""Options of commands that can run on several devices, in one process or several."""

from __future__ import annotations

from typing import Literal

from jsonargparse import ArgumentParser, Namespace

from reconic.cli.spelling import usage_error
from reconic.descent.devices import connect

__all__ = ["PROCESSES", "add_processes", "join_processes"]

_DEVICES = """Devices that share the measurements, a number in each process or all; None uses
one."""
_COORDINATOR = """Address host:port of process 0, to run in several processes; auto asks SLURM or
Open MPI."""
PROCESSES = ("coordinator", "processes", "process")


def add_processes(parser: ArgumentParser) -> None:
    """Options that say which devices and processes there are."""
    parser.add_argument("--devices", type=int | Literal["all"] | None, default=None, help=_DEVICES)
    parser.add_argument("--coordinator", type=str | None, default=None, help=_COORDINATOR)
    parser.add_argument("--processes", type=int | None, default=None, help="Number of processes.")
    parser.add_argument(
        "--process", type=int | None, default=None, help="Number of this process, from 0."
    )


def join_processes(config: Namespace) -> None:
    """Join the other processes, if there are any, before anything is computed."""
    where = {name: config.pop(name) for name in PROCESSES}
    config.update(Namespace(**dict.fromkeys(PROCESSES)))  # how it was started is no part of the run
    if where["coordinator"] is not None:
        connect(**where)
        config.devices = config.devices or "all"
    elif any(v is not None for v in where.values()):
        usage_error("processes: several need --coordinator host:port, the address of process 0.")
