"""One 3-D multi-coil CG with its coils shared by processes: time, memory and bytes of each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
import torch.distributed as dist
from report import Row

N_COILS, N_ITER, ROUNDS = 32, 5, 4


def rows(device: str, quick: bool) -> list[Row]:
    """Rows of one and two processes with one thread each; on a CPU only."""
    if device != "cpu":
        return []
    space = (16, 24, 24) if quick else (48, 96, 96)
    found = {n: _run(n, space) for n in (1, 2)}
    size = "×".join(map(str, space))
    group = f"3-D CG, {N_COILS} coils, {size}, coils shared by 2 processes of one thread"
    (one,), two = found[1], found[2]
    image = 8 * space[0] * space[1] * space[2] / 1e6
    ms = {1: one["ms"], 2: max(r["ms"] for r in two)}
    held = {1: one["held_mb"], 2: max(r["held_mb"] for r in two)}
    peak = {1: one["peak_mb"], 2: max(r["peak_mb"] for r in two)}

    def row(name: str, of: dict[int, float], unit: str, target: str = "") -> Row:
        return Row(
            group, name, of[2] / of[1], "×", "cpu", target, f"{of[2]:.3g} {unit} for {of[1]:.3g}"
        )

    exchanged = max(r["exchange_ms"] for r in two)
    detail = f"{100 * exchanged / ms[2]:.0f} % of an iteration, one image of {image:.1f} MB"
    return [
        row("time of an iteration / one process", ms, "ms"),
        row("maps and k-space of a process / one process", held, "MB", "≤0.51"),
        row("peak memory above the start / one process", peak, "MB"),
        Row(group, "exchange of an iteration", exchanged, "ms", "cpu", detail=detail),
    ]


def _run(n: int, space: tuple[int, ...]) -> list[dict[str, float]]:
    """What each of n processes measured."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        store = str(Path(folder, "store"))
        started = [
            subprocess.Popen(
                [sys.executable, __file__, store, str(n), str(rank), *map(str, space)],
                env=environment, stdout=subprocess.PIPE, text=True,
            )
            for rank in range(n)
        ]  # fmt: skip
        return [json.loads(p.communicate()[0].splitlines()[-1]) for p in started]


def _work(store: str, n: int, rank: int, space: tuple[int, ...]) -> dict[str, float]:
    from reconic.operator import Identity, SpreadCoils
    from reconic.solvers import cg
    from reconic.systems import CartesianMRI
    from reconic.train import Ranks, coil_share

    def solved(space: tuple[int, ...]) -> tuple[float, float, torch.Tensor]:
        """Seconds of an iteration, MB of maps and k-space, and the image."""
        generator = torch.Generator().manual_seed(0)
        mask = (torch.rand(space, generator=generator) < 0.3).float()
        own = range(N_COILS)[coil_share(N_COILS)]
        maps = torch.empty(len(own), *space, dtype=torch.complex64)
        for i, c in enumerate(own):
            maps[i] = _coil(c, space)
        A = SpreadCoils(CartesianMRI(maps, mask, n_space=3), Ranks())
        y = A(_coil(N_COILS, space))
        M = A.N + 0.01 * Identity(A.in_shape)
        times = [0.0] * ROUNDS
        for i in range(ROUNDS):
            start = time.perf_counter()
            x = cg(M, A.adjoint(y), max_iter=N_ITER, tol=0).x
            times[i] = (time.perf_counter() - start) / (N_ITER + 1)  # Aᴴy is an exchange, too
        return min(times), 8e-6 * (maps.numel() + y.numel()), x

    dist.init_process_group("gloo", f"file://{store}", rank=rank, world_size=n)
    solved((8, 8, 8))  # what libraries need for themselves is no part of it
    begin = _peak_mb()
    seconds, held, x = solved(space)
    peak = _peak_mb() - begin
    exchanges = []
    for _ in range(ROUNDS * N_ITER):
        start = time.perf_counter()
        dist.all_reduce(x)
        exchanges.append(time.perf_counter() - start)
    dist.destroy_process_group()
    times = {"ms": 1e3 * seconds, "exchange_ms": 1e3 * min(exchanges)}
    return {**times, "held_mb": held, "peak_mb": peak}


def _coil(c: int, space: tuple[int, ...]) -> torch.Tensor:
    generator = torch.Generator().manual_seed(c)
    return torch.randn(space, dtype=torch.complex64, generator=generator)


def _peak_mb() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    store_, n_, rank_, *space_ = sys.argv[1:]
    with torch.no_grad():
        print(json.dumps(_work(store_, int(n_), int(rank_), tuple(map(int, space_)))), flush=True)
