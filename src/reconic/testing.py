"""Checks of a forward model, for its author: `check_system` and the `reconic check` command.

A wrong adjoint does not crash: it makes every solver converge to a wrong image. This finds it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from reconic._array import (
    Array,
    array_namespace,
    eps,
    fftn,
    from_numpy,
    ifftn,
    is_jax_array,
    is_torch_array,
    to_numpy,
)
from reconic._users import line_of
from reconic.operator import LinearSystem
from reconic.operator.linear import check_shape
from reconic.solvers import operator_norm

__all__ = ["UNBATCHED", "Check", "check_system", "random_like"]

UNBATCHED = "batched arrays"
_UNBATCHED = (
    "`reconic train` gives each example of a batch arrays of its own, in front of the axes here; A "
    "does not take them. To train, count axes from the end: otf.shape[-2:], mask[..., None, :, :]."
)


@dataclass(frozen=True)
class Check:
    """Outcome of one check.

    Attributes:
        name: What was checked.
        ok: Whether it passed.
        value: Measured number.
        bound: Largest right value; None where the number only informs.
        advice: What to look for if it failed, or what the number means.
    """

    name: str
    ok: bool
    value: float
    bound: float | None
    advice: str


def random_like(a: Array, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Complex normal array of `shape` with the library, device and precision of `a`."""
    kind = np.complex64 if eps(a) > 1e-10 else np.complex128
    z = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    return from_numpy(np.asarray(z, dtype=kind), a)


def check_system(
    A: LinearSystem, *, batch: tuple[int, ...] = (), seed: int = 0, timing: bool = False
) -> list[Check]:
    """Check that `A` is linear with a right adjoint, normal operator, gradient and batching.

    Args:
        A: System with at least one array, of the library to check on.
        batch: Batch axes of the random inputs; must fit those of the system's arrays.
        seed: Seed of the random inputs.
        timing: Whether to time AᴴA against the FFTs of its measurements.

    Returns:
        One entry per check; all `ok` for a right system. Tolerances are multiples of the rounding
        unit: sums over n terms in random order err by about √n·eps, far below them.

    Raises:
        ValueError: If the system holds no array to take the library from.
    """
    arrays = A.arrays()
    if not arrays:
        held = ", ".join(f"{n} of {type(v).__name__}" for n, v in A.children()) or "none"
        raise ValueError(
            f"check_system: `{type(A).__name__}` must hold an array, got {held}. Give it one."
        )
    for name in ("in_shape", "out_shape"):
        check_shape(A, name, getattr(A, name))
    rng = np.random.default_rng(seed)
    like = arrays[0]
    x, x2 = (random_like(like, (*batch, *A.in_shape), rng) for _ in range(2))
    y = random_like(like, (*batch, *A.out_shape), rng)
    run = _Run.of(A)
    shapes = _shapes(run, x, y)
    if not shapes.ok:  # what follows compares arrays of the right ones
        return [shapes]
    checks = [*_algebra(A, run, x, x2, y), shapes, *_layout(A, run, x), *_autodiff(A, run, x, y)]
    if all(c.ok for c in checks):  # ‖A‖ is that of a linear map
        checks.append(_norm(A, x))
    return [*checks, _cost(A, run, x, y)] if timing else checks


class _Run(NamedTuple):
    """The three maps of a system, compiled where the library compiles."""

    forward: Callable[[Array], Array]
    adjoint: Callable[[Array], Array]
    normal: Callable[[Array], Array]

    @classmethod
    def of(cls, A: LinearSystem) -> _Run:
        if not is_jax_array(A.arrays()[0]):
            return cls(A.__call__, A.adjoint, A.normal)
        import jax

        return cls(jax.jit(A.__call__), jax.jit(A.adjoint), jax.jit(A.normal))


def _norm2(a: Array) -> float:
    return float(np.linalg.norm(to_numpy(a).astype(np.complex128).ravel()))


def _vdot(a: Array, b: Array) -> complex:
    return complex(np.vdot(to_numpy(a).astype(np.complex128), to_numpy(b).astype(np.complex128)))


def _close(
    name: str, got: Array, want: Array, unit: float, advice: str, allowed: float = 0.0
) -> Check:
    got, want = to_numpy(got), to_numpy(want)
    error = _norm2(got - want) / max(_norm2(want), 1e-30)
    bound = 50 * unit + allowed
    return Check(name, error <= bound, error, bound, advice)


def _algebra(A: LinearSystem, run: _Run, x: Array, x2: Array, y: Array) -> Iterator[Check]:
    unit = eps(x)
    Ax, AHy = run.forward(x), run.adjoint(y)
    gap = abs(_vdot(y, Ax) - _vdot(AHy, x)) / max(_norm2(Ax) * _norm2(y), 1e-30)
    yield Check(
        "adjoint", gap <= 10 * unit, gap, 10 * unit,
        "⟨y, Ax⟩ ≠ ⟨Aᴴy, x⟩. Look for a missing conj or mask, an FFT norm, a flipped sign.",
    )  # fmt: skip
    c = 0.7 - 1.3j
    yield _close(
        "linear", run.forward(c * x + x2), c * to_numpy(Ax) + to_numpy(run.forward(x2)), unit,
        "A(cx + z) ≠ cA(x) + A(z). Look for abs, clipping, noise, an offset or a real part.",
    )  # fmt: skip
    yield _close(
        "normal", run.normal(x), run.adjoint(Ax), unit,
        "AᴴA x ≠ Aᴴ(Ax). Look at `_normal`: weights squared? centring phases cancelled?",
        allowed=10 * A.accuracy,  # of the transforms of Aᴴ and A, and of AᴴA if it has its own
    )  # fmt: skip


