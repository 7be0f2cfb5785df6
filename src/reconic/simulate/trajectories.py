"""Non-Cartesian trajectories in rad/voxel: ([frames,] spoke, readout, n_space), within [-π, π].

The last axis is ordered as space is, (y, x) or (z, y, x). Lines from edge to edge have their sample
n//2 at the centre of k-space, as a Cartesian grid has. What repeats (spokes, interleaves, petals)
is turned by one of the orders of `angles`, which goes on from frame to frame.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import numpy as np

from reconic._array import Array

__all__ = ["Order", "angles", "epi", "koosh_ball", "radial", "rosette", "spiral", "stack"]

Order = Literal["golden", "linear"]

_TAU = (1 + math.sqrt(5)) / 2
_MEAN_2 = 0.6823278038280193  # real root of x³ + x = 1; the other golden mean is its square


def angles(
    n: int,
    n_frames: int | None = None,
    order: Order = "golden",
    tiny: int = 1,
    span: float = math.pi,
) -> Array:
    """Angles ([frame,] n) in rad of what is acquired one after the other.

    Args:
        n: Number of angles, of each frame.
        n_frames: Number of frames; None makes no such axis.
        order: "golden": each angle is the one before plus span / (τ + tiny - 1), with the golden
            ratio τ, so that any number of successive ones covers the span evenly. "linear": spaced
            evenly; the angles of the frames interleave.
        tiny: Which of the tiny golden angles ψ_N to take; 1 is the golden angle, 111.25° of 180°.
        span: Angle after which the pattern repeats: π for spokes through the centre, 2π for
            interleaves that begin there.

    Raises:
        ValueError: If a number is not positive, or `order` is unknown.

    References:
        Winkelmann et al., IEEE TMI 26:68 (2007) (golden angle); Wundrak et al., MRM 75:2372 (2016)
        (ψ_N = π / (τ + N - 1)).
    """
    _positive("angles", n=n, n_frames=n_frames or 1, tiny=tiny)
    if order not in get_args(Order):
        raise ValueError(f"angles: `order` must be one of {get_args(Order)}, got {order!r}.")
    index = np.arange(n * (n_frames or 1)).reshape(-1, n)
    if order == "golden":
        found = index * (span / (_TAU + tiny - 1)) % span
    else:
        found = (np.arange(n) + np.arange(len(index))[:, None] / len(index)) * (span / n)
    return found[0] if n_frames is None else found


def radial(
    n_spokes: int,
    n_readout: int,
    n_frames: int | None = None,
    order: Order = "golden",
    tiny: int = 1,
    start: float = 0.0,
) -> Array:
    """Spokes through the centre, k_j = 2π (j - n//2) / n along each.

    Args:
        n_spokes: Number of spokes, of each frame.
        n_readout: Number of samples of a spoke; twice the image's size, for oversampled readouts.
        n_frames: Number of frames; None makes no such axis.
        order: Order of the spokes, see `angles`.
        tiny: Which of the tiny golden angles.
        start: Angle of the first spoke in rad, from the last axis towards the one before.

    Returns:
        ([frame,] n_spokes, n_readout, 2).
    """
    _positive("radial", n_readout=n_readout)
    turned = angles(n_spokes, n_frames, order, tiny) + start
    return _on_line(n_readout)[:, None] * _direction(turned)[..., None, :]


def spiral(
    n_interleaves: int,
    n_readout: int,
    n_turns: float,
    density: float = 1.0,
    n_frames: int | None = None,
    order: Order = "linear",
    start: float = 0.0,
) -> Array:
    """Spirals from the centre to the edge, |k| = π τ^α at the angle 2π n_turns τ, 0 ≤ τ ≤ 1.

    Samples are spaced evenly along the outer turns, τ ∝ t^(1/(α + 1)): the gradient is constant
    there. Neighbouring turns of all interleaves are 2π α τ^(α-1) / (2 n_turns n_interleaves) apart,
    which is Nyquist's 2π/n at the edge for n_turns = α n / (2 n_interleaves).

    Args:
        n_interleaves: Number of interleaves, of each frame.
        n_readout: Number of samples of an interleaf.
        n_turns: Turns of an interleaf.
        density: Exponent α; 1 spaces the turns evenly, more makes them denser at the centre.
        n_frames: Number of frames; None makes no such axis.
        order: Order of the interleaves, see `angles`.
        start: Angle of the first interleaf in rad.

    Returns:
        ([frame,] n_interleaves, n_readout, 2).

    References:
        Kim, Adalsteinsson & Spielman, Simple analytic variable density spiral design, MRM 50:214
        (2003).
    """
    _positive("spiral", n_readout=n_readout, n_turns=n_turns, density=density)
    tau = (np.arange(n_readout) / max(n_readout - 1, 1)) ** (1 / (density + 1))
    turned = angles(n_interleaves, n_frames, order, span=2 * math.pi) + start
    along = 2 * math.pi * n_turns * tau
    return (math.pi * tau**density)[:, None] * _direction(turned[..., None] + along)


def rosette(
    n_petals: int,
    n_readout: int,
    twist: float = 0.5,
    n_frames: int | None = None,
    order: Order = "linear",
    start: float = 0.0,
) -> Array:
    """Petals out of the centre and back, k = π sin(π t) exp(iπ twist t), 0 ≤ t < 1.

    Args:
        n_petals: Number of petals, of each frame.
        n_readout: Number of samples of a petal, the middle one at the edge.
        twist: Angle over π by which a petal turns on its way, ω₂/ω₁ of the reference.
        n_frames: Number of frames; None makes no such axis.
        order: Order of the petals, see `angles`.
        start: Angle at which the first petal begins, in rad.

    Returns:
        ([frame,] n_petals, n_readout, 2).

    References:
        Noll, Multishot rosette trajectories for spectrally selective MR imaging, IEEE TMI 16:372
        (1997).
    """
    _positive("rosette", n_readout=n_readout)
    t = np.arange(n_readout) / n_readout
    turned = angles(n_petals, n_frames, order, span=2 * math.pi) + start
    radius = math.pi * np.sin(math.pi * t)
    return radius[:, None] * _direction(turned[..., None] + math.pi * twist * t)


def epi(n_lines: int, n_readout: int, ramp: float = 0.2, n_frames: int | None = None) -> Array:
    """Echo-planar lines, every other one backwards, sampled evenly in time while gradients ramp.

    Args:
        n_lines: Number of lines along the first axis of space.
        n_readout: Number of samples of a line.
        ramp: Part of a line's time in which its gradient rises, and again in which it falls, from 0
            to 0.5. With 0 the samples are those of a Cartesian grid.
        n_frames: Number of frames, all alike; None makes no such axis.

    Returns:
        ([frame,] n_lines, n_readout, 2).

    Raises:
        ValueError: If a number is not positive, or `ramp` is out of range.
    """
    _positive("epi", n_lines=n_lines, n_readout=n_readout, n_frames=n_frames or 1)
    if not 0 <= ramp <= 0.5:
        raise ValueError(f"epi: `ramp` must be between 0 and 0.5, got {ramp}. 0.2 is usual.")
    t = _on_line(n_readout) / (2 * math.pi)  # of the line's time, 0 in the middle
    beyond = np.maximum(np.abs(t) - (0.5 - ramp), 0)
    area = np.abs(t) - (beyond**2 / (2 * ramp) if ramp else 0)  # under a trapezoid of height one
    k_x = np.sign(t) * area * (2 * math.pi / (1 - ramp))
    forth = np.arange(n_lines)[:, None] % 2 == 0
    lines = np.where(forth, k_x, k_x[::-1])
    traj = np.stack([np.broadcast_to(_on_line(n_lines)[:, None], lines.shape), lines], axis=-1)
    return traj if n_frames is None else np.stack([traj] * n_frames)


def koosh_ball(n_spokes: int, n_readout: int, n_frames: int | None = None) -> Array:
    """Spokes through the centre of a ball, their directions by the two golden means.

    Spoke m has the polar angle arccos {m φ₁} from the first axis and the azimuth 2π {m φ₂}, with
    the golden means φ₁ = 0.4656 and φ₂ = 0.6823 and {·} the fraction: any number of successive
    spokes covers the ball evenly.

    Args:
        n_spokes: Number of spokes, of each frame.
        n_readout: Number of samples of a spoke, k_j = 2π (j - n//2) / n along it.
        n_frames: Number of frames; None makes no such axis.

    Returns:
        ([frame,] n_spokes, n_readout, 3).

    References:
        Chan et al., Temporal stability of adaptive 3D radial MRI using multidimensional golden
        means, MRM 61:354 (2009).
    """
    _positive("koosh_ball", n_spokes=n_spokes, n_readout=n_readout, n_frames=n_frames or 1)
    m = np.arange(n_spokes * (n_frames or 1))
    k_z, turn = m * _MEAN_2**2 % 1, 2 * math.pi * (m * _MEAN_2 % 1)
    plane = np.sqrt(1 - k_z**2)[:, None] * _direction(turn)
    spokes = np.concatenate([k_z[:, None], plane], axis=-1)[:, None] * _on_line(n_readout)[:, None]
    return spokes if n_frames is None else spokes.reshape(n_frames, n_spokes, n_readout, 3)


def stack(plane: Array, n_partitions: int, turn: float = 0.0) -> Array:
    """Stack of stars or spirals: a trajectory of a plane at each k_z of a Cartesian axis.

    Where all partitions are alike, `NonCartesianMRI` takes the plane's trajectory itself, and
    transforms the first axis of space by FFT, which is faster.

    Args:
        plane: ([frames,] spoke, readout, 2).
        n_partitions: Number of partitions, k_z = 2π (p - n//2) / n.
        turn: Angle in rad by which a partition is turned against the one before.

    Returns:
        ([frames,] n_partitions, spoke, readout, 3).
    """
    _positive("stack", n_partitions=n_partitions)
    planes = plane[..., None, :, :, :]
    by = turn * np.arange(n_partitions)[:, None, None]
    y, x = planes[..., 0], planes[..., 1]
    turned = (np.cos(by) * y + np.sin(by) * x, np.cos(by) * x - np.sin(by) * y)
    k_z = np.broadcast_to(_on_line(n_partitions)[:, None, None], turned[0].shape)
    return np.stack([k_z, *turned], axis=-1)


def _on_line(n: int) -> Array:
    """Samples (n) from -π on, sample n//2 at 0."""
    return 2 * math.pi * (np.arange(n) - n // 2) / n


def _direction(angle: Array) -> Array:
    """Unit vectors (…, 2) as (y, x)."""
    return np.stack([np.sin(angle), np.cos(angle)], axis=-1)


def _positive(where: str, **numbers: float) -> None:
    for name, value in numbers.items():
        if not value > 0:
            raise ValueError(f"{where}: `{name}` must be positive, got {value}.")
