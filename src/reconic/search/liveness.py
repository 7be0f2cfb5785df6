"""Signs of life of trials, dead processes, and a database that is away for a while."""

from __future__ import annotations

import contextlib
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, TypeVar

import optuna
from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState

__all__ = ["ask", "fail_stale", "living", "patiently"]

_BEGAN = "began"  # mark of a trial whose process has given a sign of life
_GRACE = timedelta(seconds=60)
_PATIENCE = 300.0  # seconds without the database after which a process gives up
_AWAY = 2.0  # seconds between attempts to reach it

T = TypeVar("T")


def ask(study: optuna.Study, say: Callable[[str], None]) -> optuna.Trial:
    """A new trial, or one that waits to be tried again, with a first sign of life."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Heartbeat of storage")  # which `living` records
        trial = patiently(study.ask, say)
    patiently(lambda: _storage(study).record_heartbeat(trial._trial_id), say)
    patiently(lambda: trial.set_user_attr(_BEGAN, True), say)
    return trial


@contextlib.contextmanager
def living(study: optuna.Study, trial: optuna.Trial) -> Iterator[None]:
    """Give signs of life of a trial inside a `with` block, whenever the database is there."""
    storage, ended = _storage(study), threading.Event()

    def beat() -> None:
        while not ended.wait(storage.get_heartbeat_interval()):
            with contextlib.suppress(StorageInternalError):
                storage.record_heartbeat(trial._trial_id)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def fail_stale(study: optuna.Study) -> None:
    """Give the trials of dead processes out again; of one that never began there is nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        optuna.storages.fail_stale_trials(study)
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        age = datetime.now() - (trial.datetime_start or datetime.now())
        if _BEGAN not in trial.user_attrs and age > _GRACE:
            study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)


def patiently(call: Callable[[], T], say: Callable[[str], None]) -> T:
    """What a call to the database gives, which is waited for while it is away.

    Raises:
        ConnectionError: If it does not come back.
    """
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            return call()
        except StorageInternalError as error:
            if time.monotonic() > end:
                raise ConnectionError(
                    f"search: `storage` must be a database that answers, got no answer for "
                    f"{_PATIENCE:.0f} s. The same command goes on once it is back."
                ) from error
        say("waiting for the database")
        time.sleep(_AWAY)


def _storage(study: optuna.Study) -> Any:
    return study._storage
