"""What a descent ends with, in memory or read back from its folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from reconic.descent import checkpoint

__all__ = ["Fit", "history_curves", "load", "plot_history"]


@dataclass(frozen=True)
class Fit:
    """Outcome of a descent.

    Attributes:
        variables: Variables after the last step.
        best: Variables with the smallest loss, of the data or of those held out, as was asked.
        history: By name, one value per epoch: `epoch` from 1, `total`, each term unweighted, and
            `weighted/…`; with one batch the loss of the variables before the epoch's step, with
            several the mean along the way. `held_out/epoch` and `held_out/total` where there are.
        images: By name, (epoch, image) as they were logged.
        losses: `total` and each term of `best` on the data, or of the last batch's worth where the
            data are streamed.
        stopped: Why it ended before the last epoch; None if it did not.
        run: Run folder, if there is one.
    """

    variables: Any
    best: Any
    history: Mapping[str, np.ndarray]
    images: Mapping[str, list[tuple[int, np.ndarray]]]
    stopped: str | None = None
    run: Path | None = None

    def plot(self, path: str | Path | None = None) -> Figure:
        """Draw each weighted term and the total over the epochs; see `plot_history`."""
        return plot_history(self.history, path)


def load(run: str | Path) -> Fit:
    """Read back the variables, history and images of a run.

    Args:
        run: Run folder, or one of its checkpoints.

    Returns:
        Outcome up to the newest checkpoint; variables as nested dicts of NumPy arrays by name.

    Raises:
        FileNotFoundError: If there is no checkpoint.
    """
    folder = Path(run)
    saved = checkpoint.latest(folder)
    folder = saved.path.parents[1] if folder.is_file() else folder
    paths = saved.facts["variables"]
    kept = {
        part: _nested(paths, [saved.arrays.get(f"state/{part}/{i}") for i in range(len(paths))])
        for part in ("arrays", "best")
    }
    history = {
        k.removeprefix("history/"): v for k, v in saved.arrays.items() if k.startswith("history/")
    }
    return Fit(kept["arrays"], kept["best"], history, _images(folder, saved.epoch), None, folder)


def plot_history(history: Mapping[str, np.ndarray], path: str | Path | None = None) -> Figure:
    """Draw each weighted term and the total over the epochs; see `view.history_figure`.

    Args:
        history: As `Fit` has it.
        path: File to save to; None does not save.
    """
    from reconic.view import history_figure

    return history_figure(history_curves(history), path)


def history_curves(history: Mapping[str, np.ndarray]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Epochs and values by name: the total, each weighted term if there are several, held-out."""
    epoch, total = history["epoch"], history["total"]
    terms = {k.removeprefix("weighted/"): v for k, v in history.items() if "weighted/" in k}
    curves = {"total": (epoch, total)}
    curves |= {name: (epoch, v) for name, v in terms.items()} if len(terms) > 1 else {}
    if "held_out/epoch" in history:
        curves["held out"] = (history["held_out/epoch"], history["held_out/total"])
    return curves


def _nested(paths: list[str], arrays: list[np.ndarray | None]) -> Any:
    """Nested dicts from paths, each a JSON list of names."""
    tree: Any = {}
    for path, array in zip(paths, arrays, strict=True):
        names = json.loads(path)
        if not names:
            return array
        node = tree
        for name in names[:-1]:
            node = node.setdefault(name, {})
        node[names[-1]] = array
    return tree


def _images(folder: Path, epoch: int) -> dict[str, list[tuple[int, np.ndarray]]]:
    found: dict[str, list[tuple[int, np.ndarray]]] = {}
    for path in sorted((folder / "images").glob("*/*.npy")):
        if int(path.stem) <= epoch:
            found.setdefault(path.parent.name, []).append((int(path.stem), np.load(path)))
    return found
