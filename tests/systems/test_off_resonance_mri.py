import numpy as np
import pytest

from reconic._array import from_numpy, to_numpy
from reconic.operator import Identity, Normal
from reconic.solvers import cg
from reconic.systems import CartesianMRI, NonCartesianMRI, OffResonanceMRI

EXACT = 1e-12  # asked of the transforms; sums of tens of terms of order one then agree to 1e-10


def spiral(n_samples, turns=6):
    along = np.arange(n_samples) / n_samples
    angle = 2 * np.pi * turns * along
    return np.pi * along[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=-1)


def samples(maps, traj, b0, times, x):
    """Oracle: the sum over voxels with the phase of each voxel at each time."""
    grids = np.meshgrid(*(np.arange(n) - n // 2 for n in x.shape), indexing="ij")
    r = np.stack([g.ravel() for g in grids])
    waves = np.exp(-1j * (traj @ r + times[:, None] * b0.ravel()))
    return (maps * x).reshape(len(maps), -1) @ waves.T / np.sqrt(x.size)


@pytest.fixture
def scan(normal, rng):
    """A 20 ms spiral of a smooth field of ±100 Hz."""
    rows, columns = np.linspace(-1, 1, 12)[:, None], np.linspace(-1, 1, 10)
    b0 = 2 * np.pi * 100 * np.sin(2 * rows + columns**2)
    return normal(3, 12, 10), spiral(200), b0, 20e-3 * np.arange(200) / 200, normal(12, 10)


def error(got, want):
    return np.linalg.norm(got - want) / np.linalg.norm(want)


@pytest.mark.parametrize("tol", [1e-1, 1e-2, 1e-4])
def test_segments_meet_the_error(scan, tol):
    maps, traj, b0, times, x = scan
    want = samples(maps, traj, b0, times, x)
    A = OffResonanceMRI.of(NonCartesianMRI(maps, traj, tol=EXACT), b0, times, tol=tol)
    assert error(A(x), want) < 1.5 * tol  # root mean square over the field; x weighs it otherwise
    n = A.instants.shape[0]
    assert 2 < n < 16
    fewer = OffResonanceMRI.of(A.A, b0, times, n_segments=n - 1)
    assert error(fewer(x), want) > error(A(x), want)


def test_as_many_segments_as_times_are_exact(scan, like):
    maps, _, b0, _, x = scan
    traj, times = spiral(5), np.array([0, 1e-3, 2e-3, 7e-3, 9e-3])
    A = NonCartesianMRI(from_numpy(maps, like), from_numpy(traj, like), tol=EXACT)
    B = OffResonanceMRI.of(A, from_numpy(b0, like), from_numpy(times, like), n_segments=5)
    got = to_numpy(B(from_numpy(x, like)))
    np.testing.assert_allclose(got, samples(maps, traj, b0, times, x), atol=1e-10)


def test_a_constant_field_turns_the_phase_of_time(scan):
    maps, traj, _, times, x = scan
    A = NonCartesianMRI(maps, traj)
    B = OffResonanceMRI.of(A, np.full((12, 10), 300.0), times)
    assert B.instants.shape == (1,)
    np.testing.assert_allclose(B(x), np.exp(-300j * times) * A(x), atol=1e-10)


def test_lines_of_a_cartesian_scan_are_shifted(normal):
    """A field of one cycle per readout of the phase axis shifts the image by one voxel along it."""
    x, ny = normal(8, 6), 8
    times = (np.arange(ny)[:, None] - ny // 2) * 1e-3  # an echo-planar scan, a line per ms
    A = CartesianMRI(np.ones((1, 8, 6), complex), np.ones((8, 6)))
    B = OffResonanceMRI.of(A, np.full((8, 6), 2 * np.pi / (ny * 1e-3)), times)
    np.testing.assert_allclose(A.adjoint(B(x)), np.roll(x, 1, axis=0), atol=1e-10)


def matrix(maps, traj, b0, times, shape):
    """Oracle: the matrix from voxels to samples."""
    columns = [samples(maps, traj, b0, times, e.reshape(shape)).ravel() for e in np.eye(b0.size)]
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("tol", [1e-1, 1e-2, 1e-4])
def test_normal_is_a_sum_of_convolutions(scan, like, rng, tol):
    maps, traj, b0, times, x = scan
    w = rng.random(200)
    M = matrix(maps, traj, b0, times, x.shape)
    want = (M.conj().T @ (np.tile(w, 3) * (M @ x.ravel()))).reshape(x.shape)
    A = OffResonanceMRI.of(NonCartesianMRI(maps, traj, w, tol=EXACT), b0, times, tol=tol)
    A = A.map(lambda a: from_numpy(a, like))
    n, segments = A.instants.shape[0], A.N.phases.shape[0]
    assert n < segments < 2 * n
    assert error(to_numpy(A.normal(from_numpy(x, like))), want) < 1.5 * tol  # as of the samples
    assert error(to_numpy(A.N(from_numpy(x, like))), want) < 1.5 * tol


def test_normal_of_spokes_that_share_their_times(normal, rng):
    """Of a batch with a field each, two sets of maps, weights, and samples (spoke, readout)."""
    maps, x = normal(2, 3, 12, 10), normal(2, 2, 12, 10)
    traj = rng.uniform(-np.pi, np.pi, (6, 20, 2))
    b0, times = rng.uniform(-300, 300, (2, 1, 12, 10)), 4e-4 * np.arange(20)[None]
    on = NonCartesianMRI(maps, traj, rng.random((6, 20)), n_sample_axes=2, sets=True, tol=EXACT)
    A = OffResonanceMRI.of(on, b0, times, tol=1e-8)
    assert error(A.normal(x), A.adjoint(A(x))) < 1e-7  # the errors of two sums of some ten terms
    assert A.N.phases.shape[0] < 20


def test_inverse_with_the_normal_operator(scan):
    maps, traj, b0, times, x = scan
    M = matrix(maps, traj, b0, times, x.shape)
    A = OffResonanceMRI.of(NonCartesianMRI(maps, traj, tol=EXACT), b0, times, tol=1e-6)
    y = M @ x.ravel()
    want = np.linalg.solve(M.conj().T @ M + 0.1 * np.eye(x.size), M.conj().T @ y)
    got = cg(A.N + 0.1 * Identity(A.in_shape), A.adjoint(y.reshape(3, 200)), max_iter=100, tol=0)
    assert error(got.x.ravel(), want) < 1e-4  # 1e-6 times the condition number, some 50


def test_other_systems_have_no_convolutions(scan, normal):
    maps, traj, b0, times, x = scan
    on = NonCartesianMRI(maps, traj)
    A = OffResonanceMRI.of(on, b0, times)
    lines = CartesianMRI(maps, np.ones((12, 10)))
    readout = 1e-4 * np.arange(10)[None]
    per_coil = normal(3, 200).real
    for other in (
        A.replace(times=None),
        A.masked(per_coil),
        OffResonanceMRI.of(lines, b0, readout),
        OffResonanceMRI.of(on, b0, np.tile(times, (3, 1)) + np.arange(3)[:, None] * 1e-3),
    ):
        assert isinstance(other.N, Normal)
        np.testing.assert_allclose(other.normal(x), other.adjoint(other(x)), rtol=1e-6)


def test_normal_with_a_field_to_be_differentiated():
    torch = pytest.importorskip("torch")
    A = OffResonanceMRI.example(np.random.default_rng(0), torch.zeros(1, dtype=torch.float64))
    x = torch.ones(A.in_shape, dtype=torch.complex128)
    b0 = A.b0.clone().requires_grad_()
    A.replace(b0=b0).normal(x).abs().sum().backward()
    assert b0.grad.abs().max() > 0


def test_measures_as_the_system_on_resonance(scan, rng):
    maps, traj, b0, times, x = scan
    w = rng.random(200)
    A = OffResonanceMRI.of(NonCartesianMRI(maps, traj, w, tol=EXACT), b0, times, tol=1e-6)
    np.testing.assert_allclose(A.weigh(samples(maps, traj, b0, times, x)), A(x), atol=1e-4)
    half = (np.arange(200) % 2)[None] * 1.0
    np.testing.assert_allclose(A.masked(half)(x), half * A(x), atol=1e-12)
    assert isinstance(A.masked(half), OffResonanceMRI)


def test_gradient_by_the_field(scan, like_autodiff, rng):
    """Against central differences of the exact sum, of a step of 1e-3 rad/s."""
    maps, traj, b0, times, x = scan
    step, frequencies = rng.standard_normal(b0.shape), np.linspace(-700, 700, 200)
    A = OffResonanceMRI.of(
        NonCartesianMRI(maps, traj, tol=EXACT), b0, times, tol=1e-6, frequencies=frequencies
    ).map(lambda a: from_numpy(a, like_autodiff))
    v = from_numpy(x, like_autodiff)

    def loss(b0):
        y = A.replace(b0=b0)(v)
        return (y * y.conj() * from_numpy(np.arange(200.0), v)).real.sum()

    def exact(b0):
        return np.sum(np.arange(200) * np.abs(samples(maps, traj, b0, times, x)) ** 2)

    field = from_numpy(b0, like_autodiff)
    if "torch" in type(field).__module__:
        import torch

        got = torch.autograd.grad(loss(field.requires_grad_()), field)[0]
    else:
        import jax

        got = jax.grad(loss)(field)
    want = (exact(b0 + 1e-3 * step) - exact(b0 - 1e-3 * step)) / 2e-3
    assert np.sum(to_numpy(got) * step) == pytest.approx(want, rel=1e-4)


def test_frequencies_of_a_traced_field_must_be_given(scan):
    jax = pytest.importorskip("jax")
    maps, traj, b0, times, _ = (jax.numpy.asarray(a) for a in scan)
    A = NonCartesianMRI(maps, traj)
    with pytest.raises(TypeError, match="`frequencies` must be given for a traced `b0`"):
        jax.jit(lambda b: OffResonanceMRI.of(A, b, times).b0)(b0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"times": np.zeros(199)}, r"`times` must have the shape of the samples, \(200,\)"),
        ({"times": np.full(200, np.nan)}, r"`b0` and `times` must be finite"),
        ({"b0": np.full((12, 10), np.inf)}, r"`b0` and `times` must be finite"),
        (
            {"times": np.arange(200.0), "b0": np.linspace(-9, 9, 120).reshape(12, 10)},
            r"at most 64 segments.*`times` in s",
        ),
    ],
)
def test_messages(scan, change, message):
    maps, traj, b0, times, _ = scan
    A = NonCartesianMRI(maps, traj)
    with pytest.raises(ValueError, match=message):
        OffResonanceMRI.of(A, **{"b0": b0, "times": times, **change})
