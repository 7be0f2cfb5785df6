# %% [markdown]
# # Radial MRI with gradient delays: image, delays and coil maps from one scan
#
# **Problem.** Each coil measures y_c = F(k) S_c x along spokes. Gradients lag behind, so a spoke in
# direction n is shifted by D n, with a symmetric D: the delays of both axes, and what one does to
# the other (Moussavi et al., MRM 71:308, 2014). Nobody tells D, nor the coil maps S.
#
# **Forward model → reconstruct → score.** The better the model, the better it predicts every eighth
# spoke, which is held out.

# %%
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from reconic import descent as rd
from reconic.calibrate import cartesian_centre, espirit, ramp
from reconic.operator import Identity
from reconic.simulate import coil_maps, complex_noise, shepp_logan
from reconic.solvers import cg
from reconic.systems import NonCartesianMRI
from reconic.view import comparison

FAST = "RECONIC_FAST" in os.environ  # a small image and few steps, to see that all runs
DATA = Path(os.environ.get("RECONIC_RADIAL17CH", "../shared/data/radial17ch"))
REAL = (DATA / "ksp_33spokes.npy").exists()
SIDE, EPOCHS, COUNTS = (48, 60, (33,)) if FAST else (128, 150, (33, 21))
LAM, N_CALIB = 0.3, 12  # Tikhonov's λ; samples across the centre that maps come from

# %% [markdown]
# ## Measurement
# A bottle in 17 coils (ClinicalDataScience/ML-MRI-Reconstruction), or a simulated scan. The first
# spokes are brighter, before the signal is steady: each is divided by its brightness at the centre
# of k-space, a held-out one by that of its neighbours.


# %%
def trajectory(angle: np.ndarray, delays: jax.Array) -> jax.Array:
    """Spokes (spoke, readout, 2) in rad/voxel; delays are D's yy, xx, yx in samples."""
    n_y, n_x = np.sin(angle)[:, None], np.cos(angle)[:, None]
    radius = np.linspace(SIDE, -SIDE, 2 * SIDE, endpoint=False)
    yy, xx, yx = delays
    k_y, k_x = (radius + yy) * n_y + yx * n_x, (radius + xx) * n_x + yx * n_y
    return jnp.stack([k_y, k_x], -1).astype(jnp.float32) * np.float32(np.pi / SIDE)


def scan(angle: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Samples (coil, spoke, readout)."""
    if REAL:
        y = np.load(DATA / f"ksp_{len(angle)}spokes.npy")[1].swapaxes(0, 1)
        brightness = np.interp(angle, angle[seen], np.linalg.norm(y[:, seen, SIDE], axis=0))
        y = y / brightness[:, None]
    else:
        rng = np.random.default_rng(0)
        maps = coil_maps((SIDE, SIDE), 8, rng, "jittered")
        A = NonCartesianMRI(maps, np.asarray(trajectory(angle, (0.9, -0.5, 0.3))), n_sample_axes=2)
        y = A(shepp_logan((SIDE, SIDE)) + 0j)
        y = y + complex_noise(y.shape, 0.02 * float(y.std()), rng)
    return (y * (SIDE / 10 / np.abs(y).max())).astype(np.complex64)


# %% [markdown]
# ## Reconstruct, score
# Gridding and CG-SENSE with maps from the scan's own centre, and descent from there.


# %%
def descend(y, angle, x, delays, maps, run, fit_maps):  # noqa: ANN001, ANN201
    """Image and delays, and what is smooth of the maps' errors."""
    inside = np.any(maps != 0, axis=0)

    def model(v: dict[str, jax.Array]) -> NonCartesianMRI:
        S = maps + inside * jax.image.resize(v["maps"], maps.shape, "cubic")
        return NonCartesianMRI(S, trajectory(angle, v["delays"]), n_sample_axes=2, tol=1e-4)

    decay = LAM * x.size / y.size * rd.weight_decay("image") + 4 * rd.weight_decay("maps")
    adam = rd.adam(0.02, schedule="cosine", schedule_options={"decay_steps": EPOCHS})
    best = rd.reconstruct(
        lambda v, _: model(v)(v["image"])[None],
        variables={"image": x, "delays": delays, "maps": np.zeros((len(y), 8, 8), x.dtype)},
        data={"spokes": y[None]},
        loss=rd.l2("spokes") + decay,
        optimizers={"image": adam, "delays": adam, "maps": adam if fit_maps else rd.frozen()},
        epochs=EPOCHS,
        run=run,
    ).best
    return [np.asarray(a) for a in (best["image"], best["delays"], model(best).maps)]


for n_spokes in COUNTS:
    angle, seen = 2 * np.pi * np.arange(n_spokes) / n_spokes, np.arange(n_spokes) % 8 != 3
    y, delays, found = scan(angle, seen), np.zeros(3, np.float32), {}
    for name in ("delays", "maps"):
        k, given = np.asarray(trajectory(angle[seen], delays)), y[:, seen]
        flat = given.reshape(len(y), -1), k.reshape(-1, 2)
        maps = espirit(cartesian_centre(*flat, (SIDE, SIDE), N_CALIB), N_CALIB)
        A = NonCartesianMRI(maps, k, ramp(k, (SIDE, SIDE)), n_sample_axes=2)
        found.setdefault("Gridding", (A.H(A.weigh(given)), delays, maps))
        A = A.replace(dcf=None)
        x = cg(A.N + LAM * Identity(A.in_shape), A.H(given), max_iter=30).x
        found.setdefault("CG-SENSE", (x, delays, maps))
        run, fit_maps = f"logs/radial_{n_spokes}_{name}", name == "maps"
        found[f"+ {name}"] = descend(given, angle[seen], x, delays, maps, run, fit_maps)
        delays = found[f"+ {name}"][1]
    errors = {}
    for name, (x, moved, maps) in found.items():
        A = NonCartesianMRI(maps, np.asarray(trajectory(angle[~seen], moved)), n_sample_axes=2)
        errors[name] = np.linalg.norm(A(x) - y[:, ~seen]) / np.linalg.norm(y[:, ~seen])
        print(f"{n_spokes} spokes, {name:8s}: error of the held-out ones {errors[name]:.3f}")
    print(f"delays yy, xx, yx: {', '.join(f'{d:.2f}' for d in delays)} samples")
    figure = Path(f"logs/radial_{n_spokes}_maps/version_0/figures/comparison.png")
    figure.parent.mkdir()
    images = {name: x * np.linalg.norm(maps, axis=0) for name, (x, _, maps) in found.items()}
    comparison(images, path=figure, notes={n: f"held-out {e:.3f}" for n, e in errors.items()})
    print(f"figure: {figure}")
    assert list(errors.values()) == sorted(errors.values(), reverse=True)
