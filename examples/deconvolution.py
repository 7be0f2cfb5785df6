# %% [markdown]
# # Deconvolution: undo the blur of a photograph
#
# **Problem.** A camera measures y = C (psf ∗ x) + noise, a blurred view C of a larger scene x.
#
# **Forward model → simulate → reconstruct → score.** Gradient descent on mean |y - A x|² + λ TV(x)
# through `Convolution`, logged to TensorBoard (`tensorboard --logdir logs`).

# %%
import os
from pathlib import Path

import matplotlib.cbook
import numpy as np
from PIL import Image

from reconic import descent as rd
from reconic.metrics import nrmse
from reconic.systems import Convolution
from reconic.view import comparison

FAST = "RECONIC_FAST" in os.environ  # a small image and few steps, to see that all runs
SIDE, MARGIN, EPOCHS = (48, 8, 60) if FAST else (256, 12, 400)

# %% [markdown]
# ## Simulate
# A portrait that ships with matplotlib (Grace Hopper, public domain), out of focus by a disc of
# nine pixels, with noise of one per cent of white.

# %%
rng = np.random.default_rng(0)
with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
    portrait = Image.open(file).convert("L").crop((90, 30, 450, 390))
size = SIDE + 2 * MARGIN
truth = np.asarray(portrait.resize((size, size)), np.float32) / 255

radius = np.hypot(*np.mgrid[-6:7, -6:7])
psf = np.clip(5 - radius, 0, 1).astype(np.float32)  # a disc with a soft edge
psf /= psf.sum()

A = Convolution.from_psf(psf, truth.shape, output=(SIDE, SIDE))
y = A(truth) + 0.01 * rng.standard_normal((SIDE, SIDE)).astype(np.float32)

# %% [markdown]
# ## Reconstruct

# %%
start = np.pad(y, MARGIN, mode="edge")
fit = rd.reconstruct(
    A,
    variables={"object": start},
    data={"measurement": y},
    loss=rd.l2("measurement") + 1.5e-3 * rd.tv("object"),
    optimizers=rd.adam(0.02, schedule="cosine", schedule_options={"decay_steps": EPOCHS}),
    epochs=EPOCHS,
    images=lambda v: {"object": v["object"]},
    run="logs/deconvolution",
)

# %% [markdown]
# ## Score
# On the field of view; the margin beyond it is only seen through the blur.

# %%
view = (slice(MARGIN, -MARGIN),) * 2
found = np.asarray(fit.best["object"])[view]
before, after = (float(nrmse(x, truth[view])) for x in (y, found))
assert fit.run is not None
figure = fit.run / "figures" / "comparison.png"
figure.parent.mkdir()
comparison({"Measured": y, "Deconvolved": found}, truth[view], figure)
fit.plot(figure.with_name("loss.png"))
print(f"NRMSE before {before:.4f}, after {after:.4f}")
print(f"figure: {Path(figure)}")

# %% [markdown]
# ## Try next
# A PSF that is not known: put it among the variables and make the `Convolution` in the forward
# model. Faster convergence: `rd.lbfgs()`.

# %%
assert after < (1.0 if FAST else 0.55) * before
