"""One solver, or one training step, in a process of its own, with packages of its own.

`python worker.py NAME FOLDER`: reads the problem from FOLDER, then for every line on its standard
input runs once and prints the seconds; at the end it writes the last result to NAME.npy.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from training_steps import STEPS, stub_torchvision

Solver = Callable[[], np.ndarray]


def reconic_torch(maps, mask, y, lam, n_iter) -> Solver:
    import torch

    from reconic.operator import Identity
    from reconic.solvers import cg
    from reconic.systems import CartesianMRI

    y = torch.from_numpy(y)
    A = CartesianMRI(torch.from_numpy(maps), torch.from_numpy(mask))

    def run() -> np.ndarray:
        M = A.N + lam * Identity(A.in_shape)
        return cg(M, A.adjoint(y), max_iter=n_iter, tol=0).x.numpy()

    return run


def reconic_jax(maps, mask, y, lam, n_iter) -> Solver:
    import jax

    from reconic.operator import Identity
    from reconic.solvers import cg
    from reconic.systems import CartesianMRI

    y = jax.numpy.asarray(y)
    A = CartesianMRI(jax.numpy.asarray(maps), jax.numpy.asarray(mask))

    @jax.jit
    def solve(A: CartesianMRI, y: jax.Array) -> jax.Array:
        M = A.N + lam * Identity(A.in_shape)
        return cg(M, A.adjoint(y), max_iter=n_iter, tol=0).x

    return lambda: np.asarray(solve(A, y))


def sigpy(maps, mask, y, lam, n_iter) -> Solver:
    import sigpy.mri

    def run() -> np.ndarray:
        app = sigpy.mri.app.SenseRecon(
            y, maps, lamda=lam, weights=mask, max_iter=n_iter, tol=0, show_pbar=False
        )
        return app.run()

    return run


def mrpro(maps, mask, y, lam, n_iter) -> Solver:
    import torch

    stub_torchvision()
    import mrpro.algorithms.optimizers
    import mrpro.operators

    sense = mrpro.operators.SensitivityOp(torch.from_numpy(maps)[:, None])  # (coil, z, y, x)
    A = torch.from_numpy(mask) * (mrpro.operators.FastFourierOp(dim=(-2, -1)) @ sense)
    H = A.gram + lam * mrpro.operators.IdentityOp()
    y = torch.from_numpy(y)[None, :, None]  # (other, coil, z, y, x)

    def run() -> np.ndarray:
        with torch.no_grad():
            b = A.H(y)
            x = mrpro.algorithms.optimizers.cg(H, b, max_iterations=n_iter, tolerance=0.0)[0]
        return x.numpy().squeeze()

    return run


SOLVERS = {f.__name__.replace("_", "-"): f for f in (reconic_torch, reconic_jax, sigpy, mrpro)}


def main() -> None:
    """Serve until the input ends."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    maps, mask, y, truth = (np.load(folder / f"{a}.npy") for a in ("maps", "mask", "y", "truth"))
    settings = json.loads((folder / "settings.json").read_text())
    if name in STEPS:
        run = STEPS[name](maps, mask, y, truth)
    else:
        run = SOLVERS[name](maps, mask, y, settings["lam"], settings["n_iter"])
    x = run()
    for _ in sys.stdin:
        start = time.perf_counter()
        x = run()
        print(time.perf_counter() - start, flush=True)
    np.save(folder / f"{name}.npy", x)


if __name__ == "__main__":
    main()
