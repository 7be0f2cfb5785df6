"""Data consistency in closed form, against a dense solve."""

import copy

import numpy as np
import pytest
import torch

from reconic._array import from_numpy, to_numpy
from reconic.operator import Identity
from reconic.recons import DataConsistency, DeepBasisPursuit
from reconic.recons.base import Problem
from reconic.systems import CartesianMRI

LAM = 0.3


def unit(normal, *shape):
    """Complex numbers of magnitude one."""
    z = normal(*shape)
    return z / np.abs(z)


MAPS = {
    "ones": lambda normal: np.ones((1, 6, 5), complex),
    "unit phase": lambda normal: unit(normal, 1, 6, 5),
    "constant": lambda normal: 2.5 * unit(normal, 1, 6, 5),
    "varying": lambda normal: normal(1, 6, 5),
    "zero outside": lambda normal: unit(normal, 1, 6, 5) * (np.arange(5) > 1),
    "coils": lambda normal: unit(normal, 2, 6, 5),
}
CLOSED = {"ones", "unit phase", "constant"}


def run(A, y, z):
    block = DataConsistency(LAM, max_iter=300, tol=1e-13).double()
    problem = Problem(y, A, A.H(y))
    x = block(z, problem).detach()
    return x, problem.report["n_cg"][0].item()


def dense_solution(A, y, z, dense):
    matrix = dense(A.map(lambda a: a.numpy()))
    rhs = matrix.conj().T @ y.numpy().ravel() + LAM * z.numpy().ravel()
    normal_matrix = matrix.conj().T @ matrix + LAM * np.eye(z.numel())
    return np.linalg.solve(normal_matrix, rhs).reshape(z.shape)


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("weights", [False, True])
def test_is_the_dense_solution_and_closed_where_it_can_be(name, weights, normal, rng, dense):
    maps = torch.tensor(MAPS[name](normal))
    mask = (rng.random((6, 5)) > 0.5) * (rng.random((6, 5)) if weights else 1.0)
    A = CartesianMRI(maps, torch.tensor(mask))
    y, z = torch.tensor(normal(*A.out_shape)), torch.tensor(normal(6, 5))
    x, n_cg = run(A, y[None], z[None])
    # closed or by CG to 1e-13: rounding, times a condition number below 100
    np.testing.assert_allclose(x[0], dense_solution(A, y, z, dense), atol=1e-10)
    assert (n_cg == 0) == (name in CLOSED)


def test_sets_whose_powers_add_up_to_a_constant(normal, rng, dense):
    maps = unit(normal, 2, 1, 6, 5)
    share = rng.random((6, 5))
    maps = torch.tensor(maps * np.sqrt(np.stack([share, 1 - share]))[:, None])
    A = CartesianMRI(maps, torch.tensor((rng.random((6, 5)) > 0.5) * 1.0), sets=True)
    y, z = torch.tensor(normal(1, 6, 5)), torch.tensor(normal(2, 6, 5))
    x, n_cg = run(A, y[None], z[None])
    np.testing.assert_allclose(x[0], dense_solution(A, y, z, dense), atol=1e-10)
    assert n_cg == 0


def test_each_sample_and_frame_has_its_own_magnitude(normal, rng):
    size = rng.random((2, 1, 3, 1, 1)) + 0.5
    maps = torch.tensor(size * unit(normal, 2, 1, 3, 6, 5))
    mask = torch.tensor((rng.random((2, 3, 6, 5)) > 0.5) * 1.0)
    A = CartesianMRI(maps, mask, n_frame_axes=1)
    y, z = torch.tensor(normal(2, 1, 3, 6, 5)), torch.tensor(normal(2, 3, 6, 5))
    x, n_cg = run(A, y, z)
    residual = A.N(x) + LAM * x - A.H(y) - LAM * z
    assert n_cg == 0
    assert residual.abs().max() < 1e-10


