"""Systems with their coils spread over peers, with peers that are a loop."""

import numpy as np
import pytest

from reconic._array import to_numpy
from reconic.operator import Composed, Identity, SpreadCoils, Weighted, coil_axes
from reconic.solvers import cg
from reconic.systems import CartesianMRI, NonCartesianMRI, OffResonanceMRI, SubspaceMRI
from reconic.testing import random_like


class Loop:
    """Peers that have a coil each, one after the other."""

    def _each(self, A):
        n = to_numpy(next(a for a, axis in zip(A.arrays(), coil_axes(A), strict=True) if axis))
        axis = next(axis for axis in coil_axes(A) if axis)
        for c in range(n.shape[axis]):
            axes = iter(coil_axes(A))
            yield c, A.map(lambda a: a if (k := next(axes)) is None else _one(a, k, c))  # noqa: B023

    def forward(self, A, x):
        from reconic._array import array_namespace

        parts = [one._forward(x) for _, one in self._each(A)]
        return array_namespace(x).concat(parts, axis=-len(A.out_shape))

    def adjoint(self, A, y):
        return sum(one._adjoint(_one(y, -len(A.out_shape), c)) for c, one in self._each(A))

    def normal(self, M, x):
        return sum(one._forward(x) for _, one in self._each(M))

    def total(self, value):
        return value


def _one(a, axis, c):
    return a[(..., slice(c, c + 1), *(slice(None),) * (-axis - 1))]


def sets(rng, like):
    return CartesianMRI(random_like(like, (2, 3, 6, 5), rng), _mask(rng, like, (6, 5)), sets=True)


def frames(rng, like):
    maps = random_like(like, (3, 1, 6, 5), rng)
    return CartesianMRI(maps, _mask(rng, like, (4, 6, 5)), n_frame_axes=1)


def batched(rng, like):
    return CartesianMRI(random_like(like, (2, 3, 6, 5), rng), _mask(rng, like, (2, 6, 5)))


def _mask(rng, like, shape):
    from reconic._array import from_numpy

    return from_numpy((rng.random(shape) > 0.5) * 1.0, like)


CASES = [CartesianMRI.example, sets, frames, batched, NonCartesianMRI.example,
         SubspaceMRI.example, OffResonanceMRI.example]  # fmt: skip


@pytest.mark.parametrize("make", CASES, ids=lambda m: getattr(m, "__qualname__", ""))
def test_coils_of_any_system_spread_and_sum_to_the_whole(rng, make):
    like = np.zeros(1, np.complex128)
    A = make(rng, like)
    S = SpreadCoils(A, Loop())
    batch = (2,) if make is batched else ()
    x, y = (
        random_like(like, (*batch, *A.in_shape), rng),
        random_like(like, (*batch, *A.out_shape), rng),
    )
    close = {"rtol": 0, "atol": 1e-11 + 30 * A.accuracy}  # sums of some hundred numbers of size one
    np.testing.assert_allclose(S(x), A(x), **close)
    np.testing.assert_allclose(S.adjoint(y), A.adjoint(y), **close)
    np.testing.assert_allclose(S.normal(x), A.normal(x), **close)
    np.testing.assert_allclose(S.N(x), A.normal(x), **close)
    np.testing.assert_allclose(S.N.adjoint(x), A.normal(x), **close)
    np.testing.assert_allclose(S.weigh(y), A.weigh(y))
    np.testing.assert_allclose(S.sampling(y), A.sampling(y))
    assert (S.in_shape, S.out_shape, S.accuracy) == (A.in_shape, A.out_shape, A.accuracy)


def test_a_solve_is_that_of_the_whole(rng, like):
    A = CartesianMRI.example(rng, like)
    y = random_like(like, A.out_shape, rng)
    x, expected = (
        cg(B.N + 0.1 * Identity(A.in_shape), B.adjoint(y), tol=1e-12, max_iter=100).x
        for B in (SpreadCoils(A, Loop()), A)
    )
    np.testing.assert_allclose(to_numpy(x), to_numpy(expected), rtol=0, atol=1e-9)


def test_samples_are_left_out_of_all_coils_or_of_each(rng):
    A = CartesianMRI.example(rng, np.zeros(1, np.complex128))
    S, x = SpreadCoils(A, Loop()), random_like(np.zeros(1, np.complex128), A.in_shape, rng)
    for shape, kind in (((1, 8, 6), SpreadCoils), ((4, 8, 6), Weighted)):
        weights = (rng.random(shape) > 0.5) * 1.0
        found = S.masked(weights)
        assert isinstance(found, kind)
        np.testing.assert_allclose(found(x), A.masked(weights)(x), rtol=0, atol=1e-12)
    assert S.outer_diagonal is None


def test_energy_is_the_squared_norm(rng, like):
    A = CartesianMRI.example(rng, like)
    y = random_like(like, (2, *A.out_shape), rng)
    expected = np.linalg.norm(to_numpy(y).ravel()) ** 2
    for B in (A, SpreadCoils(A, Loop())):
        assert float(B.energy(y)) == pytest.approx(expected, rel=1e-5)


def test_only_maps_have_coils(rng):
    like = np.zeros(1, np.complex128)
    A = SubspaceMRI.example(rng, like)
    assert coil_axes(A) == [-3, None, None]
    assert coil_axes(A.N) == [-4, None]
    assert coil_axes(sets(rng, like)) == [-3, None]
    assert coil_axes(Composed(Identity((6, 5)), Identity((6, 5)))) == []
