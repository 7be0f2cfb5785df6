"""One process's share of a study: trial after trial, until there are enough."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import optuna
from optuna.trial import TrialState

from reconic.search.plan import Plan
from reconic.search.space import Space, placed

__all__ = ["Outcome", "Pruned", "Report", "run_trials"]

_COUNTED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
_POLL = 1.0  # seconds between looks at what other processes do
_RETRIED = "retried_trial_number"
_BEGAN = "began"  # mark of a trial whose process has given a sign of life
_GRACE = timedelta(seconds=60)


class Pruned(Exception):
    """Ends a trial that is not worth going on with."""


class Report(Protocol):
    """What a trial tells of itself on the way; raises `Pruned` if it should end."""

    def __call__(self, value: float, step: int) -> None:
        """Tell the metric at a step."""
        ...


@dataclass(frozen=True)
class Outcome:
    """What a trial ends with.

    Attributes:
        value: The metric.
        folder: Its run folder.
    """

    value: float
    folder: Path


class _Surplus(Exception):
    """A trial that another process made superfluous."""


def run_trials(
    study: optuna.Study,
    plan: Plan,
    config: Mapping[str, Any],
    run: Callable[[dict[str, Any], Report], Outcome],
    say: Callable[[str], None] = print,
    tell: Callable[[str], None] = print,
) -> None:
    """Run trials until the study has as many as planned, or time is over.

    Trials of processes that died are given out again. A trial that fails by an error of its own
    (memory, a value that diverges) is marked and the study goes on; one that is stopped by Ctrl-C
    is queued again first.

    Args:
        study: Made by `open_study`.
        plan: How to search.
        config: Configuration to search around.
        run: Runs one configuration.
        say: Told what happens, in one line each.
        tell: Told how far a trial is, often; also in one line.

    Raises:
        KeyboardInterrupt: If the user stopped it.
        RuntimeError: If the first trials all fail.
    """
    space, limit = Space(plan.space), plan.limit()
    deadline = math.inf if plan.time_limit is None else time.monotonic() + plan.time_limit

    def objective(trial: optuna.Trial) -> float:
        study._storage.record_heartbeat(trial._trial_id)  # pyright: ignore[reportAttributeAccessIssue]
        trial.set_user_attr(_BEGAN, True)
        if limit is not None and _rank(study, trial) >= limit:
            raise _Surplus
        values = space.suggest(trial)
        say(f"trial {trial.number}: {_spelled(values)}")
        outcome = run(placed(config, values), _reporter(trial, plan, tell))
        trial.set_user_attr("folder", str(outcome.folder))
        say(f"trial {trial.number}: {plan.metric} {outcome.value:.5g}, {outcome.folder}")
        return outcome.value

    while time.monotonic() < deadline:
        if limit is not None and _counted(study) >= limit:
            if not _others_run(study):
                return
            time.sleep(_POLL)
            _fail_stale(study)
            continue
        _one(study, objective, say)
        _check_failures(study)


def _one(study: optuna.Study, objective: Callable[[optuna.Trial], float], say: Any) -> None:
    """Run one trial; what it is to be ended by is told to the study."""

    def guarded(trial: optuna.Trial) -> float:
        try:
            return objective(trial)
        except Pruned as pruned:
            say(f"trial {trial.number}: pruned {pruned}".rstrip())
            raise optuna.TrialPruned from None
        except (KeyboardInterrupt, SystemExit):
            study.enqueue_trial(trial.params, user_attrs={_RETRIED: trial.number})
            raise
        except (ValueError, ArithmeticError, RuntimeError, MemoryError, OSError) as error:
            trial.set_user_attr("error", str(error)[:2000])
            reason = (str(error) or repr(error)).splitlines()[0]
            say(f"trial {trial.number}: failed, {reason}")
            raise _Failed from error

    study.optimize(guarded, n_trials=1, catch=(_Failed, _Surplus))


class _Failed(Exception):
    """A trial that failed by an error of its own."""


def _reporter(trial: optuna.Trial, plan: Plan, tell: Callable[[str], None]) -> Report:
    def report(value: float, step: int) -> None:
        tell(f"trial {trial.number}: step {step}, {plan.metric} {value:.5g}")
        if math.isfinite(value):
            trial.report(value, step)
        if trial.should_prune():
            raise Pruned(f"at step {step}")

    return report


def _fail_stale(study: optuna.Study) -> None:
    """Give the trials of dead processes out again; of one that never began there is nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        optuna.storages.fail_stale_trials(study)
    for trial in _trials(study, TrialState.RUNNING):
        age = datetime.now() - (trial.datetime_start or datetime.now())
        if _BEGAN not in trial.user_attrs and age > _GRACE:
            study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)


def _trials(study: optuna.Study, *states: TrialState) -> list[Any]:
    return study.get_trials(deepcopy=False, states=states)


def _counted(study: optuna.Study) -> int:
    return len(_trials(study, *_COUNTED))


def _rank(study: optuna.Study, trial: optuna.Trial) -> int:
    """How many trials came before this one, which all processes see alike."""
    return sum(t.number < trial.number for t in _trials(study, *_COUNTED))


def _others_run(study: optuna.Study) -> bool:
    return bool(_trials(study, TrialState.RUNNING, TrialState.WAITING))


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
