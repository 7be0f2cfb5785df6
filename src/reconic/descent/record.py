"""What a run leaves behind: history, images, TensorBoard, a line of progress."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from reconic.descent.run_log import RunLog
from reconic.track import TrackerSpec, new_run

__all__ = ["Record", "make_run"]


class Record:
    """History and images of a run, in memory and in its folder.

    Args:
        names: Names of the terms.
        weights: Their weights.
        n_epochs: Number of epochs of the whole run.
        folder: Run folder; None writes nothing.
        progress: Whether to show a bar; None does on a terminal.
        trackers: Experiment trackers; see `reconic.track.check_trackers`.
    """

    def __init__(
        self,
        names: Sequence[str],
        weights: Sequence[float],
        n_epochs: int,
        folder: Path | None,
        progress: bool | None,
        trackers: Sequence[TrackerSpec] = (),
    ) -> None:
        self.names, self.weights = tuple(names), np.asarray(weights)
        self._rows, self._n = np.zeros((1024, len(names))), 0  # room, and how much of it is used
        self.held_out = np.zeros((0, 2))
        self.images: dict[str, list[tuple[int, np.ndarray]]] = {}
        self.folder = folder
        self._log = RunLog(folder, trackers) if folder else None
        self._bar = tqdm(
            total=n_epochs,
            unit="epoch",
            file=sys.stderr,
            disable=None if progress is None else not progress,
        )

    @property
    def rows(self) -> np.ndarray:
        """Mean of each term in each epoch (n_epochs, n_terms)."""
        return self._rows[: self._n]

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
        self.add(logs["rows"])
        self.held_out, self.images = logs["held_out"], images

    @property
    def logs(self) -> dict[str, np.ndarray]:
        """Arrays that a checkpoint keeps."""
        history = {f"history/{k}": v for k, v in self.history.items()}
        return {"rows": self.rows, "held_out": self.held_out, **history}

    def add(self, rows: np.ndarray) -> None:
        """Add epochs, the mean of each term in each."""
        end = self._n + len(rows)
        if end > len(self._rows):
            self._rows = np.concatenate([self._rows, np.zeros((end, self._rows.shape[1]))])
        self._rows[self._n : end] = rows
        self._n = end
        if not self._bar.disable:
            self._bar.update(len(rows))
            if end:
                loss = self._rows[end - 1] @ self.weights
                self._bar.set_postfix_str(f"loss {loss:.3g}", refresh=False)

    def rewind(self, epoch: int) -> None:
        """Forget what came after `epoch` epochs."""
        self._bar.update(epoch - self._n)
        self._n = epoch
        self.held_out = self.held_out[self.held_out[:, 0] <= epoch]

    def log(self, held_out: float | None) -> None:
        """Log the last epoch."""
        if held_out is not None:
            self.held_out = np.concatenate([self.held_out, [[self._n, held_out]]])
        if self._log is None:
            return
        last = self._rows[self._n - 1]
        values = {"loss/total": last @ self.weights}
        for name, weight, value in zip(self.names, self.weights, last, strict=True):
            values |= {f"loss/{name}": value, f"loss/weighted/{name}": weight * value}
        if held_out is not None:
            values["loss/held_out"] = held_out
        self._log.scalars(values, self._n)

    def show(self, images: Mapping[str, Any]) -> None:
        """Keep and log images."""
        for name, image in images.items():
            kept = np.array(image)  # a copy: the next steps use the memory of the variables again
            self.images.setdefault(name, []).append((self._n, kept))
            if self._log is not None:
                self._log.image(name, kept, self._n)

    def wait(self) -> None:
        """Return when all that was logged is on disk."""
        if self._log is not None:
            self._log.wait()

    def __enter__(self) -> Record:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Bring all to disk."""
        self._bar.close()
        if self._log is not None:
            self._log.close(failed=kind is not None)


def make_run(run: str | Path) -> Path:
    """New folder `run/version_N`.

    Raises:
        ValueError: If `run` is itself the folder of a run.
    """
    run = Path(run)
    if (run / "metrics.jsonl").exists() or (run / "checkpoints").exists():
        raise ValueError(
            f"reconstruct: `run` must be a name for new runs, got {str(run)!r}, which holds one. "
            f"Go on with it by resume={str(run)!r}, or take {str(run.parent)!r}."
        )
    return new_run(run.parent, run.name)
