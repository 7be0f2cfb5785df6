"""What tests of coils over devices and processes run in processes of their own.

many_coils.py devices FOLDER                  JAX, on four CPU devices
many_coils.py joined FOLDER PORT PROCESS      JAX, one of two processes of two devices each
many_coils.py ranks FOLDER PROCESS            torch, one of two processes
"""

import os
import sys
from pathlib import Path

import numpy as np

SHAPE, N_COILS, LAM = (3, 4, 2), 5, 0.3  # coils: not a multiple of two or four
SETTINGS = {"tol": 1e-14, "max_iter": 200}


def problem(kind):
    """NumPy arrays of a system, and k-space."""
    rng = np.random.default_rng(1)

    def normal(*shape):
        return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)

    arrays = {"maps": normal(N_COILS, *SHAPE)}
    if kind == "cartesian":
        arrays["mask"] = (rng.random(SHAPE) < 0.6) * 1.0
        return arrays, normal(N_COILS, *SHAPE)
    arrays["traj"] = rng.uniform(-np.pi, np.pi, (30, 3))
    arrays["dcf"] = rng.random(30) + 0.1
    return arrays, normal(N_COILS, 30)


def systems(arrays):
    """The system of arrays."""
    from reconic.systems import CartesianMRI, NonCartesianMRI

    if "mask" in arrays:
        return CartesianMRI(**arrays, n_space=3)
    return NonCartesianMRI(**arrays, n_space=3, tol=1e-13)


def solve(A, y, lam):
    """Regularised least squares, with what is public."""
    from reconic.operator import Identity
    from reconic.solvers import cg

    return cg(A.N + lam * Identity(A.in_shape), A.adjoint(y), **SETTINGS).x


def with_jax(folder, name, kinds=("cartesian", "noncartesian")):
    import jax
    import jax.numpy as jnp

    from reconic.descent import spread_coils

    for kind in kinds:
        arrays, y = problem(kind)
        A, shares = spread_coils(systems(arrays), y)

        def loss(A, y, lam):
            x = solve(A, y, lam)
            return jnp.sum(jnp.abs(x) ** 4), x

        step = jax.jit(jax.value_and_grad(loss, argnums=(0, 2), has_aux=True))
        (_, x), (by_system, by_lam) = step(A, shares, LAM)
        compiled = jax.jit(lambda A, x: A.N(x)).lower(A, x).compile().as_text()
        found = {"x": x.addressable_data(0), "lam": by_lam}
        found |= {
            f"{field}.{i}": part.data
            for field in arrays
            for i, part in enumerate(getattr(by_system.A, field).addressable_shards)
        }
        np.savez(folder / f"{name}.{kind}.npz", **found)
        (folder / f"{name}.{kind}.txt").write_text(compiled)
        held = sum(part.data.shape[0] for part in shares.addressable_shards)
        (folder / f"{name}.{kind}.held").write_text(str(held))


def devices(folder):
    with_jax(folder, "devices")


def joined(folder, port, process):
    import jax

    jax.distributed.initialize(f"127.0.0.1:{port}", 2, process)
    with_jax(folder, f"joined{process}", ["cartesian"])


def ranks(folder, process):
    import torch
    import torch.distributed as dist

    from reconic.train import coil_share, spread_coils

    dist.init_process_group("gloo", f"file://{folder / 'store'}", rank=process, world_size=2)
    for kind in ("cartesian", "noncartesian"):
        arrays, y = problem(kind)
        whole = systems({k: torch.from_numpy(v) for k, v in arrays.items()})
        A, part = spread_coils(whole, torch.from_numpy(y))
        image = torch.full(A.in_shape, 1 + 2j, dtype=part.dtype, requires_grad=True)
        (A.energy(A(image) - part) + A.N(image).abs().square().sum()).backward()
        A = A.map(lambda a: a.requires_grad_())
        lam = torch.tensor(LAM, dtype=torch.float64, requires_grad=True)
        x = solve(A, part, lam)
        x.abs().pow(4).sum().backward()
        own = coil_share(N_COILS)
        found = {"x": x.detach(), "lam": lam.grad, "own": np.arange(N_COILS)[own]}
        found |= {"image": image.grad, "energy": A.energy(part)}
        batch = spread_coils(whole, torch.from_numpy(np.stack([y, 2 * y])))[1]
        found["batch"] = A.adjoint(batch).detach()
        found |= {field: getattr(A.A, field).grad for field in arrays}
        np.savez(folder / f"ranks{process}.{kind}.npz", **found)
    try:
        spread_coils(whole.replace(maps=whole.maps[..., : 2 - process]), torch.from_numpy(y))
    except ValueError as error:
        (folder / f"differ{process}.txt").write_text(str(error))
    dist.destroy_process_group()


if __name__ == "__main__":
    os.environ["JAX_ENABLE_X64"] = "1"
    count = 2 if sys.argv[1] == "joined" else 4
    os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={count}"
    task, folder, *place = sys.argv[1:]
    {"devices": devices, "joined": joined, "ranks": ranks}[task](Path(folder), *map(int, place))
