"""Processes that share the trials of a search."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import multiprocessing
import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from reconic.cli.objectives import objective
from reconic.cli.spelling import passing_file, usage_error
from reconic.search import Outcome, Plan, Report, open_study, run_trials
from reconic.track import conclude_trial

__all__ = ["Job", "find_gpus", "share"]

_QUIET = 10.0  # seconds between lines about one trial


@dataclasses.dataclass(frozen=True)
class Job:
    """What a worker process needs to know."""

    plan: Plan
    config: Mapping[str, Any]
    storage: str
    name: str
    gpu: str | None = None


def _work(job: Job, worker: int = 0) -> None:
    """Run trials in this process."""
    if job.gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = job.gpu
    plan = job.plan
    command = objective(plan.command)

    def trial(config: dict[str, Any], report: Report) -> Outcome:
        with passing_file(config) as file:
            parsed = command.read(file, plan.metric)
        found = command.trial(parsed, plan.metric or "", plan.larger_is_better, report)
        conclude_trial(found.folder, plan.metric or "", found.value)
        return Outcome(*found)

    line = _Line(worker)
    with (
        contextlib.suppress(KeyboardInterrupt),
        open_study(job.storage, job.name, plan, job.config, worker=worker) as study,
    ):
        try:
            run_trials(study, plan, job.config, trial, line.say, line.tell)
        except RuntimeError as error:
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


def share(job: Job, gpus: Sequence[str]) -> bool:
    """Run trials in several processes, each on one of the GPUs in turn, if there are any.

    Returns:
        Whether the user stopped them.
    """
    context = multiprocessing.get_context("spawn")
    gpu = [gpus[i % len(gpus)] if gpus else None for i in range(job.plan.workers)]
    processes = [
        context.Process(target=_work, args=(dataclasses.replace(job, gpu=g), i))
        for i, g in enumerate(gpu)
    ]
    os.environ["TQDM_DISABLE"] = "1"  # what the processes report is a line each
    for process in processes:
        process.start()
    stopped = False
    for process in processes:
        while process.is_alive():
            try:
                process.join()
            except KeyboardInterrupt:  # which the processes got, too
                stopped = True
    lost = [str(i) for i, p in enumerate(processes) if p.exitcode]
    if lost and not stopped:
        sys.stderr.write(
            f"workers that ended early: {', '.join(lost)}. The same command goes on.\n"
        )
    return stopped


def find_gpus(wanted: Sequence[int] | None) -> list[str]:
    """What CUDA_VISIBLE_DEVICES calls the GPUs to use, by their numbers here; None takes all.

    Raises:
        ArgumentError: If one of them is not there.
    """
    there = _visible()
    for number in wanted or []:
        if not 0 <= number < len(there):
            known = ", ".join(map(str, range(len(there)))) or "none"
            usage_error(f"--gpus: there is no GPU {number}, only {known}.")
    return there if wanted is None else [there[number] for number in wanted]


def _visible() -> list[str]:
    """Names of the GPUs that this process may use."""
    if importlib.util.find_spec("torch") is None:
        return []
    import torch

    count = torch.cuda.device_count()
    named = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    return [name.strip() for name in named][:count] if any(named) else list(map(str, range(count)))
