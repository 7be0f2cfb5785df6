"""Options of commands that can run on several devices, in one process or several."""

from __future__ import annotations

from typing import Literal

from jsonargparse import ArgumentParser, Namespace

from reconic.cli.spelling import usage_error
from reconic.descent.devices import connect

__all__ = ["PROCESSES", "add_processes", "join_processes"]

PROCESSES = ("coordinator", "processes", "process")


def add_processes(parser: ArgumentParser) -> None:
    """Options that say which devices and processes there are."""
    devices = "Devices that share the measurements, a number in each process or all; None uses one."
    parser.add_argument("--devices", type=int | Literal["all"] | None, default=None, help=devices)
    helps = (
        "Address host:port of process 0, to run in several processes; auto asks SLURM or Open MPI.",
        "Number of processes.",
        "Number of this process, from 0.",
    )
    for name, kind, text in zip(PROCESSES, (str, int, int), helps, strict=True):
        parser.add_argument(f"--{name}", type=kind | None, default=None, help=text)


def join_processes(config: Namespace) -> None:
    """Join the other processes, if there are any, before anything is computed."""
    where = {name: config.pop(name) for name in PROCESSES}
    config.update(Namespace(**dict.fromkeys(PROCESSES)))  # how it was started is no part of the run
    if where["coordinator"] is not None:
        connect(**where)
        config.devices = config.devices or "all"
    elif any(v is not None for v in where.values()):
        usage_error("processes: several need --coordinator host:port, the address of process 0.")
