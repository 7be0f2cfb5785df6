"""How long training waits for data, and what a worker process needs for an example."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import numpy as np
import torch
from modl import make_recon
from problem import Problem, make_problem
from report import Row

from reconic.systems import CartesianMRI
from reconic.train.data import ReconData

N_EXAMPLES = 24
GROUP = "Data at batch 1, {n_coils} coils, {n}²"


def rows(device: str, quick: bool) -> list[Row]:
    """Rows of waiting for data on `device`: MoDL trained on a file that is read by one worker."""
    problem = make_problem(n=48, n_coils=4) if quick else make_problem()
    place = torch.device(device)
    with TemporaryDirectory() as folder:
        path = str(Path(folder, "data.h5"))
        _write(path, problem)
        options = {"augment": True, "stdev": 0.01, "num_workers": 1}
        data = ReconData(train=path, val=path, test=path, **options)
        waits, steps = _epochs(data, quick, place)
        dataset = data.dataset("train")
        read = _median_ms(dataset[1, i] for i in range(len(dataset)))
    n_coils, n = problem.maps.shape[:2]
    group = GROUP.format(n_coils=n_coils, n=n)
    where = "cpu" if place.type == "cpu" else torch.cuda.get_device_name(place)
    detail = f"{1e3 * np.median(waits):.2f} ms of {1e3 * np.median(waits + steps):.0f} ms"
    share = 100 * float(waits.sum() / (waits + steps).sum())
    name = "waiting / training step of MoDL, 1 worker"
    return [
        Row(group, name, share, "%", where, "≤5", f"{detail}, augmented, noise added"),
        Row(group, "reading an example", read, "ms", "cpu", detail="gzip, augmented, noise added"),
    ]


def _write(path: str, problem: Problem) -> None:
    """Examples as `reconic simulate` stores them: each a compressed chunk."""
    arrays = {
        "imgs": problem.truth,
        "maps": problem.maps,
        "masks": problem.mask,
        "ksp": problem.y,
    }
    with h5py.File(path, "w") as file:
        for key, example in arrays.items():
            stored = file.create_dataset(
                key, (N_EXAMPLES, *example.shape), example.dtype, chunks=(1, *example.shape),
                shuffle=True, compression="gzip", compression_opts=1,
            )  # fmt: skip
            for i in range(N_EXAMPLES):
                stored[i] = example


def _epochs(data: ReconData, quick: bool, place: torch.device) -> tuple[np.ndarray, np.ndarray]:
    """Seconds of waiting and of computing for each step of the second and third epoch."""
    recon = make_recon(recorded=False, cg_iter=6, quick=quick).to(place)
    optimizer = torch.optim.Adam(recon.parameters(), 1e-4)
    loader = data.train_dataloader()
    waits, steps = [], []
    for epoch in range(3):
        batches = iter(loader)
        while True:
            start = time.perf_counter()
            batch = next(batches, None)
            if batch is None:
                break
            begin = time.perf_counter()
            _step(recon, optimizer, batch, place)
            if epoch > 0:
                waits.append(begin - start)
                steps.append(time.perf_counter() - begin)
    return np.asarray(waits), np.asarray(steps)


def _step(
    recon: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    batch: dict[str, torch.Tensor],
    place: torch.device,
) -> None:
    x, y, maps, mask = (batch[k].to(place) for k in ("x", "y", "maps", "mask"))
    optimizer.zero_grad()
    (recon(y, CartesianMRI(maps, mask)) - x).abs().square().mean().backward()
    optimizer.step()
    if place.type == "cuda":
        torch.cuda.synchronize(place)


def _median_ms(reads: Iterator[object]) -> float:
    times = []
    start = time.perf_counter()
    for _ in reads:
        times.append(time.perf_counter() - start)
        start = time.perf_counter()
    return 1e3 * float(np.median(times))
