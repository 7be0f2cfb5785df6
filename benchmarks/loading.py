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
from reconic.train.dataset import ReconDataset

N_EXAMPLES = 24
GROUP = "Data at batch 1, {n_coils} coils, {n}²"
SHARDS = "Data in {n_files} files of {each} examples, 8 coils, 96²"


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
        *_shard_rows(quick),
    ]


def _shard_rows(quick: bool) -> list[Row]:
    """Rows of many small files, where opening them counts most."""
    n_files, each = (40, 2) if quick else (100, 4)
    rng, problem = np.random.default_rng(0), make_problem(n=96, n_coils=8)
    with TemporaryDirectory() as folder:
        for i in range(n_files):
            _write(str(Path(folder, f"{i:03}.h5")), problem, each)
        start = time.perf_counter()
        dataset = ReconDataset(folder)
        index = 1e3 * (time.perf_counter() - start) / n_files
        orders = {"in order": range(len(dataset)), "at random": rng.permutation(len(dataset))}
        times = {name: [] for name in orders}
        for _ in range(4):
            for name, order in orders.items():
                start = time.perf_counter()
                for i in order:
                    dataset[int(i)]
                times[name].append(1e3 * (time.perf_counter() - start) / len(dataset))
    best = {name: min(t) for name, t in times.items()}
    group = SHARDS.format(n_files=n_files, each=each)
    ratio = best["at random"] / best["in order"]
    detail = f"{best['at random']:.2f} ms for {best['in order']:.2f}, files in memory"
    return [
        Row(group, "an example at random / in order of the files", ratio, "×", "cpu", "", detail),
        Row(group, "looking at a file when the run begins", index, "ms", "cpu"),
    ]


def _write(path: str, problem: Problem, n_examples: int = N_EXAMPLES) -> None:
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
                key, (n_examples, *example.shape), example.dtype, chunks=(1, *example.shape),
                shuffle=True, compression="gzip", compression_opts=1,
            )  # fmt: skip
            for i in range(n_examples):
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
