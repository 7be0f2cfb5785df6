"""Non-Cartesian MRI against bare FINUFFT plans, bare FFTs and torchkbnufft (GPU: mri-nufft too)."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from measure import Times, interleave, milliseconds, ratio
from noncartesian_memory import memory_rows
from noncartesian_step import step_rows
from report import Row

from reconic._kernels.nufft import nufft, nufft_adjoint
from reconic.simulate import coil_maps, shepp_logan
from reconic.systems import NonCartesianMRI, OffResonanceMRI

TOL = 1e-4
PEERS = {"torchkbnufft forward", "torchkbnufft adjoint", "mri-nufft forward", "mri-nufft adjoint"}
GROUP = "Non-Cartesian MRI, radial, {m} samples, {n_coils} coils, {n}², error 1e-4"
# 256², 8 coils: least times of interleaved runs on a busy machine, over that of the bare pair in
# that run, so good to a tenth; JAX on two threads, torch on one or two. The 64 FFTs of 256² that
# AᴴA needs take 0.38 of the pair on torch; on JAX, from the time of one FFT, 0.7.
TRIED = {
    "torch": "two n-point transforms per axis instead of a padded one, each parity by itself 0.73, "
    "with 1-D phases 0.70, both parities of the last axis as one array 0.66 (taken), all four as "
    "one 0.79, one parity of all coils before the next 0.80; padded along one axis 0.70, both "
    "0.73 to 0.90; 1-D transforms, rows shared by parities 0.66 to 0.99, for torch copies strided "
    "ones. CartesianMRI.normal has no parities, and works in place already. Of the pair's time "
    "half and more are page faults of its 16 MB arrays: where the C library keeps freed memory it "
    "takes 6 ms, and AᴴA 7 ms",
    "JAX (jit)": "coil by coil, each parity by itself 0.76 (taken), with 1-D phases 0.96, parities "
    "as one array 0.90, without barriers 0.88, in two chains of coils 0.86, two coils at a time "
    "0.95, all coils at once 1.19, lax.map 1.16, lax.scan 1.21, rows shared by parities 1.18. An "
    "FFT of 256² takes XLA 0.38 ms of one thread, SciPy, in a callback, 0.36, MKL 0.12",
}


@dataclass
class Radial:
    """A slice and golden-angle spokes through its k-space, NumPy single precision."""

    maps: np.ndarray  # (coil, n, n)
    image: np.ndarray  # (n, n)
    traj: np.ndarray  # (m, 2) rad/voxel
    readout: int  # samples of a spoke

    @property
    def group(self) -> str:
        n_coils, n = self.maps.shape[:2]
        return GROUP.format(m=len(self.traj), n_coils=n_coils, n=n)

    @property
    def coils(self) -> np.ndarray:
        return self.maps * self.image


def make_radial(quick: bool) -> Radial:
    """The problem: 402 spokes × 512 samples, 8 coils, 256²."""
    n, n_coils, spokes, readout = (32, 2, 20, 64) if quick else (256, 8, 402, 512)
    angle = np.arange(spokes)[:, None] * math.pi * (math.sqrt(5) - 1) / 2
    radius = np.linspace(-math.pi, math.pi, readout, endpoint=False)
    traj = np.stack([np.sin(angle) * radius, np.cos(angle) * radius], -1).reshape(-1, 2)
    maps = coil_maps((n, n), n_coils, np.random.default_rng(0), geometry="ring")
    image = shepp_logan((n, n)).astype(np.complex64)
    return Radial(np.ascontiguousarray(maps), image, traj.astype(np.float32), readout)


def rows(device: str, quick: bool) -> list[Row]:
    """All rows; those of JAX and of memory on the CPU alone."""
    radial = make_radial(quick)
    found = torch_rows(radial, device, quick) + off_resonance_rows(radial, device, quick)
    found += step_rows(radial.maps, radial.traj, device, quick)
    if torch.device(device).type == "cpu":  # JAX last: its arrays would change where torch's lie
        found += memory_rows(quick)
        found += jax_rows(radial, quick)
    return found


def torch_rows(radial: Radial, device: str, quick: bool) -> list[Row]:
    """Transforms and normal operator on torch."""
    place = torch.device(device)
    maps, x, traj, coils = (
        torch.from_numpy(a).to(place)
        for a in (radial.maps, radial.image, radial.traj, radial.coils)
    )
    A = NonCartesianMRI(maps, traj, tol=TOL)
    space, y = tuple(x.shape), nufft(coils, traj, TOL)
    N, padded = A.N, torch.randn(len(maps), *(2 * n for n in space), dtype=x.dtype, device=place)
    k, image = torch.empty_like(padded), torch.empty_like(padded)
    runs = {
        "nufft": lambda: nufft(coils, traj, TOL),
        "nufft adjoint": lambda: nufft_adjoint(y, traj, space, TOL),
        "forward": lambda: A(x),
        "adjoint": lambda: A.adjoint(y),
        "normal": lambda: N(x),
        "ffts": lambda: torch.fft.ifft2(torch.fft.fft2(padded)),
        "ffts in place": lambda: torch.fft.ifft2(torch.fft.fft2(padded, out=k), out=image),
        **bare_plans(coils, traj, y),
        **torchkbnufft(coils, traj, y),
        **mri_nufft(coils, traj, y),
    }
    done = torch.cuda.synchronize if place.type == "cuda" else lambda: None
    candidates = {k: lambda run=run: (run(), done()) for k, run in runs.items()}
    with torch.no_grad():
        times = interleave(candidates, rounds=2 if quick else 9, warm_up=1)
        errors = _errors(radial, runs)
    where = "cpu" if place.type == "cpu" else torch.cuda.get_device_name(place)
    return _rows("torch", radial, times, where, errors) + _peer_rows(radial, times, where, errors)


def off_resonance_rows(radial: Radial, device: str, quick: bool) -> list[Row]:
    """Normal operator with a field of ±100 Hz and a readout of 8 ms, on torch."""
    place, n = torch.device(device), len(radial.image)
    maps, x, traj = (
        torch.from_numpy(a).to(place) for a in (radial.maps, radial.image, radial.traj)
    )
    rows, columns = torch.meshgrid(*2 * [torch.linspace(-1, 1, n, device=place)], indexing="ij")
    b0 = 2 * math.pi * 100 * torch.sin(2 * rows + columns**2)
    times = torch.linspace(0, 8e-3, radial.readout, device=place).repeat(
        len(traj) // radial.readout
    )
    A = OffResonanceMRI.of(NonCartesianMRI(maps, traj, tol=TOL), b0, times)
    N = A.N
    done = torch.cuda.synchronize if place.type == "cuda" else lambda: None
    runs = {"normal": lambda: (N(x), done()), "pair": lambda: (A.adjoint(A(x)), done())}
    with torch.no_grad():
        times_ = interleave(runs, rounds=2 if quick else 5, warm_up=1)
    where = "cpu" if place.type == "cpu" else torch.cuda.get_device_name(place)
    detail = (
        f"{milliseconds(times_, 'normal'):.0f} ms, {milliseconds(times_, 'pair'):.0f} ms; ±100 Hz, "
        f"8 ms: {len(A.instants)} segments of the field, {len(N.phases)} of its differences"
    )
    name = "torch: AᴴA off resonance / (forward + adjoint)"
    return [Row(radial.group, name, ratio(times_, "normal", "pair"), "×", where, "", detail)]


def jax_rows(radial: Radial, quick: bool) -> list[Row]:
    """Transforms and normal operator on JAX, compiled.

    Its plans are made in every call, in 1 to 3 ms; a callback to kept ones copies for 2 ms.
    """
    import jax

    maps, x, traj, coils = (
        jax.numpy.asarray(a) for a in (radial.maps, radial.image, radial.traj, radial.coils)
    )
    A = NonCartesianMRI(maps, traj, tol=TOL)
    space = tuple(x.shape)
    y = nufft(coils, traj, TOL)
    pad = [(0, 0), *((0, n) for n in space)]
    padded, N = jax.numpy.pad(coils, pad), A.N
    compiled = {
        "nufft": (jax.jit(lambda c, k: nufft(c, k, TOL)), coils, traj),
        "nufft adjoint": (jax.jit(lambda y, k: nufft_adjoint(y, k, space, TOL)), y, traj),
        "forward": (jax.jit(lambda A, x: A(x)), A, x),
        "adjoint": (jax.jit(lambda A, y: A.adjoint(y)), A, y),
        "normal": (jax.jit(lambda N, x: N(x)), N, x),
        "ffts": (jax.jit(lambda k: jax.numpy.fft.ifft2(jax.numpy.fft.fft2(k))), padded),
    }
    runs = {k: lambda f=f, a=a: f(*a).block_until_ready() for k, (f, *a) in compiled.items()}
    runs |= bare_plans(*(torch.from_numpy(np.array(a)) for a in (coils, traj, y)))
    times = interleave(runs, rounds=2 if quick else 9, warm_up=1)
    return _rows("JAX (jit)", radial, times, "cpu", _errors(radial, runs))


def bare_plans(
    coils: torch.Tensor, traj: torch.Tensor, y: torch.Tensor
) -> dict[str, Callable[[], object]]:
    """Execution of plans whose points are set: on the grid that meets the error, and as default."""
    data = {2: coils, 1: y} if coils.is_cuda else {2: coils.numpy(), 1: y.numpy()}
    space, many, found = tuple(coils.shape[1:]), len(coils), {}
    for who, options in (("bare", {"upsampfac": 2.0}), ("default", {})):
        for way, kind in (("forward", 2), ("adjoint", 1)):
            execute = _plan(kind, space, many, traj, options)
            found[f"{who} {way}"] = lambda run=execute, a=data[kind]: run(a)
    return found


def _plan(
    kind: int, space: tuple[int, ...], many: int, traj: torch.Tensor, options: dict[str, float]
) -> Callable[..., object]:
    if traj.is_cuda:
        import cufinufft

        made = cufinufft.Plan(kind, space, many, TOL, dtype="complex64")  # on the 2× grid
        made.setpts(*traj.T.contiguous())
        return made.execute
    import finufft

    threads = torch.get_num_threads()
    made = finufft.Plan(kind, space, many, TOL, dtype="complex64", nthreads=threads, **options)
    made.setpts(*np.ascontiguousarray(traj.numpy().T))
    return made.execute


def torchkbnufft(
    coils: torch.Tensor, traj: torch.Tensor, y: torch.Tensor
) -> dict[str, Callable[[], object]]:
    """Its table interpolation, and its Toeplitz operator; nothing where it is not installed."""
    if not importlib.util.find_spec("torchkbnufft"):
        return {}
    import torchkbnufft as tkbn

    size, omega = tuple(coils.shape[1:]), traj.T.contiguous()
    forward, adjoint = (
        kind(im_size=size).to(coils.device) for kind in (tkbn.KbNufft, tkbn.KbNufftAdjoint)
    )
    normal, kernel = tkbn.ToepNufft(), tkbn.calc_toeplitz_kernel(omega, size)
    return {
        "torchkbnufft forward": lambda: forward(coils[None], omega)[0],
        "torchkbnufft adjoint": lambda: adjoint(y[None], omega)[0],
        "torchkbnufft normal": lambda: normal(coils[None], kernel)[0],
    }


def mri_nufft(
    coils: torch.Tensor, traj: torch.Tensor, y: torch.Tensor
) -> dict[str, Callable[[], object]]:
    """Its cuFINUFFT operator, coils given one by one as images; on a GPU and where installed."""
    if not coils.is_cuda or not importlib.util.find_spec("mrinufft"):
        return {}
    import mrinufft

    samples = traj.cpu().numpy() / (2 * math.pi)  # in cycles per voxel
    A = mrinufft.get_operator("cufinufft")(samples, tuple(coils.shape[1:]), n_coils=len(coils))
    return {"mri-nufft forward": lambda: A.op(coils), "mri-nufft adjoint": lambda: A.adj_op(y)}


def _errors(radial: Radial, runs: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Errors of the transforms relative to those in double precision at 1e-10."""
    coils, traj = radial.coils.astype(complex), radial.traj.astype(float)
    y = nufft(coils, traj, 1e-10)
    images = nufft_adjoint(y, traj, radial.image.shape, 1e-10)
    found = {}
    for name in runs:
        if name.startswith(("nufft", "bare", "default")) or name in PEERS:
            want = images if "adjoint" in name else y
            got = runs[name]()
            got = got.cpu().numpy() if isinstance(got, torch.Tensor) else np.asarray(got)
            scale = np.vdot(got, want) / np.vdot(got, got) if "mri-nufft" in name else 1.0
            found[name] = float(np.linalg.norm(scale * got - want) / np.linalg.norm(want))
    return found


