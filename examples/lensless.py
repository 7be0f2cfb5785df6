# %% [markdown]
# # Lensless camera: an image from a caustic pattern
#
# **Problem.** A diffuser in front of a bare sensor spreads every point of the scene into the same
# caustic pattern h. The sensor sees y = C (h ∗ x), cropped to its size (Antipa et al., DiffuserCam,
# Optica 5:1, 2018).
#
# **Forward model → reconstruct → score.** A scene twice as large as the sensor, not negative, with
# little total variation. One sensor pixel in fifty is held out, and tells how well the rest
# predicts it.

# %%
import os
from pathlib import Path

import matplotlib.cbook
import numpy as np
from PIL import Image

from reconic import descent as rd
from reconic.systems import Convolution
from reconic.view import comparison

FAST = "RECONIC_FAST" in os.environ  # a small image and few steps, to see that all runs
DATA = Path(os.environ.get("RECONIC_DIFFUSERCAM", "../shared/data/diffusercam"))
DOWNSAMPLE, EPOCHS = (16, 40) if FAST else (4, 300)

# %% [markdown]
# ## Measurement and point-spread function
# From the DiffuserCam tutorial (Waller Lab, UC Berkeley), if `measurement.tif` and `psf.tif` are
# there; else simulated, with a random caustic pattern.


# %%
def read(path: Path) -> np.ndarray:
    """A raw frame without its background, averaged over blocks of pixels."""
    raw = np.asarray(Image.open(path), np.float32)
    raw = raw - raw[5:15, 5:15].mean()
    n = DOWNSAMPLE
    ny, nx = (size // n * n for size in raw.shape)
    return raw[:ny, :nx].reshape(ny // n, n, nx // n, n).mean((1, 3))


def simulate(shape: tuple[int, int], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Measurement and PSF of a photograph seen through a thresholded random field."""
    field = np.fft.ifft2(np.fft.fft2(rng.standard_normal(shape)) * _low_pass(shape, 12)).real
    psf = np.maximum(1 - np.abs(field) / (0.15 * field.std()), 0).astype(np.float32)
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        face = Image.open(file).convert("L").crop((90, 30, 450, 390))
    scene = np.zeros((2 * shape[0], 2 * shape[1]), np.float32)
    side = min(shape)
    y0, x0 = ((n - side) // 2 for n in scene.shape)
    scene[y0 : y0 + side, x0 : x0 + side] = np.asarray(face.resize((side, side))) / 255
    y = Convolution.from_psf(psf / psf.sum(), scene.shape, output=shape)(scene)
    return y + 0.005 * y.max() * rng.standard_normal(shape).astype(np.float32), psf


def _low_pass(shape: tuple[int, int], cycles: float) -> np.ndarray:
    fy, fx = (np.fft.fftfreq(n) * n for n in shape)
    return np.exp(-(fy[:, None] ** 2 + fx**2) / (2 * cycles**2))


if (DATA / "measurement.tif").exists():
    y, psf = read(DATA / "measurement.tif"), read(DATA / "psf.tif")
else:
    print(f"no {DATA}: simulating a measurement")
    y, psf = simulate((1200 // DOWNSAMPLE, 1600 // DOWNSAMPLE), np.random.default_rng(0))
y = (y / y.max()).astype(np.float32)
psf = (psf / np.linalg.norm(psf)).astype(np.float32)

# %% [markdown]
# ## Reconstruct

# %%
scene = (2 * y.shape[0], 2 * y.shape[1])
A = Convolution.from_psf(psf, scene, boundary="circular", output=y.shape)
fit = rd.reconstruct(
    A,
    variables={"scene": np.zeros(scene, np.float32)},
    data={"measurement": y},
    loss=rd.l2("measurement") + 1e-5 * rd.tv("scene"),
    optimizers=rd.adam(3e-3, constraint="nonnegative"),
    epochs=EPOCHS,
    holdout=0.02,
    keep_best="holdout",
    images=lambda v: {"scene": v["scene"]},
    run="logs/lensless",
)

# %% [markdown]
# ## Score
# Relative error of the sensor pixels that no step saw.

# %%
held_out = np.sqrt(fit.history["held_out/total"].min() / np.mean(y**2))
view = tuple(slice((s - n) // 2, (s - n) // 2 + n) for s, n in zip(scene, y.shape, strict=True))
found = np.asarray(fit.best["scene"])[view]
assert fit.run is not None
path = fit.run / "figures" / "scene.png"
path.parent.mkdir()
shown = {"Sensor": y, "Scene": found / np.percentile(found, 99.8)}  # each to its own white
comparison(shown, path=path, notes={"Scene": f"held-out {held_out:.3f}"})
fit.plot(path.with_name("loss.png"))
print(f"held-out sensor pixels: relative error {held_out:.4f}")
print(f"figure: {path}")

# %%
assert held_out < (0.9 if FAST else 0.1)
