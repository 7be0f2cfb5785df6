"""One example as a recon sees it now, and the panels that show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from reconic._array import fftc
from reconic.recons import Recon
from reconic.train.system import SystemFactory
from reconic.view import grey_scale, tile, to_error, to_grey, to_log_kspace, to_phase

__all__ = ["Snapshot", "changing_panels", "fixed_panels", "snapshot"]

_MOST_PASSES = 8  # shown of a recon that has more, evenly spaced, with the last


@dataclass(frozen=True)
class Snapshot:
    """One example, reconstructed.

    Attributes:
        y: Measurements (*A.out_shape).
        adjoint: Aᴴy (*A.in_shape).
        passes: Images after each pass, the last one the result.
        truth: True image, None if there is none.
        n_space: Number of spatial axes.
    """

    y: np.ndarray
    adjoint: np.ndarray
    passes: list[np.ndarray]
    truth: np.ndarray | None
    n_space: int

    @property
    def x_hat(self) -> np.ndarray:
        """The result."""
        return self.passes[-1]


def snapshot(recon: Recon, system: SystemFactory, example: Mapping[str, Tensor]) -> Snapshot:
    """Reconstruct one example, keeping the image after each pass.

    Args:
        recon: Recon, on any device.
        system: Makes the forward model of the example.
        example: Batch of one.
    """
    place = next(recon.parameters()).device
    batch = {name: value.to(place) for name, value in example.items()}
    measured, A = system.measured(batch)
    passes = recon.trace(measured, A)
    shown = [passes[i] for i in _spaced(len(passes))]
    y, adjoint, *images = (v[0].cpu().numpy() for v in (measured, A.adjoint(measured), *shown))
    truth = batch["x"][0].cpu().numpy() if "x" in batch else None
    return Snapshot(y, adjoint, images, truth, system.n_space)


def changing_panels(shot: Snapshot) -> dict[str, np.ndarray]:
    """Panels that change with the recon's weights, uint8.

    `prediction`, its `phase` and `kspace`; `error` (times 5) where the truth is known; `passes`,
    the image after each pass above its error; `rss`, for data with more axes than space, the
    input, the prediction and the truth, each combined over those axes by root sum of squares.
    Without a truth the prediction sets its own grey scale.
    """
    x_hat = _plane(shot.x_hat)
    truth = None if shot.truth is None else _plane(shot.truth)
    vmax = grey_scale([x_hat if truth is None else truth])
    panels = {
        "prediction": to_grey(x_hat, vmax),
        "phase": to_phase(x_hat),
        "kspace": to_log_kspace(fftc(x_hat, (-2, -1))),
    }
    if truth is not None:
        panels["error"] = to_error(x_hat, truth, vmax)
    if len(shot.passes) > 1:
        planes = [_plane(x) for x in shot.passes]
        rows = [[to_grey(x, vmax) for x in planes]]
        rows += [] if truth is None else [[to_error(x, truth, vmax) for x in planes]]
        panels["passes"] = tile(rows)
    if shot.x_hat.ndim > shot.n_space:
        panels["rss"] = _combined(shot)
    return panels


def fixed_panels(shot: Snapshot) -> dict[str, np.ndarray]:
    """Panels that never change, uint8: `input` and `truth` with their phases, `measured_kspace`.

    Aᴴy of undersampled data is darker than the truth; on the truth's grey scale that shows.
    """
    adjoint = _plane(shot.adjoint)
    panels = {"input_phase": to_phase(adjoint)}
    if shot.truth is None:
        panels["input"] = to_grey(adjoint)
    else:
        truth = _plane(shot.truth)
        vmax = grey_scale([truth])
        panels |= {"input": to_grey(adjoint, vmax), "truth": to_grey(truth, vmax)}
        panels["truth_phase"] = to_phase(truth)
    if shot.y.ndim >= 2:
        panels["measured_kspace"] = to_log_kspace(np.stack([_plane(c) for c in _channels(shot.y)]))
    return panels


def _combined(shot: Snapshot) -> np.ndarray:
    axes = tuple(range(shot.x_hat.ndim - shot.n_space))
    found = (shot.adjoint, shot.x_hat, shot.truth)
    rss = [np.sqrt(np.sum(np.abs(x) ** 2, axes)) for x in found if x is not None]
    vmax = grey_scale([_plane(rss[-1])])
    return tile([[to_grey(_plane(x), vmax) for x in rss]])


def _channels(y: np.ndarray) -> np.ndarray:
    """Measurements with their first axis a channel's."""
    return y if y.ndim > 2 else y[None]


def _plane(x: np.ndarray) -> np.ndarray:
    """The middle plane (ny, nx) of an image of more axes."""
    return x[tuple(n // 2 for n in x.shape[:-2])]


def _spaced(n: int) -> list[int]:
    """Indices of at most `_MOST_PASSES` of n passes, the last one among them."""
    k = min(n, _MOST_PASSES)
    return [round((i + 1) * n / k) - 1 for i in range(k)]
