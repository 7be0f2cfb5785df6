# %% [markdown]
# # Uncertainty: where is a reconstruction to be trusted?
#
# **Problem.** A camera sees y = M C (psf ∗ x) + noise, blurred, and a patch of its sensor is dead
# (mask M). A reconstruction fills the patch with something. How sure is it?
#
# **Forward model → simulate → reconstruct → how sure → score.** A fit by gradient descent, then an
# ensemble of fits, each to measurements and a prior with noise of their own. For this linear model
# they are independent draws from the posterior (Bardsley et al., SIAM J. Sci. Comput. 36:A1895,
# 2014), and their standard deviation says where the image is known.

# %%
import os

import jax.numpy as jnp
import numpy as np

from reconic import descent as rd
from reconic.descent.scene import disc, portrait
from reconic.metrics import nrmse
from reconic.systems import Convolution

FAST = "RECONIC_FAST" in os.environ  # a small image and few steps, to see that all runs
SIDE, EPOCHS, MEMBERS = (32, 200, 12) if FAST else (128, 400, 32)
SIGMA = 0.02  # of the noise
TAU = 0.12  # of the prior: how much the image changes from pixel to pixel

# %% [markdown]
# ## Simulate
# A portrait that ships with matplotlib (Grace Hopper, public domain).

# %%
truth = portrait(SIDE)
A = Convolution.from_psf(disc(1.5), truth.shape)
mask = np.ones((SIDE, SIDE), np.float32)
mask[SIDE // 2 : 3 * SIDE // 4, SIDE // 3 : SIDE // 2] = 0
noise = SIGMA * np.random.default_rng(0).standard_normal(truth.shape).astype(np.float32)
y = mask * (A(truth) + noise)
A = A.map(jnp.asarray)

# %% [markdown]
# ## Reconstruct
# The prior stands among the data: all differences between neighbours are zero, give or take TAU.


# %%
def forward(variables: dict, batch: dict) -> dict:
    """What the camera would see, and the differences between neighbours."""
    x = variables["object"]
    seen = batch["mask"] * A(x)
    return {"measurement": seen, "down": jnp.diff(x, axis=0), "across": jnp.diff(x, axis=1)}


down, across = np.zeros((SIDE - 1, SIDE), np.float32), np.zeros((SIDE, SIDE - 1), np.float32)
data = {"measurement": y, "mask": mask, "down": down, "across": across}
weight = SIGMA**2 / TAU**2 * down.size / y.size
loss = rd.l2("measurement") + weight * (rd.l2("down") + rd.l2("across"))
start = {"object": np.where(mask > 0, y, y[mask > 0].mean())}
adam = rd.adam(0.03, schedule="cosine", schedule_options={"decay_steps": EPOCHS})
fit = rd.reconstruct(
    forward, start, data, loss, adam, epochs=EPOCHS, run="logs/uncertainty"
)  # fmt: skip

# %% [markdown]
# ## How sure?

# %%
ensemble = rd.ensemble(
    forward, start, data, loss, adam, n=MEMBERS, epochs=EPOCHS,
    resample=rd.gaussian_noise({"measurement": SIGMA * mask, "down": TAU, "across": TAU}),
)  # fmt: skip
assert fit.run is not None
figure = fit.run / "figures" / "uncertainty.png"
figure.parent.mkdir()
ensemble.plot(figure, truth={"object": truth})

# %% [markdown]
# ## Score
# The deviation should foretell the error, which nobody knows of a real measurement.

# %%
std, error = ensemble.std["object"], np.abs(ensemble.mean["object"] - truth)
dead = mask == 0
x_hat = np.asarray(fit.best["object"])
print(f"NRMSE {float(nrmse(x_hat, truth)):.4f}")
print(f"where the sensor sees: deviation {std[~dead].mean():.4f}, error {error[~dead].mean():.4f}")
print(f"where it is dead: deviation {std[dead].mean():.4f}, error {error[dead].mean():.4f}")
print(f"within two deviations: {(error < 2 * std).mean():.1%} of the pixels")
print(f"figure: {figure}")

# %% [markdown]
# ## Try next
# A prior that is not Gaussian, such as total variation, has a posterior to sample:
# `rd.sample(forward, fit.best, …, rd.langevin(…, adjust=True), temperature=…)`.

# %%
assert std[dead].mean() > 1.3 * std[~dead].mean()
assert (error < 2 * std).mean() > 0.75
