"""What a run demands of its data, looked at before anything is written."""

from __future__ import annotations

from collections.abc import Iterable

from reconic.train.data import ReconData
from reconic.train.losses import Loss

__all__ = ["check_data"]


def check_data(
    data: ReconData, loss: Loss, monitor: str, trains: bool, baselines: Iterable[str]
) -> None:
    """Check that all data that a run uses are there, and have true images where they are needed.

    Args:
        data: Examples; of those that the run does not use, nothing is asked.
        loss: What is minimised.
        monitor: Validation metric that chooses the best checkpoint.
        trains: Whether there is something to train.
        baselines: Methods to compare with; the λ of CG-SENSE is chosen on validation examples.

    Raises:
        FileNotFoundError: If a data file is missing.
        ValueError: If true images are missing that loss or monitor need.
    """
    splits = ("train", "val", "test") if trains else ("test",)
    has_truth = {split: "x" in data.dataset(split)[0] for split in splits}
    if not trains:
        if has_truth["test"] and "cg-sense" in baselines:
            data.dataset("val")
        return
    name = type(loss).__name__
    for split in ("train", "val"):
        if loss.needs_truth and not has_truth[split]:
            raise ValueError(
                f"loss: {name} must have true images, got {split} data without any. Choose a loss "
                "that needs none, such as SSDU, or data with the key `imgs`."
            )
    if monitor != "loss" and not has_truth["val"]:
        raise ValueError(
            f"checkpoint: `monitor` must be loss for validation data without true images, got "
            f"{monitor}."
        )
