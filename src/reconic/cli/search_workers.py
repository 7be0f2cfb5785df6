"""Processes that share the trials of a search."""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Any, NoReturn

from reconic.cli.objectives import Trial, objective
from reconic.cli.spelling import passing_file
from reconic.search import Plan, Report, open_study, run_trials
from reconic.track import conclude_trial

__all__ = ["Job", "share"]

_QUIET = 10.0  # seconds between lines about one trial
_LEAVE = 10.0  # seconds in which a worker that is to stop gives its trial back
_XLA = "XLA_PYTHON_CLIENT_MEM_FRACTION"  # JAX would take three quarters of a GPU for each process


@dataclasses.dataclass(frozen=True)
class Job:
    """What a worker process needs to know."""

    plan: Plan
    config: Mapping[str, Any]
    storage: str
    name: str
    gpu: str | None = None
    n_sharing: int = 1  # workers that use the same GPU


def _work(job: Job, worker: int = 0) -> None:
    """Be a worker process, which Ctrl-C ends without a word, also amid its imports."""
    with contextlib.suppress(KeyboardInterrupt), _terminable():
        _hold_interrupts(False)
        _run(job, worker)


def _run(job: Job, worker: int) -> None:
    """Run trials in this process."""
    if job.gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = job.gpu
    if job.n_sharing > 1:
        os.environ.setdefault(_XLA, f"{0.9 / job.n_sharing:.3f}")
    # Spawned as it is, this process would spawn those that read data, each with imports of seconds.
    multiprocessing.set_start_method(None, force=True)
    plan = job.plan
    command = objective(plan.command)

    def trial(config: dict[str, Any], report: Report) -> Trial:
        with passing_file(config) as file:
            parsed = command.read(file, plan.metric)
        found = command.trial(parsed, plan.metric or "", plan.larger_is_better, report)
        conclude_trial(found.folder, plan.metric or "", found.value)
        return found

    line = _Line(worker)
    with open_study(job.storage, job.name, plan, job.config) as study:
        try:
            run_trials(study, plan, job.config, trial, line.say, line.tell)
        except (RuntimeError, OSError) as error:
            line.say(str(error))
            sys.exit(1)


class _Line:
    """Line of a worker: on a terminal one that is written over, else one every few seconds."""

    def __init__(self, worker: int) -> None:
        self.worker = worker
        self.live = sys.stderr.isatty()
        self.told = 0.0

    def say(self, text: str) -> None:
        """Print for good."""
        sys.stderr.write(f"{self._ready()}worker {self.worker}: {text}\n")
        sys.stderr.flush()

    def tell(self, text: str) -> None:
        """Show until there is something newer."""
        if self.live:
            down = "\n" * self.worker
            up = f"\x1b[{self.worker}A" if self.worker else ""
            sys.stderr.write(f"{down}\r\x1b[Kworker {self.worker}: {text}\r{up}")
            sys.stderr.flush()
        elif time.monotonic() - self.told > _QUIET:
            self.told = time.monotonic()
            self.say(text)

    def _ready(self) -> str:
        return "\r\x1b[J" if self.live else ""


def share(job: Job, gpus: Sequence[str]) -> tuple[bool, list[int]]:
    """Run trials in several processes, each on one of the GPUs in turn, if there are any.

    Returns:
        Whether the user stopped them, and which ended early by themselves.
    """
    context = multiprocessing.get_context("spawn")
    gpu = [gpus[i % len(gpus)] if gpus else None for i in range(job.plan.workers)]
    jobs = [
        dataclasses.replace(job, gpu=g, n_sharing=1 if g is None else gpu.count(g)) for g in gpu
    ]
    processes = [context.Process(target=_work, args=(j, i)) for i, j in enumerate(jobs)]
    os.environ["TQDM_DISABLE"] = "1"  # what the processes report is a line each
    with _terminable():
        stopped = _joined(processes)
    lost = [i for i, p in enumerate(processes) if p.exitcode and not stopped]
    if lost:
        names = ", ".join(map(str, lost))
        sys.stderr.write(f"workers that ended early: {names}. The same command goes on.\n")
    return stopped, lost


class _Terminated(KeyboardInterrupt):
    """SIGTERM, which unlike Ctrl-C reaches one process only."""


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM stop this process as Ctrl-C does, once, inside a `with` block."""

    def stop(signum: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
        signal.signal(signum, signal.SIG_IGN)
        raise _Terminated

    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread handles signals
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _joined(processes: Sequence[BaseProcess]) -> bool:
    """Start processes and wait for them; whether they were stopped, by force if need be."""
    try:
        _hold_interrupts(True)  # in the processes too, until they are ready for them
        try:
            for process in processes:
                process.start()
        finally:
            _hold_interrupts(False)
        for process in processes:
            process.join()
        return False
    except KeyboardInterrupt as stop:
        patience = 0.0 if isinstance(stop, _Terminated) else _LEAVE
    for end in ("terminate", "kill"):
        with contextlib.suppress(KeyboardInterrupt):  # a further one does not wait
            _wait(processes, patience)
        for process in processes:
            if process.is_alive():
                getattr(process, end)()
        patience = _LEAVE
    return True


def _hold_interrupts(held: bool) -> None:
    """Hold Ctrl-C back, or let it come; processes that are started inherit it."""
    if hasattr(signal, "pthread_sigmask"):  # not on Windows
        from multiprocessing import resource_tracker

        resource_tracker.ensure_running()  # its start lets all signals come
        how = signal.SIG_BLOCK if held else signal.SIG_UNBLOCK
        signal.pthread_sigmask(how, {signal.SIGINT})


def _wait(processes: Sequence[BaseProcess], seconds: float) -> None:
    """Wait for processes, for some time altogether."""
    end = time.monotonic() + seconds
    for process in processes:
        if process.is_alive():
            process.join(max(0.0, end - time.monotonic()))
