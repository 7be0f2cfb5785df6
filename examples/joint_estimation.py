# %% [markdown]
# # Joint estimation: what the forward model does not know, found together with the image
#
# **Problem.** A forward model A(p) with wrong parameters p leaves artefacts: gradient delays
# streak, coil maps of before the patient moved fold, a field off resonance blurs a spiral.
#
# **Forward model → simulate → reconstruct → score.** Descent on ‖A(p) x - y‖² + λ‖x‖² over x and p
# at once, from CG-SENSE with p = 0, where all is as assumed.

# %%
import functools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from scipy.ndimage import gaussian_filter

from reconic import descent as rd
from reconic.metrics import nrmse
from reconic.operator import Identity
from reconic.simulate import coil_maps, complex_noise, radial, shepp_logan, spiral
from reconic.solvers import cg
from reconic.systems import NonCartesianMRI, OffResonanceMRI
from reconic.view import comparison

SIDE, LAM, EPOCHS, rng = 64, 1e-2, 200, np.random.default_rng(0)
truth = jnp.asarray(gaussian_filter(shepp_logan((SIDE, SIDE)), 0.8) + 0j)
maps = jnp.asarray(coil_maps((SIDE, SIDE), 6, rng, "jittered"))
spokes = jnp.asarray(radial(60, 2 * SIDE).astype(np.float32))
directions = spokes[:, -1:] / jnp.linalg.norm(spokes[:, -1:], axis=-1, keepdims=True)
interleaves = jnp.asarray(spiral(12, 512, 4.0).astype(np.float32))
times = 0.02 * np.arange(512) / 512 + 0.002 * (np.arange(12)[:, None] % 2)  # two echoes, in s


scan = functools.partial(NonCartesianMRI, n_sample_axes=2)


def smooth(coarse: jax.Array) -> jax.Array:
    """Values on a coarse grid, interpolated to the image's."""
    return jax.image.resize(coarse, (*coarse.shape[:-2], SIDE, SIDE), "cubic")


def changed(p: jax.Array) -> jax.Array:
    """Maps that were measured six voxels off, changed by what is smooth, of unit sum of squares."""
    S = jnp.roll(maps, 6, axis=-1) + smooth(p)
    return S / jnp.linalg.norm(S, axis=0)


# %% [markdown]
# ## Three forward models
# - Delays of the axes y and x, in rad/voxel: a spoke in direction n is shifted by D n (Moussavi et
#   al., MRM 71:308, 2014).
# - A smooth change of coil maps, with half of the spokes.
# - A smooth field map in rad/s, with the second echo of every other interleaf (Sutton et al., MRM
#   51:1194, 2004).

# %%
off_resonance = OffResonanceMRI.of(
    scan(maps, interleaves),
    jnp.zeros((SIDE, SIDE)),
    jnp.asarray(times, jnp.float32),
    frequencies=jnp.linspace(-800.0, 800.0, 161),
)
dy, dx = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j].astype(np.float32)
field = 500 * np.exp(-4 * ((dy + 0.4) ** 2 + (dx - 0.2) ** 2)) - 100 * dx
problems = {  # model, what was measured, parameters as assumed, step of Adam
    "delays": (
        lambda p: scan(maps, spokes + p * directions),
        scan(maps, spokes + jnp.asarray([0.06, -0.04]) * directions),
        np.zeros(2, np.float32),
        2e-3,
    ),
    "maps": (
        lambda p: scan(changed(p), spokes[::2]),
        scan(maps, spokes[::2]),
        np.zeros((len(maps), 10, 10), np.complex64),
        2e-2,
    ),
    "field": (
        lambda p: off_resonance.replace(b0=smooth(p)),
        off_resonance.replace(b0=jnp.asarray(field)),
        np.zeros((10, 10), np.float32),
        15.0,
    ),
}

# %% [markdown]
# ## Reconstruct, score

# %%
images, factors = {}, {}
for name, (model, true, start, lr) in problems.items():
    y = np.asarray(true(truth))
    y = y + complex_noise(y.shape, 0.02 * float(y.std()), rng)
    A = model(jnp.asarray(start))
    x = cg(A.N + LAM * Identity(A.in_shape), A.H(jnp.asarray(y)), max_iter=30).x
    cosine = {"schedule": "cosine", "schedule_options": {"decay_steps": EPOCHS}}
    best = rd.reconstruct(
        lambda v, _, model=model: model(v["parameters"])(v["image"])[None],
        variables={"image": np.asarray(x), "parameters": start},
        data={"y": y[None]},
        loss=rd.l2("y") + LAM * x.size / y.size * rd.weight_decay("image"),
        optimizers={"image": rd.adam(0.02, **cosine), "parameters": rd.adam(lr, **cosine)},
        epochs=EPOCHS,
        run=f"logs/joint_{name}",
    ).best
    pair = [np.abs(x), np.abs(best["image"])]
    images |= dict(zip([f"Wrong {name}", f"Estimated {name}"], pair, strict=True))
    before, after = (float(nrmse(image, np.abs(truth))) for image in pair)
    factors[name] = before / after
    print(f"{name:6s} NRMSE as assumed {before:.3f}, estimated with the image {after:.3f}")

figure = Path("logs/joint_field/version_0/figures/comparison.png")
figure.parent.mkdir()
comparison(images, np.abs(truth), figure, error_scale=3)
print(f"figure: {figure}")

assert all(factors[name] > least for name, least in {"delays": 5, "maps": 2, "field": 3}.items())
