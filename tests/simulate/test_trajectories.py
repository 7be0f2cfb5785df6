"""Trajectories are where their formulas say, in rad/voxel."""

import math

import numpy as np
import pytest

from reconic.simulate import angles, epi, koosh_ball, radial, rosette, spiral, stack

EXACT = {"rtol": 0, "atol": 1e-12}  # a few roundings of numbers up to 2π times the count

ALL = {
    "radial": lambda f: radial(5, 16, f),
    "radial, linear": lambda f: radial(5, 17, f, order="linear"),
    "spiral": lambda f: spiral(5, 16, 3.0, density=1.5, n_frames=f),
    "rosette": lambda f: rosette(5, 16, n_frames=f),
    "epi": lambda f: epi(5, 16, n_frames=f),
    "koosh ball": lambda f: koosh_ball(5, 16, f),
    "stack of stars": lambda f: stack(radial(5, 16, f), 4, turn=0.3)[..., 0, :, :, :],
}


@pytest.mark.parametrize("kind", ALL)
def test_shapes_frames_and_range(kind):
    one, several = ALL[kind](None), ALL[kind](3)
    n = 3 if kind in ("koosh ball", "stack of stars") else 2
    assert one.shape[:2] == (5, 16 if kind != "radial, linear" else 17)
    assert one.shape[2:] == (n,)
    assert several.shape == (3, *one.shape)
    np.testing.assert_allclose(several[0], one, **EXACT)
    assert np.abs(several).max() <= math.pi + 1e-12
    assert np.abs(several).max() > 0.9 * math.pi  # in rad/voxel, to the edge
    if kind != "epi":
        assert np.abs(several[1] - several[0]).max() > 0.1  # another frame, other samples


def test_golden_angles():
    degrees = np.degrees(angles(4))
    np.testing.assert_allclose(degrees[1], 111.246, atol=1e-3)  # as the papers give it
    np.testing.assert_allclose(np.degrees(angles(2, tiny=7))[1], 23.628, atol=1e-3)
    np.testing.assert_allclose(np.degrees(angles(2, span=2 * math.pi))[1], 222.492, atol=1e-3)
    np.testing.assert_allclose(np.diff(degrees) % 180, 111.246, atol=1e-3)
    np.testing.assert_allclose(angles(3, 2).ravel(), angles(6), **EXACT)  # goes on over frames


@pytest.mark.parametrize("n", [8, 13, 21, 34])
def test_a_fibonacci_number_of_golden_spokes_has_gaps_of_two_sizes(n):
    gaps = np.diff(np.sort(np.append(angles(n), math.pi)))
    sizes = np.unique(np.round(gaps, 9))
    assert len(sizes) == 2
    assert sizes[1] / sizes[0] == pytest.approx((1 + math.sqrt(5)) / 2)


def test_linear_angles_are_even_and_frames_interleave():
    np.testing.assert_allclose(angles(4, order="linear"), np.arange(4) * math.pi / 4, **EXACT)
    both = np.sort(angles(4, 2, order="linear").ravel())
    np.testing.assert_allclose(both, np.arange(8) * math.pi / 8, **EXACT)


