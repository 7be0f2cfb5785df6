"""CG-SENSE against its bare FFTs: one FFT and one inverse FFT of all coils per iteration."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from measure import interleave, milliseconds, ratio
from problem import Problem, make_problem
from report import Row

from reconic.operator import Identity
from reconic.solvers import cg
from reconic.systems import CartesianMRI

GROUP = "CG-SENSE, {n_coils} coils, {n}², {n_iter} iterations"


def solve(A: CartesianMRI, y: object, problem: Problem) -> object:
    """Image of the measurements: right-hand side and all iterations, no early stop."""
    M = A.N + problem.lam * Identity(A.in_shape)
    return cg(M, A.adjoint(y), max_iter=problem.n_iter, tol=0).x


def torch_rows(device: str, quick: bool) -> list[Row]:
    """Rows of torch on `device`."""
    problem = _problem(quick)
    place = torch.device(device)
    maps, mask, y = (torch.from_numpy(a).to(place) for a in (problem.maps, problem.mask, problem.y))
    line = mask[:1].clone()  # a 1-D mask, with a length-one axis and spread out
    A, A_line, A_full = (CartesianMRI(maps, m) for m in (mask, line, line.expand_as(mask).clone()))
    x, coils = A.adjoint(y), y.clone()
    done = torch.cuda.synchronize if place.type == "cuda" else lambda: None

    def then(run: Callable[[], object]) -> Callable[[], object]:
        return lambda: (run(), done())

    def ffts() -> None:
        for _ in range(problem.n_iter):
            torch.fft.ifft2(torch.fft.fft2(coils))

    def normals(A: CartesianMRI) -> Callable[[], object]:
        N = A.N
        return lambda: [N(x) for _ in range(problem.n_iter)]

    runs = {
        "ffts": ffts,
        "solve": lambda: solve(A, y, problem),
        "normal": normals(A),
        "normal, line": normals(A_line),
        "normal, full": normals(A_full),
    }
    with torch.no_grad():
        times = interleave({k: then(f) for k, f in runs.items()}, rounds=3 if quick else 60)
    where = "cpu" if place.type == "cpu" else torch.cuda.get_device_name(place)
    return _rows("torch", where, problem, times, f"{torch.get_num_threads()} threads")


def jax_rows(device: str, quick: bool) -> list[Row]:
    """Rows of JAX on `device`."""
    import jax

    platform = "gpu" if device.startswith("cuda") else "cpu"
    problem = _problem(quick)
    with jax.default_device(jax.devices(platform)[0]):
        maps, mask, y = (jax.numpy.asarray(a) for a in (problem.maps, problem.mask, problem.y))
        A, A_line, A_full = (
            CartesianMRI(maps, m)
            for m in (mask, mask[:1], jax.numpy.broadcast_to(mask[:1], mask.shape))
        )
        x, n_iter = A.adjoint(y), problem.n_iter
        pair = jax.jit(lambda k: jax.numpy.fft.ifft2(jax.numpy.fft.fft2(k)))
        looped = jax.jit(lambda k: jax.lax.fori_loop(0, n_iter, lambda _, v: pair(v), k))
        whole = jax.jit(lambda A, y: solve(A, y, problem))
        repeat = jax.jit(lambda N, x: jax.lax.fori_loop(0, n_iter, lambda _, v: N(v), x))

        def ffts() -> None:
            for _ in range(n_iter):
                k = pair(y)
            k.block_until_ready()

        runs = {
            "ffts": ffts,
            "ffts in a compiled loop": lambda: looped(y).block_until_ready(),
            "solve": lambda: whole(A, y).block_until_ready(),
            "normal": lambda: repeat(A.N, x).block_until_ready(),
            "normal, line": lambda: repeat(A_line.N, x).block_until_ready(),
            "normal, full": lambda: repeat(A_full.N, x).block_until_ready(),
        }
        times = interleave(runs, rounds=3 if quick else 40)
    where = "cpu" if platform == "cpu" else jax.devices(platform)[0].device_kind
    rows = _rows("JAX (jit)", where, problem, times, "XLA's own threads")
    detail = (
        "XLA's CPU runtime mostly runs FFTs inside compiled loops on one thread: "
        f"{milliseconds(times, 'ffts in a compiled loop'):.1f} ms there, "
        f"{milliseconds(times, 'ffts'):.1f} ms outside"
    )
    value = ratio(times, "solve", "ffts in a compiled loop")
    name = "JAX (jit): time / bare FFTs in a compiled loop"
    return [*rows, Row(rows[0].group, name, value, "×", where, detail=detail)]


def _problem(quick: bool) -> Problem:
    return make_problem(n=48, n_coils=4) if quick else make_problem()


def _rows(
    library: str, where: str, problem: Problem, times: dict[str, np.ndarray], threads: str
) -> list[Row]:
    n_coils, n = problem.maps.shape[:2]
    group = GROUP.format(n_coils=n_coils, n=n, n_iter=problem.n_iter)
    ms = {name: milliseconds(times, name) for name in times}
    n_iter = problem.n_iter
    return [
        Row(
            group, f"{library}: time / bare FFTs", ratio(times, "solve", "ffts"), "×", where,
            "≤1.6",
            f"{ms['solve']:.1f} ms, {n_iter} × (fft2 + ifft2) {ms['ffts']:.1f} ms, {threads}",
        ),
        Row(
            group, f"{library}: {n_iter} × AᴴA / bare FFTs", ratio(times, "normal", "ffts"), "×",
            where, detail=f"{ms['normal']:.1f} ms",
        ),
        Row(
            group, f"{library}: AᴴA, 1-D mask of shape (1, nx) / of shape (ny, nx)",
            ratio(times, "normal, line", "normal, full"), "×", where,
            detail=f"{ms['normal, line']:.1f} ms, {ms['normal, full']:.1f} ms",
        ),
    ]  # fmt: skip
