"""Where training is, so that another process can go on from there as if nothing had happened."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

__all__ = ["Position", "random_state", "set_random_state"]


@dataclass(frozen=True)
class Position:
    """What training does next.

    Attributes:
        epoch: Epoch, from 0.
        n_done: Number of its batches that are done.
        validating: Whether the validation that follows these batches is still to be done.
    """

    epoch: int = 0
    n_done: int = 0
    validating: bool = False

    def after(self, n_batches: float) -> Position:
        """The same position, with the end of an epoch of `n_batches` as the start of the next."""
        ended = self.n_done >= n_batches and not self.validating
        return Position(self.epoch + 1) if ended else self

    def write(self, loops: dict[str, Any], n_logged: int) -> None:
        """Write the position into the state of Lightning's loops.

        What Lightning itself saves depends on the hook that it is saved from, and for some hooks it
        goes on with an extra step, or leaves a validation out. The counters written here are those
        of a run between two batches, or just before a validation, which it takes up exactly.

        Args:
            loops: State of Lightning's fit loop, of a batch that is complete.
            n_logged: Number of optimizer steps before this position, as far as loggers count them.
        """
        n_total = loops["epoch_loop.batch_progress"]["total"]["completed"]
        before, inside = _counts(self.epoch), self.epoch + 1
        epoch = {**before, "ready": inside, "started": inside}
        # `started` one behind tells that the validation of the last batch, if any, is over
        total = _counts(n_total) | ({} if self.validating else {"started": n_total - 1})
        waiting = {"ready": 1, "started": 1} if self.validating else {}
        loops["epoch_progress"] = {"total": epoch, "current": dict(epoch)}
        loops["epoch_loop.batch_progress"] |= {"total": total, "current": _counts(self.n_done)}
        loops["epoch_loop.batch_progress"]["is_last_batch"] &= self.validating
        loops["epoch_loop.val_loop.batch_progress"] |= {
            "total": _counts(0) | waiting,
            "current": _counts(0),
        }
        loops["epoch_loop.state_dict"]["_batches_that_stepped"] = n_logged - 1  # it adds the one

    def of_data(self, n_batches: float) -> dict[str, int]:
        """Position in the training examples, of `n_batches` in an epoch; validation needs none."""
        position = replace(self, validating=False).after(n_batches)
        return {"epoch": position.epoch, "n_done": position.n_done}


def _counts(n: int) -> dict[str, int]:
    return dict.fromkeys(("ready", "completed", "started", "processed"), n)


def random_state() -> dict[str, Any]:
    """State of the global random generators of torch, NumPy and Python, as plain values."""
    _, keys, *position = np.random.get_state(legacy=True)  # noqa: NPY002
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": [torch.from_numpy(np.asarray(keys).astype(np.int64)), *position],
        "python": random.getstate(),
    }


def set_random_state(state: dict[str, Any]) -> None:
    """Set the global random generators; those of another number of GPUs are left alone."""
    torch.set_rng_state(state["torch"])
    if state["cuda"] and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
    keys, *position = state["numpy"]
    np.random.set_state(("MT19937", keys.numpy().astype(np.uint32), *position))  # noqa: NPY002
    version, values, gauss = state["python"]
    random.setstate((version, tuple(values), gauss))