def _shapes(run: _Run, x: Array, y: Array) -> Check:
    wrong = ""
    for name, apply, given, wanted in (("A(x)", run.forward, x, y), ("Aᴴy", run.adjoint, y, x)):
        if not wrong and (got := tuple(apply(given).shape)) != tuple(wanted.shape):
            wrong = f"{name} must have shape {tuple(wanted.shape)}, got {got}."
    advice = f"{wrong} Look at `in_shape`, `out_shape` and the axes that are summed over."
    return Check("shapes", not wrong, float(bool(wrong)), 0.0, advice)


def _layout(A: LinearSystem, run: _Run, x: Array) -> Iterator[Check]:
    batch = tuple(x.shape)[: x.ndim - len(A.in_shape)]
    y = run.forward(x)
    back = run.adjoint(y)
    kept = eps(y) == eps(x) and eps(back) == eps(x)
    yield Check(
        "precision kept", kept, float(not kept), 0.0,
        f"{x.dtype} became {y.dtype}, then {back.dtype}. Look for a constant of another precision.",
    )  # fmt: skip
    if not batch:
        both = run.forward(array_namespace(x).stack([x, 2 * x]))
        yield _close(
            "batch axes", both, np.stack([to_numpy(y), 2 * to_numpy(y)]), eps(x),
            "A of a stack is not the stack of A. Count axes from the end; space is last.",
        )  # fmt: skip
        yield from _unbatched(A, x, y)


def _unbatched(A: LinearSystem, x: Array, y: Array) -> Iterator[Check]:
    """Tells if `A` cannot have arrays with a batch axis, as training makes them; a note alone."""
    xp = array_namespace(x)
    advice, unit = _UNBATCHED, 50 * eps(x) + 10 * A.accuracy
    try:
        both = A.map(lambda a: xp.stack([a, a]))
        same = (both.in_shape, both.out_shape) == (A.in_shape, A.out_shape)
        got = to_numpy(both(xp.stack([x, 2 * x]))) if same else np.zeros(1)
    except Exception as error:  # whatever the user's code raises
        got, advice = np.zeros(1), f"{_UNBATCHED} It fails with: {error}{line_of(error)}"
    want = np.stack([to_numpy(y), 2 * to_numpy(y)])
    if got.shape != want.shape or _norm2(got - want) > unit * _norm2(want):
        yield Check(UNBATCHED, True, math.nan, None, advice)


def _autodiff(A: LinearSystem, run: _Run, x: Array, y: Array) -> Iterator[Check]:
    advice = "∇½‖Ax-y‖² ≠ Aᴴ(Ax-y). Look for a detach, an in-place write, an undifferentiable call."
    if is_torch_array(x):
        import torch

        want = A.adjoint(A(x) - y)
        with torch.enable_grad():
            leaf = x.detach().clone().requires_grad_()
            loss = 0.5 * torch.sum(torch.abs(A(leaf) - y) ** 2)
            yield _close("gradient", torch.autograd.grad(loss, leaf)[0], want, eps(x), advice)
    elif is_jax_array(x):
        import jax
        import jax.numpy as jnp

        traces = []

        def gradient(B: LinearSystem, v: Array) -> Array:
            traces.append(1)
            return jnp.conj(jax.grad(lambda u: 0.5 * jnp.sum(jnp.abs(B(u) - y) ** 2))(v))

        jitted = jax.jit(gradient)
        want = run.adjoint(run.forward(x) - y)
        yield _close("gradient", jitted(A, x), want, eps(x), advice)
        jitted(A.map(lambda a: a), 2 * x)
        yield Check(
            "no retrace", len(traces) == 1, float(len(traces)), 1.0,
            "jit compiles again for an equal system. Static fields must hash and compare.",
        )  # fmt: skip


def _norm(A: LinearSystem, x: Array) -> Check:
    value = float(np.max(to_numpy(operator_norm(A, x, max_iter=50, tol=1e-3))))
    return Check("norm", bool(np.isfinite(value)), value, None, "‖A‖₂, by power iteration.")


def _cost(A: LinearSystem, run: _Run, x: Array, y: Array) -> Check:
    axes = tuple(range(-min(len(A.in_shape), 3), 0))
    bound = _time(lambda: ifftn(fftn(y, axes), axes))
    ratio = _time(lambda: run.normal(x)) / bound
    return Check("cost", True, ratio, None, "time of AᴴA over an FFT and an inverse FFT of y.")


def _time(fn: Callable[[], Array], n: int = 7) -> float:
    times = []
    for _ in range(n):
        start = time.perf_counter()
        to_numpy(fn())
        times.append(time.perf_counter() - start)
    return float(np.median(times[2:]))
