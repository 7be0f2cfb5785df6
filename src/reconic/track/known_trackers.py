"""What W&B and MLflow need beside the interface that Lightning's loggers share."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["KNOWN", "OTHER", "Known", "known"]


def _nothing(*_: Any) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Known:
    """A logger of Lightning.

    Attributes:
        path: Its class.
        levels: Levels of Python's loggers, below which messages tell users nothing of use.
        defaults: Its arguments, given the run folder and the arguments that the user chose.
        show: Logs a uint8 panel: logger, tag, panel, step.
        end: Ends a run after `finalize`: logger, whether it failed.
    """

    path: str = ""
    levels: Mapping[str, int] = field(default_factory=dict)
    defaults: Callable[[Path, Mapping[str, Any]], dict[str, Any]] = _nothing
    show: Callable[[Any, str, np.ndarray, int], Any] = _nothing
    end: Callable[[Any, bool], Any] = _nothing


def known(cls: type) -> Known:
    """What is known of a logger's class, which may be derived from one of Lightning's."""
    kinds = {kind.path.rpartition(".")[2]: kind for kind in KNOWN.values()}
    return next((kinds[c.__name__] for c in cls.__mro__ if c.__name__ in kinds), OTHER)


def _wandb_defaults(folder: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    name = folder.parent.name
    offline = given.get("offline", True)
    return {
        "project": os.environ.get("WANDB_PROJECT", name),
        "name": f"{name}/{folder.name}",
        "save_dir": str(folder),
        "offline": offline,
        "settings": {"silent": offline, "console": "off"},
    }


def _wandb_show(logger: Any, tag: str, panel: np.ndarray, step: int) -> None:
    logger.log_image(tag, [panel], step=step)


def _wandb_end(logger: Any, failed: bool) -> None:
    logger.experiment.finish(exit_code=int(failed))  # else the next run would go into it, too


def _mlflow_defaults(folder: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    named = {"experiment_name": folder.parent.name, "run_name": folder.name}
    if given.get("tracking_uri"):
        return named
    home = folder.resolve().parents[1]
    uri, artifacts = f"sqlite:///{home / 'mlflow.db'}", (home / "mlartifacts").as_uri()
    return {**named, "tracking_uri": uri, "artifact_location": artifacts}


def _mlflow_show(logger: Any, tag: str, panel: np.ndarray, step: int) -> None:
    logger.experiment.log_image(logger.run_id, panel, key=tag, step=step, synchronous=True)


_HOME = "lightning.pytorch.loggers"
_MLFLOW_LEVELS = {"mlflow": logging.WARNING, f"{_HOME}.mlflow": logging.ERROR}
OTHER = Known()
KNOWN = {
    "wandb": Known(f"{_HOME}.WandbLogger", {}, _wandb_defaults, _wandb_show, _wandb_end),
    "mlflow": Known(f"{_HOME}.MLFlowLogger", _MLFLOW_LEVELS, _mlflow_defaults, _mlflow_show),
}
