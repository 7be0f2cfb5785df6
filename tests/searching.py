"""What the tests of a search minimise, for worker processes to import."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

from optuna.trial import TrialState

from reconic.search import Plan, open_study, run_trials

SPACE = {"a.x": {"low": -2.0, "high": 2.0}, "n": {"low": 1, "high": 3}}


def plan(**settings):
    return Plan(
        **{"space": SPACE, "metric": "loss", "n_trials": 8, "sampler": "random", **settings}
    )


def value(config):
    return (config["a"]["x"] - 1) ** 2 + config["n"] + config["base"]


def work(storage, settings, log, sleep):
    def run(config, report):
        with Path(log).open("a") as file:
            file.write(f"begin {os.getpid()} {config['a']['x']!r}\n")
        time.sleep(sleep)
        with Path(log).open("a") as file:
            file.write(f"end {os.getpid()} {config['a']['x']!r}\n")
        return value(config), Path("run")

    lives = {"heartbeat": 1, "grace": 4}
    with open_study(storage, "s", settings, {"base": 0}, **lives) as study:
        run_trials(study, settings, {"base": 0}, run)


def two_workers_one_killed(storage, tmp_path):
    """Two processes share six trials; of the one that is killed nothing is lost or doubled."""
    settings, log = plan(n_trials=6), tmp_path / "log"
    context = multiprocessing.get_context("spawn")
    jobs = [context.Process(target=work, args=(storage, settings, str(log), 1.0)) for _ in range(2)]
    with open_study(storage, "s", settings, {"base": 0}) as study:
        for job in jobs:
            job.start()
        victim = jobs[0].pid
        while not (log.exists() and f"begin {victim} " in log.read_text()):
            time.sleep(0.05)
            assert jobs[0].is_alive()
        os.kill(victim, signal.SIGKILL)
        for job in jobs:
            job.join(120)
        assert [job.exitcode for job in jobs] == [-signal.SIGKILL, 0]
        done = study.get_trials(states=(TrialState.COMPLETE,))
        failed = study.get_trials(states=(TrialState.FAIL,))
    lines = [line.split() for line in log.read_text().splitlines()]
    ended = [x for what, _, x in lines if what == "end"]
    begun = {x for what, _, x in lines if what == "begin"}
    assert len(done) == len(ended) == len(set(ended)) == 6  # none twice
    assert begun == set(ended)  # that of the killed process among them
    assert failed
