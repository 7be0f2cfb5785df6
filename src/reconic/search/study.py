"""The study: trials in a database that any number of processes and machines share."""

from __future__ import annotations

import contextlib
import json
import logging
import re
import time
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import optuna
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError

from reconic.search.plan import Plan
from reconic.search.sampler import make_sampler
from reconic.search.space import Space
from reconic.track import hidden

__all__ = ["open_study"]

_HEARTBEAT = 15  # seconds between signs of life of a trial
_GRACE = 60  # seconds without one after which its process is taken for dead
_BUSY = 60  # seconds to wait for a SQLite file that another process writes
_MAKING = 0.5  # seconds after which another process may have made the tables

optuna.logging.set_verbosity(optuna.logging.ERROR)
logging.getLogger("alembic").setLevel(logging.WARNING)


@contextlib.contextmanager
def open_study(
    storage: str | Path,
    name: str,
    plan: Plan,
    config: Mapping[str, Any],
    *,
    heartbeat: int = _HEARTBEAT,
    grace: int = _GRACE,
) -> Iterator[optuna.Study]:
    """Study, new or gone on with, whose connections are closed at the end of a `with` block.

    Args:
        storage: SQLite file, or the URL of a database: `postgresql://user:password@host/database`.
        name: Name of the study in the database.
        plan: How to search.
        config: Configuration to search around.
        heartbeat: Seconds between signs of life of a running trial.
        grace: Seconds without one after which the trial is given to another process.

    Raises:
        ConnectionError: If the database cannot be reached.
        ValueError: If a study of that name is there that searches something else, or the URL is
            ambiguous.
    """
    url = _url(storage)
    try:
        backend = _storage(url, plan.retries, heartbeat, grace)
    except (
        DBAPIError, ArgumentError, NoSuchModuleError, ImportError, RuntimeError, ValueError
    ) as error:  # fmt: skip
        reason = hidden(str(error).splitlines()[0])
        raise ConnectionError(
            f"search: `storage` must be a database that can be reached, got {hidden(url)} "
            f"({reason}). Check the address, the user and the password."
        ) from None
    try:
        study = optuna.create_study(
            study_name=name,
            storage=backend,
            direction="maximize" if plan.larger_is_better else "minimize",
            sampler=make_sampler(plan),
            pruner=_pruner(plan),
            load_if_exists=True,
        )
        _claim(study, plan, config)
        yield study
    finally:
        backend.remove_session()
        backend.engine.dispose()


def _storage(
    url: str, retries: int, heartbeat: int, grace: int, tries: int = 3
) -> optuna.storages.RDBStorage:
    """The database; made by one of the processes that come to an empty one at the same time."""
    try:
        return _opened(url, retries, heartbeat, grace)
    except DBAPIError as error:
        made = isinstance(error, IntegrityError) or "already exists" in str(error)
        if not made or tries == 1:
            raise
    time.sleep(_MAKING)
    return _storage(url, retries, heartbeat, grace, tries - 1)


def _opened(url: str, retries: int, heartbeat: int, grace: int) -> optuna.storages.RDBStorage:
    busy = {"connect_args": {"timeout": _BUSY}} if url.startswith("sqlite") else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.storages.RDBStorage(
            url,
            heartbeat_interval=heartbeat,
            grace_period=grace,
            heartbeat_stale_trial_callback=optuna.storages.RetryHeartbeatStaleTrialCallback(
                max_retry=retries
            ),
            engine_kwargs={"pool_pre_ping": True, **busy},
        )


def _url(storage: str | Path) -> str:
    text = str(storage)
    if "://" not in text:
        Path(text).parent.mkdir(parents=True, exist_ok=True)
        return f"sqlite:///{text}"
    if text.partition("?")[0].count("@") > 1:
        raise ValueError(
            f"search: `storage` must have one @, before the host, got {hidden(text)}. Write one in "
            "the password as %40."
        )
    return re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", text)


def _claim(study: optuna.Study, plan: Plan, config: Mapping[str, Any]) -> None:
    """Write down what a new study searches, or check that an old one searches the same."""
    mine = {
        "command": plan.command,
        "metric": plan.metric,
        "direction": "maximize" if plan.larger_is_better else "minimize",
        "space": Space(plan.space).spec,
        "config": json.loads(json.dumps(dict(config))),
    }
    theirs = study.user_attrs.get("search")
    if theirs is None:
        study.set_user_attr("search", mine)
        return
    differing = [key for key in mine if theirs.get(key) != mine[key]]
    if differing:
        raise ValueError(
            f"search: the study {study.study_name!r} in this database must search the same, got "
            f"another {', '.join(differing)}. Choose another `name`, or another storage."
        )


def _pruner(plan: Plan) -> optuna.pruners.BasePruner:
    if plan.pruner == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=0)
    if plan.pruner == "hyperband":
        return optuna.pruners.HyperbandPruner()
    return optuna.pruners.NopPruner()