def _rows(
    library: str, radial: Radial, times: Times, where: str, errors: dict[str, float]
) -> list[Row]:
    ms = {name: f"{milliseconds(times, name):.1f} ms" for name in times}

    def row(name: str, value: float, target: str, detail: str) -> Row:
        return Row(radial.group, f"{library}: {name}", value, "×", where, target, detail)

    found = []
    for way in ("forward", "adjoint"):
        kernel, bare = "nufft" + " adjoint" * (way == "adjoint"), f"bare {way}"
        default, error = f"default {way}", {n: f"{e:.1e}" for n, e in errors.items()}
        found += [
            row(
                f"{kernel} / plan's execute", ratio(times, kernel, bare), "≤1.1",
                f"{ms[kernel]}, {ms[bare]} on the 2× grid; errors {error[kernel]}, {error[bare]}",
            ),
            row(
                f"{way} / plan's execute", ratio(times, way, bare), "≤1.1",
                f"with maps; {ms[way]}, {ms[bare]}",
            ),
            row(
                f"{kernel} / default plan's execute", ratio(times, kernel, default), "",
                f"{ms[kernel]}, {ms[default]} on the smaller grid that FINUFFT chooses; errors "
                f"{error[kernel]}, {error[default]}",
            ),
        ]  # fmt: skip
    pair = times["normal"] / (times["forward"] + times["adjoint"])
    in_place = [
        row(
            "AᴴA / that pair into kept arrays", ratio(times, "normal", "ffts in place"), "",
            f"{ms['normal']}, {ms['ffts in place']}: no page faults; AᴴA's own FFTs are 0.6 of it",
        ),
    ] if "ffts in place" in times else []  # fmt: skip
    return [
        *found,
        row(
            "AᴴA / batched pair of 2×-oversampled FFTs", ratio(times, "normal", "ffts"), "≤0.6",
            f"{ms['normal']}, {ms['ffts']}. Tried: {TRIED[library]}",
        ),
        *in_place,
        row("AᴴA / (forward + adjoint)", float(np.median(pair)), "≤0.1", ms["normal"]),
    ]  # fmt: skip


def _peer_rows(radial: Radial, times: Times, where: str, errors: dict[str, float]) -> list[Row]:
    targets = {"torchkbnufft forward": "≥5", "torchkbnufft adjoint": "≥8"}
    own = {"forward": "nufft", "adjoint": "nufft adjoint", "normal": "normal"}
    found = []
    for name in times:
        peer, _, way = name.partition(" ")
        if peer not in ("torchkbnufft", "mri-nufft"):
            continue
        detail = f"{milliseconds(times, name):.1f} ms, {milliseconds(times, own[way]):.1f} ms"
        if name in errors:
            detail += f"; errors {errors[name]:.1e}, {errors[own[way]]:.1e}"
        value = ratio(times, name, own[way])
        target = targets.get(name, "≥1")
        found.append(Row(radial.group, f"{name} / torch", value, "×", where, target, detail))
    return found
