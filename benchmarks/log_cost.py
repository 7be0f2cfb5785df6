"""What logging costs of an epoch: scalars every tenth step, images and figures at its end."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import torch
from problem import make_problem
from report import Row

from reconic.networks import ResNet
from reconic.recons import MoDL
from reconic.track import RunWriter
from reconic.train import ComplexL1, SystemFactory
from reconic.train.images import Images, LogImages

N_STEPS = 480  # of an epoch of the example data
EVERY = 10  # steps between two lines of scalars


def rows(device: str, quick: bool) -> list[Row]:
    """Cost of an epoch's logging as a fraction of its training steps, with and without figures."""
    problem = make_problem(n=48, n_coils=4) if quick else make_problem(n=128)
    arrays = {"x": problem.truth, "y": problem.y, "maps": problem.maps, "mask": problem.mask}
    batch = {name: torch.from_numpy(np.ascontiguousarray(a))[None] for name, a in arrays.items()}
    batch = {name: value.to(device) for name, value in batch.items()}
    recon = MoDL(ResNet(width=32, n_blocks=3), n_unrolls=4, cg_iter=5, start="cgsense").to(device)
    step = _median(lambda: _step(recon, batch), 2 if quick else 7)
    with tempfile.TemporaryDirectory() as folder:
        writer = RunWriter(folder)
        report = {f"train/{name}": float(value) for name, value in recon.report.items()}
        scalars = _median(lambda: writer.scalars(report, 0), 50)
        images, figures = (_images(recon, batch, writer, figure) for figure in (False, True))
        writer.close()
    where = "cpu" if device == "cpu" else torch.cuda.get_device_name(device)
    group = f"Logging of an epoch of {N_STEPS} steps, MoDL, 2 examples, {problem.mask.shape[-1]}²"
    return [
        _row(group, name, scalars * N_STEPS / EVERY + cost, step * N_STEPS, where)
        for name, cost in (("scalars and images", images), ("scalars, images, figures", figures))
    ]


def _row(group: str, name: str, cost: float, epoch: float, where: str) -> Row:
    detail = f"{cost:.2f} s of {epoch:.0f} s"
    return Row(group, f"{name} / steps", 100 * cost / epoch, "%", where, "≤3", detail)


def _images(recon: MoDL, batch: dict, writer: RunWriter, figures: bool) -> float:
    settings = Images(figures_every_n_epochs=1 if figures else None)
    callback = LogImages(writer, SystemFactory(), [batch, batch], settings)
    trainer = SimpleNamespace(
        current_epoch=0, global_step=0, sanity_checking=False, is_global_zero=True
    )
    module = SimpleNamespace(recon=recon)
    return _median(lambda: callback.on_validation_end(trainer, module), 3)


def _step(recon: MoDL, batch: dict) -> None:
    A = SystemFactory()(batch)
    ComplexL1().step(recon, batch["x"], batch["y"], A).loss.backward()


def _median(run: Callable[[], None], rounds: int) -> float:
    """Seconds of a call that waits for the device, after one to warm up."""
    times = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        run()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return float(np.median(times[1:]))
