import numpy as np
import pytest

from reconic._array import from_numpy, to_numpy
from reconic.operator import Identity
from reconic.solvers import cg
from reconic.systems import CartesianMRI, NonCartesianMRI
from reconic.systems.circulant import Circulant


def golden_angle(n_spokes, n):
    angle = np.pi * (np.sqrt(5) - 1) / 2 * np.arange(n_spokes)[:, None]
    along = np.pi * (np.arange(2 * n) - n) / n
    return np.stack([along * np.sin(angle), along * np.cos(angle)], axis=-1)


def smooth_maps(n, n_coils):
    rows, columns = np.linspace(-1, 1, n)[:, None], np.linspace(-1, 1, n)
    angle = 2 * np.pi * np.arange(n_coils)[:, None, None] / n_coils
    away = (rows - 1.2 * np.sin(angle)) ** 2 + (columns - 1.2 * np.cos(angle)) ** 2
    maps = np.exp(-away / 1.5 + 1j * (rows * np.cos(angle) + angle))
    return maps / np.sqrt(np.sum(np.abs(maps) ** 2, axis=0))


def circulant_of_means(matrix, shape):
    """Oracle: mean of a matrix over all entries of the same lag, modulo `shape`."""
    n = len(shape)
    index = np.stack(np.unravel_index(np.arange(np.prod(shape)), shape))
    lag = np.ravel_multi_index([(index[d][:, None] - index[d]) % shape[d] for d in range(n)], shape)
    return np.array([matrix[lag == j].mean() for j in range(np.prod(shape))])[lag]


@pytest.mark.parametrize("sets", [False, True])
@pytest.mark.parametrize("traj_axes", [2, 1])
def test_preconditions_by_the_mean_of_the_periodic_diagonals(normal, rng, dense, traj_axes, sets):
    """Along a Cartesian axis, which a trajectory may have, all lags but zero vanish."""
    shape, lam = (4, 5), 0.3
    maps = normal(3, *shape)
    traj = rng.uniform(-np.pi, np.pi, (12, traj_axes))
    w = rng.random(12)
    A = NonCartesianMRI(maps[None] if sets else maps, traj, w, sets=sets, tol=1e-12)
    normal_matrix = dense(NonCartesianMRI(maps, traj, w, tol=1e-12).N)
    want = np.linalg.inv(circulant_of_means(normal_matrix, shape) + lam * np.eye(20))
    np.testing.assert_allclose(dense(A.preconditioner(lam)), want, atol=1e-9)


@pytest.mark.parametrize("shape", [(3, 4, 3), (4, 3, 2)])
def test_weights_of_partitions_are_seen(normal, rng, dense, shape):
    maps, w = normal(2, *shape), rng.random((shape[0], 12))
    traj = rng.uniform(-np.pi, np.pi, (12, 2))
    A = NonCartesianMRI(maps, traj, w, n_space=3, partitions=True, tol=1e-12)
    n = np.prod(shape)
    want = np.linalg.inv(circulant_of_means(dense(A.N), shape) + 0.3 * np.eye(n))
    np.testing.assert_allclose(dense(A.preconditioner(0.3)), want, atol=1e-9)


def test_frames_have_preconditioners_of_their_own(normal, rng):
    maps, traj, x = normal(3, 1, 6, 5), rng.uniform(-3, 3, (4, 15, 2)), normal(4, 6, 5)
    got = NonCartesianMRI(maps, traj, n_frame_axes=1).preconditioner(0.1)(x)
    for t in range(4):
        want = NonCartesianMRI(maps[:, 0], traj[t]).preconditioner(0.1)(x[t])
        np.testing.assert_allclose(got[t], want, rtol=1e-9)


def test_is_its_own_adjoint_and_keeps_precision(like, rng, normal):
    d = from_numpy(rng.random((6, 5)), like)
    C = Circulant(d, (6, 5), 2)
    x, y = normal(6, 5), normal(6, 5)
    Cx, Cy = to_numpy(C(from_numpy(x, like))), to_numpy(C.adjoint(from_numpy(y, like)))
    assert np.vdot(y, Cx) == pytest.approx(np.vdot(Cy, x))
    assert Cx.dtype == np.complex128


@pytest.mark.parametrize(("n_spokes", "most"), [(24, 0.75), (60, 0.75)])
def test_saves_iterations_without_density_compensation(rng, like, n_spokes, most):
    """Measured: 0.6 to 0.7 of the iterations to the same residual, and nearer to the solution."""
    n, lam = 32, 1e-3
    traj = golden_angle(n_spokes, n)
    A = NonCartesianMRI(smooth_maps(n, 4), traj, n_sample_axes=2).map(lambda a: from_numpy(a, like))
    M = A.N + lam * n_spokes * Identity((n, n))
    x = from_numpy(np.kron(rng.random((8, 8)), np.ones((4, 4))) + 0j, like)
    b = M(x)
    plain = cg(M, b, max_iter=300, tol=1e-5)
    solved = cg(M, b, max_iter=300, tol=1e-5, precond=A.preconditioner(lam * n_spokes))
    assert bool(plain.converged)
    assert bool(solved.converged)
    assert int(solved.n_iter) <= most * int(plain.n_iter)
    error, before = (np.linalg.norm(to_numpy(s.x - x)) for s in (solved, plain))
    assert error < before


def test_gradients_do_not_depend_on_the_preconditioner(like_autodiff, normal, rng):
    """Of the solution by the trajectory and by λ, right to the tolerance of the solver."""
    maps, traj, b = normal(2, 6, 5), rng.uniform(-3, 3, (60, 2)), normal(6, 5)

    def loss(traj, lam, b, preconditioned):
        A = NonCartesianMRI(from_numpy(maps, b), traj, tol=1e-12)
        precond = A.preconditioner(lam) if preconditioned else None
        x = cg(A.N + lam * Identity((6, 5)), b, max_iter=200, tol=1e-11, precond=precond).x
        return (x * x.conj()).real.sum()

    def gradients(preconditioned):
        k, lam, rhs = (from_numpy(a, like_autodiff) for a in (traj, np.array(0.5), b))
        if "torch" in type(k).__module__:
            import torch

            leaves = [k.requires_grad_(), lam.requires_grad_()]
            return torch.autograd.grad(loss(*leaves, rhs, preconditioned), leaves)
        import jax

        return jax.grad(loss, argnums=(0, 1))(k, lam, rhs, preconditioned)

    for got, want in zip(gradients(True), gradients(False), strict=True):
        np.testing.assert_allclose(to_numpy(got), to_numpy(want), rtol=1e-6, atol=1e-8)


def test_says_for_which_systems_there_is_none(rng):
    A = CartesianMRI.example(rng, np.zeros(1))
    with pytest.raises(TypeError, match=r"CartesianMRI: `preconditioner` .* got none"):
        A.preconditioner(0.1)
