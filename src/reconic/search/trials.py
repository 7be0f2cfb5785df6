"""One process's share of a study: trial after trial, until there are enough."""

from __future__ import annotations

import contextlib
import gc
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from reconic.search.liveness import ask, fail_stale, living, patiently
from reconic.search.plan import Plan
from reconic.search.space import Space, placed

__all__ = ["Pruned", "Report", "is_finished", "run_trials"]

Report = Callable[[float, int], None]
"""What a trial tells of itself on the way, metric and step; raises `Pruned` if it should end."""

_COUNTED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
_POLL = 1.0  # seconds between looks at what other processes do


class Pruned(Exception):
    """Ends a trial that is not worth going on with."""


def run_trials(
    study: optuna.Study,
    plan: Plan,
    config: Mapping[str, Any],
    run: Callable[[dict[str, Any], Report], tuple[float, Path]],
    say: Callable[[str], None] = print,
    tell: Callable[[str], None] = print,
) -> None:
    """Run trials until the study has as many as planned, or time is over.

    Trials of processes that died are given out again. A trial that fails by an error of its own
    (memory, a value that diverges) is marked, counts as one, and the study goes on; one that is
    stopped by Ctrl-C is queued again first.

    Args:
        study: Made by `open_study`.
        plan: How to search.
        config: Configuration to search around.
        run: Runs one configuration; gives its metric and its run folder.
        say: Told what happens, in one line each.
        tell: Told how far a trial is, often; also in one line.

    Raises:
        KeyboardInterrupt: If the user stopped it.
        RuntimeError: If the first trials all fail.
        ConnectionError: If the database went away and did not come back.
    """
    space = Space(plan.space)
    deadline = math.inf if plan.time_limit is None else time.monotonic() + plan.time_limit

    def objective(trial: optuna.Trial) -> float:
        values = patiently(lambda: space.suggest(trial), say)
        say(f"trial {trial.number}: {_spelled(values)}")
        value, folder = run(placed(config, values), _reporter(trial, plan, tell))
        if not math.isfinite(value):
            raise ArithmeticError(f"search: {plan.metric} must be finite, got {value}.")
        patiently(lambda: trial.set_user_attr("folder", str(folder)), say)
        say(f"trial {trial.number}: {plan.metric} {value:.5g}, {folder}")
        return value

    while trial := patiently(lambda: _next(study, plan, deadline, say), say):
        _run(study, trial, objective, say)
        gc.collect()  # a model that failed, and its error, hold each other
        patiently(lambda: _check_failures(study), say)


def is_finished(study: optuna.Study, plan: Plan) -> bool:
    """Whether there are as many trials as planned, and none of them runs."""
    return _has_enough(study, plan) and not _trials(study, TrialState.RUNNING)


def _next(
    study: optuna.Study, plan: Plan, deadline: float, say: Callable[[str], None]
) -> optuna.Trial | None:
    """The next trial, once one is wanted; None if there are enough, or time is over."""
    while time.monotonic() < deadline:
        fail_stale(study)
        if not _has_enough(study, plan):
            trial = ask(study, say)
            if _is_wanted(study, plan, trial):
                return trial
            study.tell(trial, state=TrialState.FAIL)
        elif is_finished(study, plan):
            return None
        else:
            time.sleep(_POLL)  # the process of one that runs may die
    return None


def _has_enough(study: optuna.Study, plan: Plan) -> bool:
    """Whether there are as many trials as planned, those that run and that failed included."""
    limit = plan.limit()
    return limit is not None and sum(map(_counts, _trials(study))) >= limit


def _is_wanted(study: optuna.Study, plan: Plan, trial: optuna.Trial) -> bool:
    """Whether too few came before a trial, which all processes see alike."""
    limit = plan.limit()
    before = sum(_counts(t) for t in _trials(study) if t.number < trial.number)
    return limit is None or before < limit


def _run(
    study: optuna.Study, trial: optuna.Trial, objective: Callable[[optuna.Trial], float], say: Any
) -> None:
    """Run a trial, and tell the study how it ended."""
    try:
        with living(study, trial):
            state, value = _ended(trial, objective, say)
        told = patiently(lambda: study.tell(trial, value, state, skip_if_finished=True), say)
        lost = told.state != state
    except UpdateFinishedTrialError:
        lost = True
    except (KeyboardInterrupt, SystemExit):
        _give_back(study, trial)
        raise
    if lost:
        say(f"trial {trial.number}: was taken for dead, and given to another process")


def _ended(
    trial: optuna.Trial, objective: Callable[[optuna.Trial], float], say: Any
) -> tuple[TrialState, float | None]:
    """State that a trial ends in, and its value if it is complete."""
    try:
        return TrialState.COMPLETE, objective(trial)
    except Pruned as pruned:
        say(f"trial {trial.number}: pruned {pruned}".rstrip())
        return TrialState.PRUNED, None
    except Exception as error:
        usual = isinstance(error, ValueError | ArithmeticError | RuntimeError | OSError)
        reason = str(error) if usual and str(error) else repr(error)
        patiently(lambda: trial.set_user_attr("error", reason[:2000]), say)
        say(f"trial {trial.number}: failed, {reason.splitlines()[0]}")
        return TrialState.FAIL, None


def _give_back(study: optuna.Study, trial: optuna.Trial) -> None:
    """Queue a trial again that was stopped."""
    if trial.params:
        study.enqueue_trial(trial.params)
    study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)


def _reporter(trial: optuna.Trial, plan: Plan, tell: Callable[[str], None]) -> Report:
    def report(value: float, step: int) -> None:
        tell(f"trial {trial.number}: step {step}, {plan.metric} {value:.5g}")
        with contextlib.suppress(StorageInternalError):  # no reason to end a trial
            if math.isfinite(value):
                trial.report(value, step)
            if trial.should_prune():
                raise Pruned(f"at step {step}")

    return report


def _trials(study: optuna.Study, *states: TrialState) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=states or None)


def _counts(trial: FrozenTrial) -> bool:
    return trial.state in _COUNTED or (
        trial.state == TrialState.FAIL and "error" in trial.user_attrs
    )


def _check_failures(study: optuna.Study) -> None:
    """Stop a study in which nothing works.

    Raises:
        RuntimeError: If three trials failed and none was completed.
    """
    failed = _trials(study, TrialState.FAIL)
    errors = [t.user_attrs["error"] for t in failed if "error" in t.user_attrs]
    if len(errors) >= 3 and not _trials(study, TrialState.COMPLETE, TrialState.PRUNED):
        raise RuntimeError(
            f"search: trials must work, but the first {len(errors)} failed, the last with: "
            f"{errors[-1]}"
        )


def _spelled(values: Mapping[str, Any]) -> str:
    def short(value: Any) -> str:
        if isinstance(value, Mapping) and "class_path" in value:
            return str(value["class_path"]).rpartition(".")[2]
        return f"{value:.4g}" if isinstance(value, float) else str(value)

    return ", ".join(f"{path.rpartition('.')[2]} {short(v)}" for path, v in values.items())