def test_a_batch_that_only_partly_qualifies_is_solved_by_cg(normal, rng):
    maps = torch.tensor(np.stack([unit(normal, 1, 6, 5), normal(1, 6, 5)]))
    A = CartesianMRI(maps, torch.tensor((rng.random((6, 5)) > 0.5) * 1.0))
    y, z = torch.tensor(normal(2, 1, 6, 5)), torch.tensor(normal(2, 6, 5))
    x, n_cg = run(A, y, z)
    assert n_cg > 0
    assert (A.N(x) + LAM * x - A.H(y) - LAM * z).abs().max() < 1e-10


def test_other_systems_and_weighted_ones(normal, rng):
    weights = torch.tensor(rng.random((6, 5)))
    A = Identity((6, 5)).masked(weights)
    y, z = torch.tensor(normal(2, 6, 5)), torch.tensor(normal(2, 6, 5))
    x, n_cg = run(A, y, z)
    torch.testing.assert_close(x, (weights * y + LAM * z) / (weights**2 + LAM))
    assert n_cg == 0


def test_gradients_of_the_closed_form_and_of_cg_agree(normal, rng):
    maps, mask = unit(normal, 1, 1, 6, 5), torch.tensor((rng.random((6, 5)) > 0.5) * 1.0)
    block = DataConsistency(LAM, max_iter=300, tol=1e-14).double()
    y = torch.tensor(normal(1, 1, 6, 5))
    slopes = []
    for needs_grad in (False, True):  # gradients by the maps are not those of the closed form
        A = CartesianMRI(torch.tensor(maps).requires_grad_(needs_grad), mask)
        z = torch.tensor(normal(1, 6, 5) * 0 + 1).requires_grad_()
        problem = Problem(y, A, A.H(y))
        x = block(z, problem)
        assert (problem.report["n_cg"][0] > 0) == needs_grad
        leaves = [z, block.lam.theta]
        slopes.append(torch.autograd.grad((x.abs() ** 2 * mask).sum(), leaves))
    for closed, solved in zip(*slopes, strict=True):
        torch.testing.assert_close(closed, solved, rtol=1e-9, atol=1e-11)


def test_gradient_by_the_maps_is_that_of_the_solution(normal, rng):
    maps = torch.tensor(unit(normal, 1, 1, 3, 2)).requires_grad_()
    mask, y = torch.tensor((rng.random((3, 2)) > 0.3) * 1.0), torch.tensor(normal(1, 1, 3, 2))
    z = torch.tensor(normal(1, 3, 2))
    block = DataConsistency(LAM, max_iter=100, tol=1e-15).double()

    def solve(maps):
        A = CartesianMRI(maps, mask)
        return torch.view_as_real(block(z, Problem(y, A, A.H(y)))).sum()

    assert torch.autograd.gradcheck(solve, (maps,), rtol=1e-4)


def test_every_library_knows_the_diagonal(like, normal, dense):
    maps, mask = MAPS["constant"](normal), np.arange(30.0).reshape(6, 5)
    A = CartesianMRI(from_numpy(maps, like), from_numpy(mask, like))
    matrix = dense(CartesianMRI(maps, mask))
    found = np.broadcast_to(to_numpy(A.outer_diagonal), A.out_shape).ravel()
    np.testing.assert_allclose(np.diag(found), matrix @ matrix.conj().T, atol=1e-9)


def test_pursuit_in_closed_form_is_that_by_cg(normal, rng):
    maps = torch.tensor(unit(normal, 1, 1, 6, 5))
    A = CartesianMRI(maps, torch.tensor((rng.random((6, 5)) > 0.5) * 1.0))
    y = A(torch.tensor(normal(1, 6, 5)))
    by_cg = copy.copy(A)
    by_cg.__dict__["outer_diagonal"] = None
    options = {"n_unrolls": 1, "n_admm": 7, "sigma": 0.3, "cg_iter": 100, "cg_tol": 1e-14}
    dbp = DeepBasisPursuit(torch.nn.Tanh(), **options, admm_tol=0).double()
    closed, solved = dbp(y, A), dbp(y, by_cg)
    torch.testing.assert_close(closed, solved, rtol=1e-9, atol=1e-10)
