"""A training step of MoDL on radial data against its network and its bare Toeplitz FFTs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from measure import interleave, milliseconds, ratio
from modl import CG_ITER, N_UNROLLS, make_recon
from report import Row

from reconic.systems import NonCartesianMRI

TOL = 1e-4


def step_rows(maps: np.ndarray, traj: np.ndarray, device: str, quick: bool) -> list[Row]:
    """Time of the step, each with a system and a kernel of its own, over that of its parts."""
    place = torch.device(device)
    maps_, traj_ = (torch.from_numpy(a)[None].to(place) for a in (maps, traj))
    step, network, image = _step(maps_, traj_, quick)
    candidates = {"step": step, "bare": _bare(network, image, len(maps))}
    done = torch.cuda.synchronize if place.type == "cuda" else lambda: None
    timed = {k: lambda run=run: (run(), done()) for k, run in candidates.items()}
    times = interleave(timed, rounds=2 if quick else 7, warm_up=1)
    where = "cpu" if place.type == "cpu" else torch.cuda.get_device_name(place)
    n_coils, n = maps.shape[:2]
    group = (
        f"Radial MoDL training step, {N_UNROLLS} unrolls, {CG_ITER} CG iterations, "
        f"{n_coils} coils, {n}²"
    )
    detail = (
        f"{milliseconds(times, 'step'):.0f} ms, {milliseconds(times, 'bare'):.0f} ms; the step "
        f"makes its system, with the kernel; {_n_pairs()} batched pairs of 2×-oversampled FFTs"
    )
    name = "time / (bare network forward and backward + bare Toeplitz FFTs)"
    return [Row(group, name, ratio(times, "step", "bare"), "×", where, "≤1.25", detail)]


def _n_pairs() -> int:
    """Each unroll: CG forward, CG backward, and one for its warm start."""
    return N_UNROLLS * (2 * CG_ITER + 1)


def _step(
    maps: torch.Tensor, traj: torch.Tensor, quick: bool
) -> tuple[Callable[[], None], torch.nn.Module, torch.Tensor]:
    """One training step on one slice, its network and its target."""
    recon = make_recon(False, CG_ITER, quick).to(maps.device)
    optimizer = torch.optim.Adam(recon.parameters(), 1e-4)
    truth = maps[:, 0].clone()
    y = NonCartesianMRI(maps, traj, tol=TOL)(truth)

    def step() -> None:
        optimizer.zero_grad()
        A = NonCartesianMRI(maps, traj, tol=TOL)
        (recon(y, A) - truth).abs().square().mean().backward()
        optimizer.step()

    return step, recon.denoise.network, truth


def _bare(network: torch.nn.Module, image: torch.Tensor, n_coils: int) -> Callable[[], None]:
    padded = torch.randn(
        n_coils, *(2 * n for n in image.shape[1:]), dtype=image.dtype, device=image.device
    )

    def bare() -> None:
        x = image
        for _ in range(N_UNROLLS):
            x = network(x)
        x.abs().square().mean().backward()
        for _ in range(_n_pairs()):
            torch.fft.ifft2(torch.fft.fft2(padded))

    return bare
