"""What a run ended with: its figures by name, to compare runs by."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

__all__ = ["command_of", "figures_of", "read_finished"]

_COMPARED = ("val/", "loss/")  # tags whose last value counts


def read_finished(run: Path) -> dict[str, Any]:
    """Configuration of a run folder, checked to be of a run that went to its end.

    Raises:
        FileNotFoundError: If it is no run folder.
        ValueError: If the run is still being written, was cut off, or is of another kind.
    """
    path = run / "config.yaml"
    if not path.is_file():
        trials = " Give one of the trials of the search." if (run / "study.db").exists() else ""
        raise FileNotFoundError(
            f"bundle: `run` must be a run folder with config.yaml, got {str(run)!r}.{trials}"
        )
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    command = command_of(config)
    if not (run / "metrics.jsonl").is_file():
        raise ValueError(
            f"bundle: {run} must hold metrics.jsonl, as a run has, got none. Give the run itself, "
            "not a test of it."
        )
    if not (run / "results.json").is_file() or _cut_short(run, config):
        age = time.time() - (run / "metrics.jsonl").stat().st_mtime
        resume = "" if command == "recon" else f", or go on by `reconic {command} --resume {run}`"
        raise ValueError(
            f"bundle: {run} must have come to its end, got a run that is still being written or "
            f"was cut off, last written to {age:.0f} s ago. Wait for it{resume}."
        )
    return config


def command_of(config: Mapping[str, Any]) -> str:
    """Which command a configuration is for: train, descend or recon.

    Raises:
        ValueError: If it is for none, such as of a run that was made from Python.
    """
    keys = {"trainer": "train", "scene": "descend", "ksp": "recon"}
    found = [command for key, command in keys.items() if key in config]
    if len(found) != 1:
        raise ValueError(
            "bundle: the run's config.yaml must be of `reconic train`, `descend` or `recon`, got "
            "one that no command can run again. Was it made from Python?"
        )
    return found[0]


def figures_of(run: Path) -> dict[str, float | None]:
    """Numbers of results.json, and the last values of losses and validation; None is NaN."""
    results = json.loads((run / "results.json").read_text(encoding="utf-8"))
    found: dict[str, float | None] = {}
    for line in _lines(run):
        found |= {k: v for k, v in line.items() if k.startswith(_COMPARED)}
    return {**_flat(results), **found}


def _lines(run: Path) -> list[dict[str, Any]]:
    text = (run / "metrics.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def _cut_short(run: Path, config: Mapping[str, Any]) -> bool:
    """Whether a descent ended before its last epoch, by its user or its time limit."""
    steps = [line["step"] for line in _lines(run)]
    return "scene" in config and max(steps, default=0) < config["epochs"]


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{name}/")
        elif value is None or isinstance(value, int | float):
            found[f"{prefix}{name}"] = value
    return found