@pytest.mark.parametrize("n", [8, 9])
def test_spokes_pass_the_centre_in_steps_of_the_grid(n):
    traj = radial(3, n, order="linear")
    np.testing.assert_allclose(traj[0, :, 0], 0, **EXACT)  # the first along x, the last axis
    np.testing.assert_allclose(traj[0, :, 1], 2 * math.pi * np.fft.fftshift(np.fft.fftfreq(n)))
    assert not traj[:, n // 2].any()
    angle = np.arctan2(traj[1, -1, 0], traj[1, -1, 1])
    assert angle == pytest.approx(math.pi / 3)


def test_a_spiral_turns_as_its_formula_and_its_turns_are_at_nyquists_distance():
    n, n_interleaves, density = 32, 4, 1.5
    n_turns = density * n / (2 * n_interleaves)
    traj = spiral(n_interleaves, 4000, n_turns, density)
    z = traj[..., 1] + 1j * traj[..., 0]
    np.testing.assert_allclose(np.abs(z[:, -1]), math.pi)
    tau = (np.abs(z[0]) / math.pi) ** (1 / density)
    turned = np.unwrap(np.angle(z[0, 1:]))
    np.testing.assert_allclose(
        turned - turned[-1], 2 * math.pi * n_turns * (tau[1:] - 1), atol=1e-9
    )
    before = np.interp(1 - 1 / (n_turns * n_interleaves), tau, np.abs(z[0]))  # interleaf inside
    # the mean over the last gap is below the derivative at the edge, by its curvature
    assert math.pi - before == pytest.approx(2 * math.pi / n, rel=0.02)
    steps = np.abs(np.diff(z[0]))[2000:]
    assert steps.max() / steps.min() < 1.02  # constant gradient on the outer turns
    np.testing.assert_allclose(z[1], 1j * z[0], atol=1e-12)  # four interleaves, a quarter turn


def test_a_rosette_goes_out_and_back_and_turns_on_its_way():
    traj = rosette(3, 64, twist=0.25)
    z = traj[..., 1] + 1j * traj[..., 0]
    t = np.arange(64) / 64
    np.testing.assert_allclose(z[0], math.pi * np.sin(math.pi * t) * np.exp(0.25j * math.pi * t))
    np.testing.assert_allclose(z[1], z[0] * np.exp(2j * math.pi / 3), atol=1e-12)


def test_epi_without_ramps_is_a_cartesian_grid_to_and_fro():
    traj = epi(4, 6, ramp=0.0)
    grid = 2 * math.pi * np.fft.fftshift(np.fft.fftfreq(6))
    np.testing.assert_allclose(traj[0, :, 1], grid, **EXACT)
    np.testing.assert_allclose(traj[1, :, 1], grid[::-1], **EXACT)
    np.testing.assert_allclose(traj[:, 0, 0], math.pi * np.array([-1, -0.5, 0, 0.5]), **EXACT)


@pytest.mark.parametrize("ramp", [0.1, 0.3, 0.5])
def test_epi_moves_as_a_trapezoid_of_the_gradient(ramp):
    n = 2000
    k = epi(1, n, ramp)[0, :, 1]
    t = np.arange(n) / n
    gradient = np.minimum(1, np.minimum(t, 1 - t) / ramp)
    found = np.diff(k) * n * (1 - ramp) / (2 * math.pi)
    np.testing.assert_allclose(found, (gradient[1:] + gradient[:-1]) / 2, atol=2e-3)  # ~1/(n ramp)
    assert k[0] == pytest.approx(-math.pi)
    assert k[n // 2] == 0


def test_koosh_ball_directions_by_the_golden_means():
    traj = koosh_ball(500, 8)
    tips = -traj[:, 0] / math.pi
    np.testing.assert_allclose(np.linalg.norm(tips, axis=-1), 1)
    np.testing.assert_allclose(tips[1, 0], 0.4656, atol=1e-4)  # as the paper gives them
    turn = np.arctan2(tips[1, 1], tips[1, 2]) / (2 * math.pi) % 1
    assert turn == pytest.approx(0.6823, abs=1e-4)
    # even over the half sphere: mean of z is 1/2, and no other direction is preferred
    np.testing.assert_allclose(tips.mean(0), [0.5, 0, 0], atol=0.01)


def test_a_stack_repeats_its_plane_and_may_turn_it():
    plane = radial(3, 8, start=0.2)
    still, turned = stack(plane, 4), stack(plane, 4, turn=0.1)
    for p in range(4):
        np.testing.assert_allclose(still[p, ..., 0], 2 * math.pi * (p - 2) / 4, **EXACT)
        np.testing.assert_allclose(still[p, ..., 1:], plane, **EXACT)
        np.testing.assert_allclose(turned[p, ..., 1:], radial(3, 8, start=0.2 + 0.1 * p), **EXACT)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: radial(0, 8), "angles: `n` must be positive, got 0"),
        (lambda: radial(3, 0), "radial: `n_readout` must be positive, got 0"),
        (lambda: radial(3, 8, n_frames=-1), "angles: `n_frames` must be positive, got -1"),
        (lambda: angles(3, tiny=0), "angles: `tiny` must be positive"),
        (lambda: angles(3, order="random"), r"`order` must be one of \('golden', 'linear'\), got"),
        (lambda: spiral(3, 8, 0.0), "spiral: `n_turns` must be positive"),
        (lambda: epi(3, 8, 0.6), "epi: `ramp` must be between 0 and 0.5, got 0.6"),
        (lambda: koosh_ball(0, 8), "koosh_ball: `n_spokes` must be positive"),
        (lambda: stack(radial(3, 8), 0), "stack: `n_partitions` must be positive"),
    ],
)
def test_bad_settings_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
