"""Comparing recons on a set of examples, each baseline at its best."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from reconic.recons import CGSense, Recon
from reconic.recons.holdout import minimise_over_lam
from reconic.track import TRUTH, Scores
from reconic.train import processes
from reconic.train.module import METRICS, metric_mode, scores
from reconic.train.system import SystemFactory

__all__ = ["best_lam", "evaluate", "means", "reconstruct"]

Batches = Iterable[dict[str, Tensor]]
Keep = Callable[[str, int, np.ndarray], None]  # method, index of the first image, images


def evaluate(
    recons: Mapping[str, Recon],
    batches: Batches,
    system: SystemFactory,
    device: str = "cpu",
    progress: str | None = None,
    keep: Keep | None = None,
) -> Scores:
    """Score recons on the same examples, of which each rank of a run gives its share.

    The baseline "cg-sense" is the least-squares solution, without density weights: with them it is
    several dB worse. The other recons get the data as in training.

    Args:
        recons: Recons by name.
        batches: Batches of examples, as a data loader gives them; in a run of p ranks, rank r has
            examples r, r + p, r + 2p …, in batches of one.
        system: Makes the forward model of a batch.
        device: Where to compute.
        progress: What to write beside a progress bar; None shows none.
        keep: Called with the name, the index of the first image and the images (batch, *in_shape)
            of each recon and of the "truth".

    Returns:
        For each recon, the values of "nrmse", "psnr" and "ssim", one for each example.
    """
    found: Scores = {name: {metric: [] for metric in METRICS} for name in recons}
    for recon in recons.values():
        recon.to(device).eval()
    n_seen = 0
    with torch.no_grad():
        hidden = progress is None or not processes.is_first()
        for batch in tqdm(batches, progress, leave=False, **_bar(hidden)):
            batch = {name: value.to(device) for name, value in batch.items()}
            n = n_seen * processes.count() + processes.rank()
            n_seen += len(batch["x"])
            images = {
                name: recon(*system.measured(batch, weighted=name != "cg-sense"))
                for name, recon in recons.items()
            }
            for name, x_hat in images.items():
                for metric, value in scores(x_hat, batch["x"], system.n_space).items():
                    found[name][metric].extend(value.tolist())
            if keep is not None:
                for name, x in {**images, TRUTH: batch["x"]}.items():
                    keep(name, n, x.cpu().numpy())
    return {
        name: {metric: processes.dealt(values) for metric, values in by_metric.items()}
        for name, by_metric in found.items()
    }


def _bar(hidden: bool) -> dict[str, Any]:
    """Settings of a progress bar; one that is not hidden may still be by TQDM_DISABLE."""
    return {"disable": True} if hidden else {}


def means(found: Scores) -> dict[str, dict[str, float]]:
    """Mean of each metric over the examples, for each recon."""
    return {
        name: {metric: float(np.mean(values)) for metric, values in by_metric.items()}
        for name, by_metric in found.items()
    }


def best_lam(
    batches: Iterable[dict[str, Tensor]],
    system: SystemFactory,
    metric: str = "psnr",
    device: str = "cpu",
) -> float:
    """λ of CG-SENSE with the best mean of a metric over examples, to a factor of 10^(1/8).

    λ is relative to maps of unit sum of squares.

    Args:
        batches: Batches of examples, the validation set, as in `evaluate`; gone through for each λ.
        system: Makes the forward model of a batch.
        metric: "nrmse", "psnr" or "ssim".
        device: Where to compute.
    """
    sign = -1.0 if metric_mode(metric) == "max" else 1.0

    def cost(lam: float) -> float:
        bar.update()
        values = evaluate({"cg-sense": CGSense(lam)}, batches, system, device)
        return sign * float(np.mean(values["cg-sense"][metric]))

    hidden = not processes.is_first()
    with tqdm(desc="Choosing λ of CG-SENSE", leave=False, **_bar(hidden)) as bar:
        return minimise_over_lam(cost)[0]


def reconstruct(
    recons: Mapping[str, Recon],
    batch: dict[str, Tensor],
    system: SystemFactory,
    device: str = "cpu",
) -> dict[str, np.ndarray]:
    """Images (batch, *in_shape) of one batch by each recon."""
    batch = {name: value.to(device) for name, value in batch.items()}
    y, A = system.measured(batch)
    with torch.no_grad():
        return {name: recon.to(device).eval()(y, A).cpu().numpy() for name, recon in recons.items()}
