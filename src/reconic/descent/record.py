"""What a run leaves behind: history, images, TensorBoard, a line of progress."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from reconic.io import atomic_path
from reconic.track import RunWriter, environment, new_run, write_json, write_text
from reconic.view import grey_scale, to_grey, to_phase

__all__ = ["Record", "make_run"]


class Record:
    """History and images of a run, in memory and in its folder.

    Args:
        names: Names of the terms.
        weights: Their weights.
        n_epochs: Number of epochs of the whole run.
        folder: Run folder; None writes nothing.
        progress: Whether to show a bar; None does on a terminal.
    """

    def __init__(
        self,
        names: Sequence[str],
        weights: Sequence[float],
        n_epochs: int,
        folder: Path | None,
        progress: bool | None,
    ) -> None:
        self.names, self.weights = tuple(names), np.asarray(weights)
        self.rows = np.zeros((0, len(names)))
        self.held_out = np.zeros((0, 2))
        self.images: dict[str, list[tuple[int, np.ndarray]]] = {}
        self.folder = folder
        self._writer = RunWriter(folder) if folder else None
        self._white: dict[str, float] = {}
        self._bar = tqdm(
            total=n_epochs,
            unit="epoch",
            file=sys.stderr,
            disable=None if progress is None else not progress,
        )

    @property
    def totals(self) -> np.ndarray:
        """Total loss of each epoch."""
        return self.rows @ self.weights

    @property
    def history(self) -> dict[str, np.ndarray]:
        """By name, one value per epoch; see `Fit`."""
        columns = dict(zip(self.names, self.rows.T, strict=True))
        found = {"epoch": 1 + np.arange(len(self.rows)), "total": self.totals, **columns}
        weighted = zip(columns.items(), self.weights, strict=True)
        found |= {f"weighted/{name}": weight * value for (name, value), weight in weighted}
        if len(self.held_out):
            found["held_out/epoch"] = self.held_out[:, 0].astype(int)
            found["held_out/total"] = self.held_out[:, 1]
        return found

    def resume(self, logs: Mapping[str, np.ndarray], images: dict) -> None:
        """Take over what an earlier part of the run has recorded."""
        self.rows, self.held_out = logs["rows"], logs["held_out"]
        self.images = images
        self._bar.update(len(self.rows))

    @property
    def logs(self) -> dict[str, np.ndarray]:
        """Arrays that a checkpoint keeps."""
        history = {f"history/{k}": v for k, v in self.history.items()}
        return {"rows": self.rows, "held_out": self.held_out, **history}

    def add(self, rows: np.ndarray) -> None:
        """Add epochs, the mean of each term in each."""
        self.rows = np.concatenate([self.rows, rows])
        if not self._bar.disable:
            self._bar.update(len(rows))
            if len(self.rows):
                self._bar.set_postfix_str(f"loss {self.totals[-1]:.3g}", refresh=False)

    def log(self, held_out: float | None) -> None:
        """Log the last epoch."""
        epoch = len(self.rows)
        if held_out is not None:
            self.held_out = np.concatenate([self.held_out, [[epoch, held_out]]])
        if self._writer is None:
            return
        last = {k: float(v[-1]) for k, v in self.history.items() if "held_out" not in k}
        values = {f"loss/{k}": v for k, v in last.items() if k not in ("epoch",)}
        if held_out is not None:
            values["loss/held_out"] = held_out
        self._writer.scalars(values, epoch)

    def show(self, images: Mapping[str, Any]) -> None:
        """Keep and log images, each on a grey scale that only ever grows, twofold at a time."""
        epoch = len(self.rows)
        for name, image in images.items():
            image = np.asarray(image)
            self.images.setdefault(name, []).append((epoch, image))
            if self.folder is not None:
                _save(self.folder / "images" / _file_name(name), epoch, image)
            if self._writer is not None and image.ndim >= 2:
                self._draw(name, image, epoch)

    def _draw(self, name: str, image: np.ndarray, epoch: int) -> None:
        assert self._writer is not None
        while image.ndim > 2:
            image = image[image.shape[0] // 2]
        image = np.where(np.isfinite(image), image, 0)
        white = self._white.get(name) or grey_scale([image])
        while grey_scale([image]) > 2 * white and np.any(image):
            white *= 2
        self._white[name] = white
        panels = {name: to_grey(image, white)}
        if np.iscomplexobj(image):
            panels[f"{name}/phase"] = to_phase(image)
        self._writer.images(panels, epoch)
        self._writer.scalars({f"white/{name}": white}, epoch)

    def close(self) -> None:
        """Bring all to disk."""
        self._bar.close()
        if self._writer is not None:
            self._writer.close()


def make_run(run: str | Path, settings: Mapping[str, Any]) -> Path:
    """New folder `run/version_N` with `config.yaml` and the environment's versions.

    Raises:
        ValueError: If `run` is itself the folder of a run.
    """
    run = Path(run)
    if (run / "metrics.jsonl").exists() or (run / "checkpoints").exists():
        raise ValueError(
            f"reconstruct: `run` must be a name for new runs, got {str(run)!r}, which holds one. "
            f"Go on with it by resume={str(run)!r}, or take {str(run.parent)!r}."
        )
    folder = new_run(run.parent, run.name)
    write_text(
        folder / "config.yaml", "".join(f"{k}: {json.dumps(v)}\n" for k, v in settings.items())
    )
    write_json(folder / "environment.json", environment())
    return folder


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]", "_", name)


def _save(folder: Path, epoch: int, image: np.ndarray) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(folder / f"{epoch:08d}.npy") as part:
        np.save(part, image)
