"""A recon beside the baselines on the test examples: scores, images, figures."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from reconic.recons import CGSense, Recon, ZeroFilled
from reconic.track import TRUTH, ImageFile, Scores, write_json, write_slices
from reconic.train import processes
from reconic.train.data import ReconData
from reconic.train.evaluation import best_lam, evaluate, means
from reconic.train.system import SystemFactory
from reconic.view import comparison

__all__ = ["Fit", "compare"]


@dataclass(frozen=True)
class Fit:
    """What a training run ends with.

    Attributes:
        folder: Run folder.
        results: Mean NRMSE, PSNR and SSIM over the test examples, for each method.
        lam: λ of the CG-SENSE baseline; None without it.
        scores: NRMSE, PSNR and SSIM of each test example, for each method.
    """

    folder: Path
    results: dict[str, dict[str, float]]
    lam: float | None
    scores: Scores = field(default_factory=dict)


def compare(
    folder: Path,
    recon: Recon,
    data: ReconData,
    system: SystemFactory,
    baselines: Iterable[str],
    device: str = "cpu",
    keep_images: bool = False,
) -> Fit:
    """Compare a trained recon with baselines on the test examples.

    In a run of several processes each does its share of the examples, and the first one writes.
    Written into the folder are `results.json` (means), `slices.csv` (each example),
    `figures/comparison.png` (the example with the median PSNR of the recon), `figures/worst.png`,
    `figures/best.png` and, if they are to be kept, all images, as `/METHOD/INDEX` of `images.h5`.

    Args:
        folder: Where results go.
        recon: Trained recon.
        data: Examples; the validation examples choose the λ of CG-SENSE.
        system: Forward model of the examples.
        baselines: "zero-filled", "cg-sense".
        device: Where to compute.
        keep_images: Whether to keep all images, those of the first process.

    Returns:
        Folder and results; without true images there are none, and only an empty `results.json`.
    """
    data.system = system
    if "x" not in data.dataset("test")[0]:
        if processes.is_first():
            write_json(folder / "results.json", {})
        return Fit(folder, {}, None)
    recons, lam = _recons(recon, data, system, baselines, device)
    with _image_file(folder, keep_images) as images:
        found = evaluate(recons, data.share("test"), system, device, "Testing", images.add)
        own = type(recon).__name__.lower()
        known = {"zero-filled": system.adjoint_title, "cg-sense": "CG-SENSE"}
        titles = {name: known.get(name, type(r).__name__) for name, r in recons.items()}
        _figures(folder / "figures", images, titles, np.asarray(found[own]["psnr"]))
    results = means(found)
    if processes.is_first():
        write_slices(folder / "slices.csv", found)
        write_json(folder / "results.json", results)
    return Fit(folder, results, lam, found)


@contextlib.contextmanager
def _image_file(folder: Path, keep: bool) -> Iterator[ImageFile]:
    """File for the images that this process makes, in the run folder if it is the first."""
    with contextlib.ExitStack() as stack:
        if not processes.is_first():
            folder, keep = Path(stack.enter_context(tempfile.TemporaryDirectory())), False
        yield stack.enter_context(ImageFile.create(folder / "images.h5", keep))


def _recons(
    recon: Recon, data: ReconData, system: SystemFactory, baselines: Iterable[str], device: str
) -> tuple[dict[str, Recon], float | None]:
    """Baselines and the recon by name, and the λ of CG-SENSE."""
    lam = None
    recons: dict[str, Recon] = {}
    for name in baselines:
        if name == "cg-sense":
            lam = best_lam(data.share("val"), system, device=device)
            recons[name] = CGSense(lam)
        else:
            recons[name] = ZeroFilled()
    return {**recons, type(recon).__name__.lower(): recon}, lam


def _figures(folder: Path, file: ImageFile, titles: dict[str, str], psnr: np.ndarray) -> None:
    """Comparison of all methods for the median, the worst and the best example."""
    order = np.argsort(psnr).tolist()
    chosen = {"comparison": order[len(order) // 2], "worst": order[0], "best": order[-1]}
    own = {i for i in chosen.values() if i % processes.count() == processes.rank()}
    read = {i: {method: file.read(method, i) for method in (*titles, TRUTH)} for i in own}
    found = {i: images for part in processes.gather(read) for i, images in part.items()}
    if not processes.is_first():
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name, i in chosen.items():
        images = {title: found[i][method] for method, title in titles.items()}
        comparison(images, found[i][TRUTH], folder / f"{name}.png")
