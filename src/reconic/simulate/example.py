"""One simulated measurement: an image, coils, a mask and noisy k-space."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from reconic._array import Array, fftc
from reconic.simulate.anatomy import head_slice, plain_slice, sagittal_head
from reconic.simulate.coils import coil_maps
from reconic.simulate.masks import poisson_disc, uniform_1d, variable_density_1d
from reconic.simulate.noise import complex_noise
from reconic.simulate.noncartesian import check_shape, random_sampling, sample
from reconic.simulate.phase import random_phase
from reconic.simulate.photographs import photograph
from reconic.simulate.slabs import plain_slab
from reconic.simulate.sources import PHOTOGRAPHS
from reconic.simulate.volumes import load_volume

_CALIBRATION = 24
_P_SUPPORT = 0.7  # how often maps are zero outside the object, as ESPIRiT's are
_P_SAGITTAL = 0.08  # of the heads
_CENTRE_1D = 0.08  # of the lines, as is usual for undersampling along one axis
_MOST_1D = 6.0  # acceleration along one axis; more leaves nothing to reconstruct from


def random_example(
    rng: np.random.Generator,
    shape: tuple[int, int] | tuple[int, int, int] = (144, 120),
    n_coils: int = 8,
    *,
    source: str = "mni152",
    split: str = "train",
    photos: float = 0.25,
    acceleration: tuple[float, float] = (3.0, 9.0),
    noise: tuple[float, float] = (0.01, 0.05),
    plain: float = 0.8,
    trajectory: str = "cartesian",
    spokes: int = 32,
) -> dict[str, Array]:
    """Simulate one undersampled multi-coil measurement, with everything about it drawn at random.

    Args:
        rng: Source of randomness.
        shape: Image shape ``(ny, nx)``.
        n_coils: Number of coils.
        source: ``"mni152"``, ``"shepp-logan"`` or the path of a 3-D NIfTI file.
        split: Which part of the volume and which photographs to use.
        photos: Fraction of images that are photographs, which are for training; with 0 none is
            read, not even for texture.
        acceleration: Smallest and largest acceleration.
        noise: Smallest and largest standard deviation of the noise, relative to the brightest
            pixel; drawn evenly on a logarithmic scale.
        plain: Fraction of the heads that show the volume as it is; the others get a random
            contrast, scalp, texture and spots.
        trajectory: ``"cartesian"``, or one of `SAMPLINGS`, to which `acceleration` is nothing.
        spokes: Number of spokes, interleaves, petals or lines of that trajectory.

    Returns:
        ``img (ny, nx)``, ``maps (coil, ny, nx)`` and ``ksp (coil, ny, nx)``, complex64;
        ``mask (ny, nx)``, float32; ``noise_std``, the standard deviation of the complex noise in
        `ksp`. ``ksp = mask * (F(maps * img) + noise)`` with the centred orthonormal transform.
        With a trajectory ``ksp (coil, spoke, readout)``, and in place of the mask
        ``traj (spoke, readout, 2)`` in rad/voxel and the density weights ``dcf (spoke, readout)``,
        float32.
    """
    check_shape("random_example", shape, trajectory)
    scale = np.float32(10 ** rng.uniform(-0.5, 0.5))
    magnitude = _image(rng, shape, source, split, photos, plain)
    image = scale * magnitude * random_phase(shape, rng)
    has_support = rng.uniform() < _P_SUPPORT
    support = object_support(np.abs(magnitude), int(rng.integers(1, 8))) if has_support else None
    maps = coil_maps(shape, n_coils, rng, support=support)
    if support is not None:
        image = image * support
    if trajectory == "cartesian":
        sampled: dict[str, Array] = {"mask": random_mask(shape[-2:], rng, acceleration)}
        ksp = fftc(maps * image, (-2, -1))
    else:
        sampled = random_sampling(trajectory, shape, spokes, rng)
        ksp = sample(maps * image, sampled["traj"])
    sigma = float(scale * np.exp(rng.uniform(*np.log(noise))))
    ksp = ksp + complex_noise(ksp.shape, sigma, rng)
    return {
        "img": image.astype(np.complex64),
        "maps": maps,
        **sampled,
        "ksp": (sampled.get("mask", 1) * ksp).astype(np.complex64),
        "noise_std": np.float32(sigma),
    }


def object_support(magnitude: Array, margin: int) -> Array:
    """Mask the object, its holes filled and `margin` pixels added all around."""
    smooth = ndimage.gaussian_filter(magnitude, 1.5)
    inside = ndimage.binary_fill_holes(smooth > 0.05 * smooth.max())
    distance: Array = ndimage.distance_transform_edt(~np.asarray(inside))
    return distance <= margin


def random_mask(
    shape: tuple[int, int], rng: np.random.Generator, acceleration: tuple[float, float]
) -> Array:
    """Draw a mask of a random kind, direction and acceleration; float32 ``(ny, nx)``."""
    factor = float(np.exp(rng.uniform(*np.log(acceleration))))
    kind = rng.choice(["poisson", "random", "uniform"], p=(0.55, 0.4, 0.05))
    if kind == "poisson":
        ellipse = bool(rng.uniform() < 0.6)
        n_calib = min(_CALIBRATION, math.isqrt(round(math.prod(shape) / factor)) // 2)
        return poisson_disc(
            shape, factor, n_calib, rng=rng, ellipse=ellipse, slope=rng.uniform(1, 5)
        )
    axis = int(rng.integers(2))
    factor = min(factor, _MOST_1D)
    n_calib = min(_CALIBRATION, math.ceil(_CENTRE_1D * shape[axis]))
    if kind == "uniform":
        return uniform_1d(shape, factor, n_calib, axis)
    return variable_density_1d(shape, factor, n_calib, axis, rng=rng, power=rng.uniform(0, 2))


def _image(
    rng: np.random.Generator,
    shape: tuple[int, int] | tuple[int, int, int],
    source: str,
    split: str,
    photos: float,
    plain: float,
) -> Array:
    if len(shape) == 3:
        return plain_slab(load_volume(source, split), shape, rng)
    names = PHOTOGRAPHS if photos > 0 else ()
    if rng.uniform() < photos:
        return photograph(shape, rng, names)
    if rng.uniform() < plain:
        return plain_slice(load_volume(source, split), shape, rng)
    if source == "mni152" and split == "train" and rng.uniform() < _P_SAGITTAL:
        return sagittal_head(shape, rng)
    return head_slice(load_volume(source, split), shape, rng, names)
