"""`reconic search`: search the best values of any keys of a configuration."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
from contextlib import AbstractContextManager
from pathlib import Path

from jsonargparse import ArgumentParser

from reconic.cli.console import say
from reconic.cli.search_gpus import find_gpus
from reconic.cli.search_plan import read_plan
from reconic.cli.search_workers import Job, share
from reconic.cli.spelling import parse, read_config
from reconic.search import Space, is_finished, open_study, write_best, write_report
from reconic.track import describe_search

_STORAGE = """SQLite file, or URL of a database that several machines share, such as
postgresql://user:password@host/database; by default LOGDIR/NAME/study.db, or what the variable
RECONIC_STORAGE says, which keeps a password out of the command line."""
_WORKERS = "Number of processes on this machine, each with one trial at a time."
_GPUS = "Numbers of the GPUs that the processes take in turn, such as [0,1]; default all."
_N_TRIALS = "Number of trials of the study."
_TIME_LIMIT = "Seconds after which no new trial starts."
_OWN = ("workers", "gpus", "n_trials", "time_limit")  # options that have the last word


def run(argv: list[str]) -> int:
    """Search; print the best value, the report, and the best configuration's path."""
    parser = _parser()
    with _translated(argv) as words:
        given = parse(parser, words)
        changed = {k: given[k] for k in _OWN if given[k] is not None}
        plan, config = read_plan(read_config(Path(given.config)), changed)
    gpus = find_gpus(plan.gpus)
    name = config.get("name", "search")
    home = Path(config.get("logdir", "logs"), name)
    storage = given.storage or os.environ.get("RECONIC_STORAGE") or str(home / "study.db")
    config["name"] = name  # of the trials, too: they go to the search's folder
    job = Job(plan, config, storage, name)
    home.mkdir(parents=True, exist_ok=True)
    with open_study(storage, name, plan, config) as study:
        if not any(home.glob("events*")):
            describe_search(home, Space(plan.space).samples(), plan.metric or "")
        stopped, lost = share(job, gpus)
        best = write_best(study, home)
        if best is not None:
            write_report(study, home / "report.html", plan.metric or "")
            say(f"best {plan.metric}: {study.best_value:.5g}, trial {study.best_trial.number}")
            say(f"report: {home / 'report.html'}")
            say(str(best))
        finished = is_finished(study, plan)
    if stopped:
        sys.stderr.write("reconic search: stopped; the same command goes on.\n")
        return 130
    if best is None:
        sys.stderr.write("reconic search: no trial was completed, so there is no best one.\n")
    return 1 if best is None or (lost and not finished) else 0


def _translated(argv: list[str]) -> AbstractContextManager[list[str]]:
    """Command line whose configurations are of Reconic; DeepInPy's are all of training."""
    if importlib.util.find_spec("torch") is None:
        return contextlib.nullcontext(argv)
    from reconic.compat.deepinpy import translated

    return translated(argv)


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
