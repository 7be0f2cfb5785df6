"""Peak memory of 3-D transforms, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec

import torch
from modl import measure_peak
from report import Row

from reconic._kernels.nufft import nufft, nufft_adjoint
from reconic.systems import NonCartesianMRI

TOL = 1e-4


def memory_rows(quick: bool) -> list[Row]:
    """Peak memory above the start, over that of torchkbnufft; none where it is not installed."""
    if not find_spec("torchkbnufft"):
        return []
    n, n_coils, m = _sizes(quick)
    group = f"Non-Cartesian MRI, memory, {m} samples, {n_coils} coils, {n}³, error 1e-4"
    found = []
    for way in ("forward", "adjoint", "normal"):
        own, peer = (_peak(who, way, quick) for who in ("reconic", "torchkbnufft"))
        detail = f"{own:.0f} MB, {peer:.0f} MB above the start"
        name = f"torch: {way}, peak memory / torchkbnufft's"
        found.append(Row(group, name, own / max(peer, 1.0), "×", "cpu", "≤0.333", detail))
    return found


def _sizes(quick: bool) -> tuple[int, int, int]:
    return (32, 8, 2000) if quick else (128, 8, 200_000)


def _peak(who: str, way: str, quick: bool) -> float:
    command = [sys.executable, __file__, who, way, str(int(quick))]
    done = subprocess.run(command, capture_output=True, text=True)
    if not done.stdout:  # with a figure, an abort at exit, as torch's threads cause, does no harm
        raise RuntimeError(f"{who} {way}: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def _runs(who: str, quick: bool) -> dict[str, Callable[[], object]]:
    n, n_coils, m = _sizes(quick)
    space, many = (n, n, n), 1 if who == "reconic" else None
    torch.manual_seed(0)
    coils = torch.randn(n_coils, *space, dtype=torch.complex64)
    y = torch.randn(n_coils, m, dtype=torch.complex64)
    traj = (torch.rand(m, 3) - 0.5) * (2 * torch.pi)
    if many:
        N = NonCartesianMRI(coils, traj, n_space=3, tol=TOL).N
        x = coils[0].clone()
        return {
            "forward": lambda: nufft(coils, traj, TOL),
            "adjoint": lambda: nufft_adjoint(y, traj, space, TOL),
            "normal": lambda: N(x),
        }
    import torchkbnufft as tkbn

    omega, kernel = traj.T.contiguous(), torch.randn(2 * n, 2 * n, 2 * n, dtype=torch.complex64)
    forward, adjoint, normal = tkbn.KbNufft(space), tkbn.KbNufftAdjoint(space), tkbn.ToepNufft()
    return {
        "forward": lambda: forward(coils[None], omega),
        "adjoint": lambda: adjoint(y[None], omega),
        "normal": lambda: normal(coils[None], kernel),
    }


if __name__ == "__main__":
    who_, way_, quick_ = sys.argv[1:]
    with torch.no_grad():
        print(json.dumps(measure_peak(_runs(who_, quick_ == "1")[way_], "cpu")), flush=True)
