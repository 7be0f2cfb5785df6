"""`reconic search`: search the best values of any keys of a configuration."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import multiprocessing
import os
import sys
import tempfile
import time
from argparse import ArgumentError
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_type_hints

from jsonargparse import ArgumentParser

from reconic.cli.console import say, suggest
from reconic.cli.objectives import OBJECTIVES
from reconic.cli.spelling import parse, read_config, usage_error
from reconic.compat.deepinpy import translated
from reconic.search import (
    Outcome,
    Plan,
    Report,
    Space,
    open_study,
    run_trials,
    write_best,
    write_report,
)

_STORAGE = """SQLite file, or URL of a database that several machines share, such as
postgresql://user:password@host/database; by default LOGDIR/NAME/study.db, or what the variable
RECONIC_STORAGE says, which keeps a password out of the command line."""
_WORKERS = "Number of processes on this machine, each with one trial at a time."
_GPUS = "Numbers of the GPUs that the processes take in turn, such as [0,1]; default all."
_N_TRIALS = "Number of trials of the study."
_TIME_LIMIT = "Seconds after which no new trial starts."
_QUIET = 10.0  # seconds between lines about one trial
_OWN = ("workers", "gpus", "n_trials", "time_limit")  # options that have the last word


@dataclasses.dataclass(frozen=True)
class Job:
    """What a worker process needs to know."""

    plan: Plan
    config: Mapping[str, Any]
    storage: str
    name: str
    gpu: str | None = None


def run(argv: list[str]) -> int:
    """Search; print the best value, the report, and the best configuration's path."""
    parser = _parser()
    with translated(argv) as words:
        given = parse(parser, words)
        changed = {k: given[k] for k in _OWN if given[k] is not None}
        plan, config = read_plan(read_config(Path(given.config)), changed)
    name = config.get("name", "search")
    home = Path(config.get("logdir", "logs"), name)
    storage = given.storage or os.environ.get("RECONIC_STORAGE") or str(home / "study.db")
    job = Job(plan, config, storage, name)
    home.mkdir(parents=True, exist_ok=True)
    with open_study(storage, name, plan, config) as study:
        stopped = _share(job)
        best = write_best(study, home)
        if best is not None:
            write_report(study, home / "report.html", plan.metric or "")
            say(f"best {plan.metric}: {study.best_value:.5g}, trial {study.best_trial.number}")
            say(f"report: {home / 'report.html'}")
            say(str(best))
    if stopped:
        _tell("reconic search: stopped; the same command goes on.")
        return 130
    return 0 if best is not None else 1


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="reconic search",
        description="Search the best values of any keys of a configuration.",
        exit_on_error=False,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--config", type=str, required=True, help="JSON or YAML file with a section `search`."
    )
    parser.add_argument("--storage", type=str, default=None, help=_STORAGE)
    parser.add_argument("--workers", type=int | None, default=None, help=_WORKERS)
    parser.add_argument("--gpus", type=list[int] | None, default=None, help=_GPUS)
    parser.add_argument("--n_trials", type=int | None, default=None, help=_N_TRIALS)
    parser.add_argument("--time_limit", type=float | None, default=None, help=_TIME_LIMIT)
    return parser


def read_plan(
    content: Mapping[str, Any], changed: Mapping[str, Any] | None = None
) -> tuple[Plan, dict[str, Any]]:
    """Plan, and configuration to search around, checked before anything runs.

    Args:
        content: What a file holds: a configuration with a section `search`.
        changed: Values of the section that have the last word.
    """
    config = dict(content)
    section = config.pop("search", None)
    if not isinstance(section, Mapping):
        usage_error(
            "--config: the file must have a section `search` with a `space`, got none. "
            'Such as "search": {"space": {"optimizer.init_args.lr": {"low": 1e-4, "high": 1e-2}}}.'
        )
    keys = [f.name for f in dataclasses.fields(Plan)]
    for key in section:
        if key not in keys:
            usage_error(f"there is no key 'search.{key}'.{suggest(key, keys)}")
    plan = _checked(Plan(**{**section, **(changed or {})}))
    _check_space(plan, config)
    return plan, config


def _checked(plan: Plan) -> Plan:
    """Plan whose command and metric are known, the metric filled in."""
    for name in ("command", "sampler", "pruner"):
        choices = get_args(get_type_hints(Plan)[name])
        value = getattr(plan, name)
        if value not in choices:
            usage_error(f"search.{name}: expected one of {', '.join(choices)}, got {value!r}."
                        f"{suggest(str(value), choices)}")  # fmt: skip
    metrics = OBJECTIVES[plan.command].metrics
    if plan.metric is not None and plan.metric not in metrics:
        usage_error(
            f"search.metric: expected one of {', '.join(metrics)}, got {plan.metric!r}."
            f"{suggest(plan.metric, metrics)}"
        )
    return dataclasses.replace(plan, metric=plan.metric or metrics[0])


def _check_space(plan: Plan, config: Mapping[str, Any]) -> None:
    """Parse the configurations at the ends of each dimension."""
    for path, value, corner in Space(plan.space).corners(config):
        try:
            with _file(corner) as file:
                OBJECTIVES[plan.command].check(file, plan.metric or "")
        except ArgumentError as error:
            usage_error(f"search.space: {path} = {json.dumps(value)}: {error}")


def _work(job: Job, worker: int = 0) -> None:
    """Run trials in this process."""
    if job.gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = job.gpu
    plan = job.plan
    objective = OBJECTIVES[plan.command]

    def trial(config: dict[str, Any], report: Report) -> Outcome:
        with _file(config) as file:
            return objective.run(file, plan.metric or "", plan.larger_is_better, report)

    line = _Line(worker)
    with (
        contextlib.suppress(KeyboardInterrupt),
        open_study(job.storage, job.name, plan, job.config, worker=worker) as study,
    ):
        run_trials(study, plan, job.config, trial, line.say, line.tell)


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


def _share(job: Job) -> bool:
    """Run trials in several processes; tells whether the user stopped them."""
    context = multiprocessing.get_context("spawn")
    gpus = _gpus(job.plan.gpus)
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
        _tell(f"workers that ended early: {', '.join(lost)}. The same command goes on.")
    return stopped


def _gpus(wanted: list[int] | None) -> list[str]:
    """Numbers of the GPUs to use, checked to be there."""
    import torch

    there = range(torch.cuda.device_count())
    for number in wanted or []:
        if number not in there:
            usage_error(
                f"--gpus: there is no GPU {number}, only {', '.join(map(str, there)) or 'none'}."
            )
    return [str(n) for n in (there if wanted is None else wanted)]


@contextlib.contextmanager
def _file(config: Mapping[str, Any]) -> Iterator[Path]:
    """Passing file with a configuration."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "config.json")
        path.write_text(json.dumps(config), encoding="utf-8")
        yield path


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
