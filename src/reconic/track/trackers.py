"""Experiment trackers beside TensorBoard: W&B, MLflow, and any logger of Lightning's interface."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reconic.track.known_trackers import KNOWN, OTHER, known
from reconic.track.run_folder import hidden
from reconic.track.scrub import SECRET

__all__ = ["TrackerSpec", "Trackers", "check_trackers", "open_trackers"]

_log = logging.getLogger("reconic.track")

TrackerSpec = str | Mapping[str, Any]


class Trackers:
    """Passes on what a run logs to all its trackers.

    One that fails while the run goes on is told of and left out from then on.

    Args:
        loggers: Loggers by name, with the methods `log_metrics`, `log_hyperparams` and `finalize`
            of Lightning's `Logger`.
    """

    def __init__(self, loggers: Mapping[str, Any]) -> None:
        self._loggers = dict(loggers)

    def hparams(self, values: dict[str, Any]) -> None:
        """Log hyper-parameters, the first that a tracker gets.

        Raises:
            ConnectionError: If a tracker cannot be started.
        """
        for name, logger in self._loggers.items():
            try:
                logger.log_hyperparams(values)
            except Exception as error:  # of any kind, by the tracker
                raise ConnectionError(
                    f"trackers: {name} must start, got: {hidden(str(error))}. Check its settings, "
                    "or leave it out of `trackers`."
                ) from error

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Log numbers by tag."""
        self._tell(lambda logger: logger.log_metrics(dict(values), step=step))

    def images(self, panels: Mapping[str, np.ndarray], step: int) -> None:
        """Log uint8 panels by tag, with trackers that show images."""
        for tag, panel in panels.items():
            self._tell(lambda logger, t=tag, p=panel: known(type(logger)).show(logger, t, p, step))

    def close(self, failed: bool = False) -> None:
        """End all."""

        def end(logger: Any) -> None:
            logger.finalize("failed" if failed else "success")
            known(type(logger)).end(logger, failed)

        self._tell(end)

    def _tell(self, call: Callable[[Any], object]) -> None:
        for name, logger in list(self._loggers.items()):
            try:
                call(logger)
            except Exception as error:  # of any kind, by the tracker: the run goes on
                del self._loggers[name]
                _log.warning("trackers: %s is left out after: %s", name, hidden(str(error)))


@dataclass(frozen=True)
class _Planned:
    """A logger that is to be made."""

    name: str
    cls: Callable[..., Any]
    arguments: dict[str, Any]


def check_trackers(specs: Sequence[TrackerSpec]) -> None:
    """Check a section `trackers` before anything runs.

    Args:
        specs: Each "wandb" or "mlflow", alone or with arguments of Lightning's logger, as
            {"wandb": {…}}; or any class with the interface of Lightning's `Logger`, as
            {"class_path": …, "init_args": {…}}.

    Raises:
        ImportError: If a package is missing; says which to install.
        TypeError: If a class does not take an argument.
        ValueError: If it is none of these, or holds a password or token.
    """
    for spec in specs:
        _planned(spec)


def open_trackers(specs: Sequence[TrackerSpec], folder: Path) -> Trackers:
    """Trackers of a run; W&B and MLflow work offline unless their arguments say otherwise.

    Args:
        specs: See `check_trackers`.
        folder: Run folder `…/NAME/version_N`; W&B writes into it, MLflow beside NAME.
    """
    loggers = {}
    for plan in map(_planned, specs):
        kind = KNOWN.get(plan.name, OTHER)
        arguments = {**kind.defaults(folder, plan.arguments), **plan.arguments}
        name = f"{plan.name} {len(loggers) + 1}" if plan.name in loggers else plan.name
        loggers[name] = plan.cls(**arguments)
        for path, level in kind.levels.items():  # only now: importing a package sets its own
            logging.getLogger(path).setLevel(level)
    return Trackers(loggers)


def _planned(spec: TrackerSpec) -> _Planned:
    name, path, arguments = _spelled(spec)
    _refuse_secrets(arguments, name)
    cls = _found(name, path)
    try:
        inspect.signature(cls).bind(**arguments)
    except TypeError as error:
        raise TypeError(f"trackers: the arguments of {name} must fit, got: {error}.") from None
    return _Planned(name, cls, arguments)


def _spelled(spec: Any) -> tuple[str, str, dict[str, Any]]:
    """Name, class path and arguments of a tracker."""
    if isinstance(spec, str) and spec in KNOWN:
        return spec, KNOWN[spec].path, {}
    if isinstance(spec, Mapping) and len(spec) == 1 and set(spec) <= set(KNOWN):
        ((name, arguments),) = spec.items()
        return name, KNOWN[name].path, dict(arguments or {})
    if isinstance(spec, Mapping) and "." in str(spec.get("class_path")):
        path, keys = spec["class_path"], ("init_args", "dict_kwargs")
        arguments = {k: v for key in keys for k, v in (spec.get(key) or {}).items()}
        names = {kind.path: name for name, kind in KNOWN.items()}
        return names.get(path) or path, path, arguments
    raise ValueError(
        f"trackers: each must be {', '.join(KNOWN)} or have a `class_path`, got {spec!r}. "
        "Such as [wandb], or [{wandb: {project: knee}}]."
    )


def _refuse_secrets(value: Any, name: str, key: str = "") -> None:
    """Raise if a run's configuration, which is kept and passed on, would hold something secret."""
    for k, inner in value.items() if isinstance(value, Mapping) else ():
        _refuse_secrets(inner, name, str(k))
    for inner in value if isinstance(value, list) else ():
        _refuse_secrets(inner, name, key)
    if isinstance(value, str) and (SECRET.search(key) or hidden(value) != value):
        raise ValueError(
            f"trackers: the arguments of {name} must hold no secret, got one in `{key}`. Log in by "
            "the tracker's own command, or its environment variable."
        )


def _found(name: str, path: str) -> Callable[..., Any]:
    """Class of a logger."""
    needs = {name: "trackers", "lightning": "train"} if name in KNOWN else {}
    for package, extra in needs.items():
        if importlib.util.find_spec(package) is None:
            raise ImportError(
                f"trackers: {name} needs the package {package}: install it by "
                f"`pip install 'reconic[{extra}]'`."
            )
    module, _, attribute = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(
            f"trackers: `class_path` must be a class that can be imported, got {path} ({error})."
        ) from error
