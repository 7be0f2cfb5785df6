"""What a run folder holds so far, also of a run that goes on or was cut off."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from reconic.view.figures import Curve

__all__ = ["RunFiles", "read_run"]

_RECENT = 30.0  # seconds; what was written later is taken to go on


@dataclass(frozen=True)
class RunFiles:
    """Contents of a run folder.

    Attributes:
        folder: The run folder.
        curves: By tag, steps and values.
        images: By name, (step, image) in order.
        figures: PNG files, in order of their names.
        config: Text of config.yaml; empty if there is none.
        results: Text of results.json; empty if there is none.
        notes: What is wrong or not finished, each in a line.
    """

    folder: Path
    curves: dict[str, Curve]
    images: dict[str, list[tuple[int, np.ndarray]]]
    figures: list[Path]
    config: str
    results: str
    notes: tuple[str, ...]


def read_run(folder: str | Path) -> RunFiles:
    """Read a run folder as far as it is written.

    Args:
        folder: `logs/NAME/version_N`, or `logs/NAME` for its newest version.

    Raises:
        FileNotFoundError: If there is no run; lists those below.
    """
    folder, notes = _run_folder(Path(folder))
    curves, torn = _curves(folder / "metrics.jsonl")
    images, unread = _images(folder / "images")
    config = _text(folder / "config.yaml")
    results = _text(folder / "results.json")
    notes += torn + unread + list(_state(folder, curves, config, results))
    figures = sorted((folder / "figures").glob("*.png"))
    return RunFiles(folder, curves, images, figures, config, results, tuple(notes))


def _run_folder(folder: Path) -> tuple[Path, list[str]]:
    if _holds_run(folder):
        return folder, []
    versions = [p for p in folder.glob("version_*") if _holds_run(p)]
    if versions:
        newest = max(versions, key=lambda p: int(re.sub(r"\D", "", p.name) or 0))
        return newest, [f"{len(versions)} versions: {newest.name} is shown."]
    below = [str(p.parent) for p in sorted(folder.glob("*/*/metrics.jsonl"))]
    near = f" There are {', '.join(below[:3])}." if below else ""
    raise FileNotFoundError(
        f"view.run: `folder` must be a run folder, such as logs/NAME/version_0, got "
        f"{str(folder)!r}.{near}"
    )


def _holds_run(folder: Path) -> bool:
    return any((folder / name).exists() for name in ("metrics.jsonl", "config.yaml", "figures"))


def _curves(path: Path) -> tuple[dict[str, Curve], list[str]]:
    """Numbers by tag, and what could not be read."""
    if not path.is_file():
        return {}, ["No metrics.jsonl: nothing has been logged yet."]
    found: dict[str, list[tuple[int, float]]] = {}
    bad = 0
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            values = json.loads(line)
            step = int(values.pop("step"))
        except (ValueError, KeyError, TypeError, AttributeError):
            bad += 1
            continue
        values.pop("time", None)
        for tag, value in values.items():
            found.setdefault(tag, []).append((step, math.nan if value is None else value))
    curves = {tag: (np.array([s for s, _ in p]), np.array([v for _, v in p], np.float64))
              for tag, p in found.items()}  # fmt: skip
    return curves, [f"{bad} line(s) of metrics.jsonl cannot be read: left out."] * bool(bad)


def _images(folder: Path) -> tuple[dict[str, list[tuple[int, np.ndarray]]], list[str]]:
    """Images by name, mapped and not read, and those that cannot be."""
    found: dict[str, list[tuple[int, np.ndarray]]] = {}
    notes = []
    for path in sorted(folder.glob("*/*.npy")):
        try:
            image = np.load(path, mmap_mode="r")
        except (ValueError, OSError, EOFError):
            notes.append(f"{path.parent.name}/{path.name} cannot be read: left out.")
            continue
        if image.ndim >= 2 and image.size:
            found.setdefault(path.parent.name, []).append((int(path.stem), image))
    return found, notes


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _state(folder: Path, curves: dict[str, Curve], config: str, results: str) -> Iterator[str]:
    """Whether the run goes on, or ended early."""
    if not config:
        yield "No config.yaml: how the run was made is not known."
    last = int(max((steps[-1] for steps, _ in curves.values()), default=0))
    epochs = _epochs(config)
    if results or (epochs is not None and last >= epochs):
        return
    done = "" if epochs is None else f" of {epochs}"
    written = [p.stat().st_mtime for p in (*folder.glob("*"), *folder.glob("*/*")) if p.is_file()]
    age = time.time() - max(written, default=0.0)
    if age < _RECENT:
        yield f"Still being written, {age:.0f} s ago, at step {last}{done}: show it again later."
    else:
        yield f"Ended early or was cut off, at step {last}{done}."


def _epochs(config: str) -> int | None:
    """Number of epochs, for runs whose steps are epochs."""
    try:
        found = yaml.safe_load(config)
    except yaml.YAMLError:
        return None
    epochs = found.get("epochs") if isinstance(found, dict) else None
    return epochs if isinstance(epochs, int) else None
