"""The files that a run writes as it goes: TensorBoard, lines of JSON, images."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import yaml

from reconic.io import atomic_path
from reconic.track import Background, RunWriter, TrackerSpec, environment, write_json
from reconic.view import grey_scale, to_grey, to_phase

__all__ = ["RunLog"]


class RunLog:
    """Writes into a run folder on a thread, while the next steps are computed.

    Args:
        folder: Run folder; must exist.
        trackers: Experiment trackers; see `reconic.track.check_trackers`.
    """

    def __init__(self, folder: Path, trackers: Sequence[TrackerSpec] = ()) -> None:
        self._folder = folder
        self._trackers = trackers
        self._white: dict[str, float] = {}
        self._thread = Background()
        self._thread.do(self._open)

    def scalars(self, values: Mapping[str, float], epoch: int) -> None:
        """Log numbers by tag."""
        self._thread.do(lambda: self._writer.scalars(values, epoch))

    def image(self, name: str, image: np.ndarray, epoch: int) -> None:
        """Save an image, and show it on a grey scale that only ever grows, twofold at a time."""
        self._thread.do(self._image, name, image, epoch)

    def wait(self) -> None:
        """Return when all is on disk."""
        self._thread.wait()

    def close(self, failed: bool = False) -> None:
        """Bring all to disk and close the files."""
        self._thread.do(lambda: self._writer.close(failed))
        self._thread.close()

    def _open(self) -> None:
        if not (self._folder / "environment.json").exists():
            write_json(self._folder / "environment.json", environment())
        self._writer = RunWriter(self._folder, self._trackers)
        config = (self._folder / "config.yaml").read_text(encoding="utf-8")
        self._writer.hparams(yaml.safe_load(config))
        self._writer.text("config", f"```yaml\n{config}```")

    def _image(self, name: str, image: np.ndarray, epoch: int) -> None:
        _save(self._folder / "images" / re.sub(r"[^\w.-]", "_", name), epoch, image)
        if image.ndim >= 2:
            self._draw(name, image, epoch)

    def _draw(self, name: str, image: np.ndarray, epoch: int) -> None:
        while image.ndim > 2:
            image = image[image.shape[0] // 2]
        image = np.where(np.isfinite(image), image, 0)
        top = grey_scale([image])
        white = self._white.get(name, top)
        while top > 2 * white and np.any(image):
            white *= 2
        self._white[name] = white
        panels = {name: to_grey(image, white)}
        if np.iscomplexobj(image):
            panels[f"{name}/phase"] = to_phase(image)
        self._writer.images(panels, epoch)
        self._writer.scalars({f"white/{name}": white}, epoch)


def _save(folder: Path, epoch: int, image: np.ndarray) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(folder / f"{epoch:08d}.npy") as part:
        np.save(part, image)
