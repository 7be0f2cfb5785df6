"""Density weights: volumes of cells, and images that keep their brightness."""

import math

import numpy as np
import pytest
from scipy.spatial import ConvexHull, Voronoi
from scipy.special import j1

from reconic._array import from_numpy, to_numpy
from reconic._kernels.nufft import exact_nufft, exact_nufft_adjoint
from reconic.calibrate import pipe_menon, ramp, voronoi
from reconic.calibrate.dcf import _volumes
from reconic.simulate import epi, koosh_ball, radial, spiral


def point_spread(traj, weights, shape):
    """Fᴴ W F of a point in the middle, by the exact sum."""
    flat = traj.reshape(-1, traj.shape[-1])
    point = np.zeros((1, *shape), complex)
    point[(0, *(n // 2 for n in shape))] = 1
    y = weights.reshape(1, -1) * exact_nufft(point, flat)
    return exact_nufft_adjoint(y, flat, shape)[0] / math.prod(shape)


@pytest.mark.parametrize("density", [voronoi, pipe_menon])
@pytest.mark.parametrize("shape", [(8, 8), (6, 9)])
def test_a_cartesian_grid_has_weights_of_one(density, shape):
    # to the transforms' tolerance of 1e-4
    np.testing.assert_allclose(density(epi(*shape, ramp=0.0), shape), 1, atol=3e-4)


def test_samples_measured_twice_share_their_cell():
    grid = epi(6, 6, ramp=0.0)
    twice = np.concatenate([grid, grid[:2]])
    expected = np.ones((8, 6))
    expected[[0, 1, 6, 7]] = 0.5
    np.testing.assert_allclose(voronoi(twice, (6, 6)), expected, rtol=1e-9)
    np.testing.assert_allclose(pipe_menon(twice, (6, 6)), expected, rtol=1e-3)  # transforms' tol


@pytest.mark.parametrize("n_readout", [32, 33])
def test_evenly_spaced_spokes_have_the_volumes_of_voronoi(n_readout):
    traj, shape = radial(40, n_readout, order="linear"), (24, 20)
    analytic, cells = ramp(traj, shape), voronoi(traj, shape)
    inside = slice(2, -2)  # cells at the rim are those of their neighbours
    # cells are polygons, of less area than sectors by about (π/80)²/3, and corners on the others
    np.testing.assert_allclose(cells[:, inside], analytic[:, inside], rtol=2e-3)
    np.testing.assert_allclose(cells[:, [1, -2]], analytic[:, [1, -2]], rtol=0.15)
    # the centre is one cell, in as many parts as there are spokes
    np.testing.assert_allclose(
        cells[:, n_readout // 2].sum(), np.pi / 4 * 480 / n_readout**2, rtol=2e-3
    )


@pytest.mark.parametrize("make", [radial, koosh_ball])
def test_ramp_adds_up_to_the_volume_of_the_ball(make):
    traj = make(60, 64)
    shape = (20,) * traj.shape[-1]
    edge = math.pi * (1 - 1 / 64)  # samples from -π to π - Δ cover ±(π - Δ/2), and one half more
    ball = {2: math.pi * edge**2, 3: 4 / 3 * math.pi * edge**3}[traj.shape[-1]]
    total = ramp(traj, shape).sum() / math.prod(shape) * (2 * math.pi) ** traj.shape[-1]
    assert total == pytest.approx(ball, rel=0.06)  # the sample at -π: n/2 Δ/2 of the radius


def test_volumes_of_cells_in_3d_are_those_of_their_hulls():
    diagram = Voronoi(np.random.default_rng(0).uniform(-1, 1, (80, 3)))
    volume, inner = _volumes(diagram)
    assert 0 < inner.sum() < 80
    for i in np.flatnonzero(inner):
        corners = diagram.vertices[diagram.regions[diagram.point_region[i]]]
        assert volume[i] == pytest.approx(ConvexHull(corners).volume, rel=1e-9)


FULL = {
    "golden spokes, ramp": (radial(55, 48), ramp),
    "golden spokes, Voronoi": (radial(55, 48), voronoi),
    "golden spokes, Pipe-Menon": (radial(55, 48), pipe_menon),
    "spiral, Voronoi": (spiral(4, 600, 6.0, density=2), voronoi),
    "spiral, Pipe-Menon": (spiral(4, 600, 6.0, density=2), pipe_menon),
    "EPI, Voronoi": (epi(24, 48, 0.3), voronoi),
    "EPI, Pipe-Menon": (epi(24, 48, 0.3), pipe_menon),
}


def ideal_spread(kind):
    """What a sampling of the whole disc of radius π, or of the whole square, gives of a point."""
    r = np.hypot(*np.meshgrid(*(np.arange(24.0) - 12,) * 2))
    if kind.startswith("EPI"):
        return (r == 0) * 1.0
    return np.where(r == 0, math.pi / 4, j1(math.pi * r) / np.where(r == 0, 1, 2 * r))


@pytest.mark.parametrize("kind", FULL)
def test_the_point_spread_is_that_of_the_area_without_gaps(kind):
    traj, density = FULL[kind]
    shape = (24, 24)
    weights = density(traj, shape)
    assert (weights > 0).all()
    ideal = ideal_spread(kind)
    error = np.linalg.norm(point_spread(traj, weights, shape) - ideal)
    plain = point_spread(traj, np.ones(weights.shape), shape)
    plain *= ideal[12, 12] / plain[12, 12]
    # samples at -π stand for more than the disc, and the corners are beyond the samples' Nyquist
    assert error < 0.16 * np.linalg.norm(ideal)
    assert error < 0.3 * np.linalg.norm(plain - ideal)


def test_frames_are_compensated_each_by_itself():
    traj = radial(7, 16, n_frames=3)
    for density in (ramp, voronoi, pipe_menon):
        every = density(traj, (8, 8))
        assert every.shape == (3, 7, 16)
        np.testing.assert_allclose(every[1], density(traj[1], (8, 8)), rtol=1e-6)


def test_samples_may_have_one_axis():
    traj = radial(7, 16)
    for density in (voronoi, pipe_menon):
        flat = density(traj.reshape(-1, 2), (8, 8), n_sample_axes=1)
        np.testing.assert_allclose(flat.reshape(7, 16), density(traj, (8, 8)), rtol=1e-6)


def test_every_library_computes_the_same(like):
    traj = radial(5, 8)
    own = from_numpy(traj, like)
    np.testing.assert_allclose(to_numpy(ramp(own, (6, 6))), ramp(traj, (6, 6)), rtol=1e-12)
    # strict sums exactly, the others to the transforms' tolerance of 1e-4
    found = to_numpy(pipe_menon(own, (6, 6)))
    np.testing.assert_allclose(found, pipe_menon(traj, (6, 6)), rtol=1e-3)


def test_precision_is_kept():
    traj = radial(5, 8).astype(np.float32)
    for density in (ramp, voronoi, pipe_menon):
        assert density(traj, (6, 6)).dtype == np.float32


def test_ramp_refuses_what_are_no_spokes():
    with pytest.raises(ValueError, match=r"ramp: `traj` must have shape .* got \(5, 1, 2\)"):
        ramp(np.zeros((5, 1, 2)), (6, 6))
