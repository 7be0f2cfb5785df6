"""A MoDL training step against its network and its FFTs, and against a recorded CG."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from measure import interleave, milliseconds, ratio
from problem import Problem, make_problem
from report import Row

from reconic.networks import CNN
from reconic.recons import MoDL
from reconic.recons.base import Problem as Data
from reconic.recons.blocks import DataConsistency, regularised_normal
from reconic.systems import CartesianMRI

N_UNROLLS, CG_ITER = 5, 6


class RecordedDataConsistency(DataConsistency):
    """The same solve, every iteration recorded by autograd: what `cg` does without."""

    def forward(self, x: torch.Tensor, problem: Data) -> torch.Tensor:
        lam = self.lam()
        M = regularised_normal(problem.A, lam)
        z = x.detach()
        r = problem.adjoint + lam * x - M(z)
        p, rr = r, _square(r)
        for _ in range(self.max_iter):
            q = M(p)
            alpha = rr / (p.conj() * q).real.sum((-2, -1), keepdim=True)
            z, r = z + alpha * p, r - alpha * q
            rr, last = _square(r), rr
            p = r + rr / last * p
        return z


def _square(r: torch.Tensor) -> torch.Tensor:
    return (r.real**2 + r.imag**2).sum((-2, -1), keepdim=True)


def make_recon(recorded: bool, cg_iter: int, quick: bool, network: str = "cnn") -> MoDL:
    """MoDL with λ = 0.05; its CG always runs all iterations."""
    torch.manual_seed(0)
    net = CNN(width=8 if quick else 64, n_layers=5) if network == "cnn" else torch.nn.Identity()
    recon = MoDL(net, n_unrolls=N_UNROLLS, cg_iter=cg_iter, cg_tol=0.0)
    if recorded:
        for block in recon.modules():
            if isinstance(block, DataConsistency):
                block.__class__ = RecordedDataConsistency
    return recon


def make_step(recon: MoDL, problem: Problem, device: str) -> Callable[[], None]:
    """One training step on one slice: forward, loss, backward, optimizer."""
    place = torch.device(device)
    recon = recon.to(place)
    optimizer = torch.optim.Adam(recon.parameters(), 1e-4)
    maps, mask, y, truth = (
        torch.from_numpy(a)[None].to(place)
        for a in (problem.maps, problem.mask, problem.y, problem.truth)
    )
    A = CartesianMRI(maps, mask)

    def step() -> None:
        optimizer.zero_grad()
        (recon(y, A) - truth).abs().square().mean().backward()
        optimizer.step()
        _synchronize(place)

    return step


def rows(device: str, quick: bool) -> list[Row]:
    """Rows of the training step on `device`."""
    problem = make_problem(n=48, n_coils=4) if quick else make_problem()
    place = torch.device(device)
    network = make_recon(False, CG_ITER, quick).denoise.network.to(place)
    image = torch.from_numpy(problem.truth)[None].to(place)
    coils = torch.from_numpy(problem.y)[None].to(place)
    n_pairs = N_UNROLLS * (2 * CG_ITER + 1)

    def bare() -> None:
        x = image
        for _ in range(N_UNROLLS):
            x = network(x)
        x.abs().square().mean().backward()
        for _ in range(n_pairs):
            torch.fft.ifft2(torch.fft.fft2(coils))
        _synchronize(place)

    candidates = {
        "step": make_step(make_recon(False, CG_ITER, quick), problem, device),
        "recorded": make_step(make_recon(True, CG_ITER, quick), problem, device),
        "bare": bare,
        "solves": make_step(make_recon(False, CG_ITER, quick, "none"), problem, device),
        "recorded solves": make_step(make_recon(True, CG_ITER, quick, "none"), problem, device),
    }
    times = interleave(candidates, rounds=2 if quick else 9, warm_up=1)
    where = "cpu" if place.type == "cpu" else torch.cuda.get_device_name(place)
    ms = {name: milliseconds(times, name) for name in times}
    n_coils, n = problem.maps.shape[:2]
    group = (
        f"MoDL training step, {N_UNROLLS} unrolls, {CG_ITER} CG iterations, {n_coils} coils, {n}²"
    )
    found = [
        Row(
            group, "time / (bare network forward and backward + bare FFTs)",
            ratio(times, "step", "bare"), "×", where, "≤1.2",
            f"{ms['step']:.0f} ms, {ms['bare']:.0f} ms; {n_pairs} × (fft2 + ifft2): each unroll "
            f"needs {CG_ITER} forward, {CG_ITER} backward and one for its warm start",
        ),
        Row(
            group, "back-propagation through CG's iterations / time",
            ratio(times, "recorded", "step"), "×", where, "≥2.5", f"{ms['recorded']:.0f} ms",
        ),
        Row(
            group, "the same without the network (data consistency alone)",
            ratio(times, "recorded solves", "solves"), "×", where,
            detail=f"{ms['recorded solves']:.0f} ms, {ms['solves']:.0f} ms",
        ),
    ]  # fmt: skip
    return found + memory_rows(group, where, device, quick)


def memory_rows(group: str, where: str, device: str, quick: bool) -> list[Row]:
    """Peak memory of a step, each setting in a process of its own."""
    peaks = {}
    for recorded in (False, True):
        for cg_iter in (5, 10, 20):
            command = [
                sys.executable,
                __file__,
                device,
                str(int(recorded)),
                str(cg_iter),
                str(int(quick)),
            ]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            peaks[recorded, cg_iter] = json.loads(done.stdout)
    found = []
    for recorded, name in ((False, "peak memory"), (True, "peak memory, recorded CG")):
        a, b, c = (peaks[recorded, n] for n in (5, 10, 20))
        detail = f"{a:.0f}, {b:.0f}, {c:.0f} MB above the start at 5, 10, 20 CG iterations"
        target = "" if recorded else "≤1.05"
        name = f"{name}: 20 / 5 CG iterations"
        found.append(Row(group, name, c / max(a, 1.0), "×", where, target, detail))
    return found


def peak_memory(device: str, recorded: bool, cg_iter: int, quick: bool) -> float:
    """Peak memory in MB of two training steps above what was there before them."""
    problem = make_problem(n=48, n_coils=4) if quick else make_problem()
    return measure_peak(make_step(make_recon(recorded, cg_iter, quick), problem, device), device)


def measure_peak(step: Callable[[], None], device: str) -> float:
    """Peak memory in MB of two calls of `step` above what was there before them."""
    if torch.device(device).type == "cuda":
        before = torch.cuda.memory_allocated()
        step()
        step()
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = _memory("VmRSS")
    step()
    step()
    return _memory("VmHWM") - before


def _memory(kind: str) -> float:
    """Resident memory of this process in MB: "VmRSS" now, "VmHWM" at its peak."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith(kind)) / 2**10


def _synchronize(place: torch.device) -> None:
    if place.type == "cuda":
        torch.cuda.synchronize(place)


if __name__ == "__main__":
    device_, recorded_, cg_iter_, quick_ = sys.argv[1:]
    print(json.dumps(peak_memory(device_, recorded_ == "1", int(cg_iter_), quick_ == "1")))
