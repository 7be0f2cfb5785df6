import pickle
from typing import ClassVar

import numpy as np
import pytest

from reconic import LinearSystem, stack, static, system
from reconic._array import from_numpy, to_numpy
from reconic.operator import Identity, Normal
from reconic.solvers import cg
from reconic.systems import CartesianMRI
from reconic.systems.circulant import Circulant
from reconic.testing import check_system


@system
class Weight(LinearSystem):
    """Pointwise product with weights, without an adjoint of its own."""

    weights: object
    label: str = static(default="w")

    @property
    def in_shape(self):
        return tuple(self.weights.shape)

    out_shape = in_shape

    def _forward(self, x):
        return self.weights * x


@pytest.fixture
def A(rng):
    return CartesianMRI.example(rng, np.zeros(1))


def test_algebra_against_matrices(A, dense, rng):
    B = CartesianMRI.example(rng, np.zeros(1))
    a, b = dense(A), dense(B)
    np.testing.assert_allclose(dense(A + B), a + b, atol=1e-13)
    np.testing.assert_allclose(dense(A - B), a - b, atol=1e-13)
    np.testing.assert_allclose(dense(2j * A), 2j * a, atol=1e-13)
    np.testing.assert_allclose(dense(A * np.float64(3)), 3 * a, atol=1e-13)
    np.testing.assert_allclose(dense(np.complex128(1 + 2j) * A), (1 + 2j) * a, atol=1e-13)
    np.testing.assert_allclose(dense(-A), -a, atol=1e-13)
    np.testing.assert_allclose(dense(A.H @ B), a.conj().T @ b, atol=1e-12)
    np.testing.assert_allclose(dense(A.H), a.conj().T, atol=1e-13)
    np.testing.assert_allclose(dense(A.N), a.conj().T @ a, atol=1e-12)
    stacked = dense(stack([A, B]))
    np.testing.assert_allclose(stacked, np.concatenate([a, b]), atol=1e-13)
    assert A.H.H is A


def test_derived_systems_know_their_samples(A, rng):
    y, w = np.ones(A.out_shape, complex), rng.random((4, 1, 1))
    assert A.weigh(y) is y
    np.testing.assert_array_equal((3 * A).weigh(y), y)
    np.testing.assert_array_equal((3 * A).sampling(y), A.sampling(y))
    np.testing.assert_array_equal((A @ Identity(A.in_shape)).sampling(y), A.sampling(y))
    np.testing.assert_array_equal(A.masked(w).weigh(y), w * y)
    np.testing.assert_array_equal(A.masked(w).sampling(y), w * A.sampling(y))
    assert (2 * A.N).accuracy == 0


def test_torch_number_times_system(A):
    torch = pytest.importorskip("torch")
    A = A.map(torch.tensor)
    lam = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    x = torch.ones(A.in_shape, dtype=torch.complex128)
    y = (lam * A)(x)
    torch.testing.assert_close(y, 0.3 * A(x))
    assert torch.autograd.grad(y.abs().sum(), lam)[0] > 0


def test_derived_adjoint(like_autodiff, normal):
    A = Weight(from_numpy(normal(4, 5), like_autodiff))
    assert all(c.ok for c in check_system(A, batch=(2,)))
    y = normal(4, 5)
    got = to_numpy(A.H(from_numpy(y, like_autodiff)))
    np.testing.assert_allclose(got, to_numpy(A.weights).conj() * y, atol=1e-14)


def test_derived_adjoint_on_numpy_says_what_to_do(normal):
    with pytest.raises(TypeError, match=r"write `_adjoint`"):
        Weight(normal(4)).H(normal(4))


def test_jax_vmap_and_grad_over_systems(normal):
    jax = pytest.importorskip("jax")
    weights = jax.numpy.asarray(normal(3, 4))
    x = jax.numpy.asarray(normal(3, 4))
    batched = jax.vmap(lambda A, v: A(v))(Weight(weights), x)
    np.testing.assert_allclose(batched, weights * x)
    A = Weight(weights[0])
    slope = jax.grad(lambda B: jax.numpy.sum(jax.numpy.abs(B(x[0])) ** 2))(A)
    assert isinstance(slope, Weight)
    assert slope.label == "w"
    np.testing.assert_allclose(slope.weights, 2 * np.conj(weights[0]) * abs(x[0]) ** 2)


def test_torch_vmap_over_systems(A, normal):
    torch = pytest.importorskip("torch")
    maps, x = torch.tensor(normal(3, *A.maps.shape)), torch.tensor(normal(3, *A.in_shape))
    mask = torch.tensor(A.mask)
    got = torch.func.vmap(lambda m, v: CartesianMRI(m, mask).normal(v))(maps, x)
    want = torch.stack([CartesianMRI(m, mask).normal(v) for m, v in zip(maps, x, strict=True)])
    torch.testing.assert_close(got, want)


def test_systems_are_frozen_and_can_be_pickled(A):
    with pytest.raises(AttributeError):
        A.mask = None
    again = pickle.loads(pickle.dumps(2 * A.N))
    x = np.ones(A.in_shape, dtype=complex)
    np.testing.assert_array_equal(again(x), (2 * A.N)(x))


def test_to_moves_every_array(A):
    torch = pytest.importorskip("torch")
    moved = (2 * (A + A).N).map(torch.tensor).to("meta")
    assert {a.device.type for a in moved.arrays()} == {"meta"}
    assert len(moved.arrays()) == 4


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda A: A(np.ones((8, 5), complex)), ValueError, r"\(\*batch, 8, 6\), got \(8, 5\)"),
        (lambda A: A(np.ones(6, complex)), ValueError, r"got \(6,\)"),
        (lambda A: A.adjoint(np.ones((8, 6), complex)), ValueError, r"`y` .* \(\*batch, 4, 8, 6\)"),
        (lambda A: A([1.0]), TypeError, r"must be an array, got list"),
        (lambda A: A(np.ones((8, 6), int)), TypeError, r"floating, got int64"),
        (lambda A: A @ A, ValueError, r"got \(8, 6\) and \(4, 8, 6\)"),
        (lambda A: A + A.N, ValueError, r"same shapes, got \(8, 6\) -> \(4, 8, 6\)"),
        (lambda A: stack([A, A.N]), ValueError, r"same shapes"),
        (lambda A: stack([]), ValueError, r"got \[\]"),
        (lambda A: A + 1, TypeError, r"unsupported operand"),
        (lambda A: A @ np.ones(3), TypeError, r"does not support|unsupported operand"),
    ],
)  # fmt: skip
def test_messages(A, call, kind, message):
    with pytest.raises(kind, match=message):
        call(A)


def test_mixed_libraries_are_named(A):
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match=r"same array library as the system \(numpy\), got torch"):
        A(torch.ones(8, 6, dtype=torch.complex128))


def test_a_system_of_two_libraries_is_told_by_field():
    torch = pytest.importorskip("torch")

    @system
    class Offset(Weight):
        phase: object = None

    B = Offset(np.ones(3), phase=torch.ones(3))
    with pytest.raises(TypeError, match=r"\(`weights` of numpy, `phase` of torch\), got torch"):
        B(torch.ones(3))


def test_a_class_without_the_decorator_is_told(A):
    class Own(LinearSystem):
        gain: object

    class More(CartesianMRI):
        gain: object = None

    for cls, given in ((Own, ()), (More, (A.maps, A.mask))):
        with pytest.raises(TypeError, match=f"{cls.__name__}: .* decorated with @system"):
            cls(*given)


def test_a_subclass_that_has_no_fields_of_its_own_needs_no_decorator(A):
    jax = pytest.importorskip("jax")

    class Twice(CartesianMRI):
        note: ClassVar[str] = "no field"

        def _forward(self, x):
            return 2 * super()._forward(x)

    B = Twice(A.maps, A.mask).map(jax.numpy.asarray)
    x = jax.numpy.ones(A.in_shape, B.maps.dtype)
    np.testing.assert_allclose(jax.jit(lambda B, x: B(x))(B, x), B(x), rtol=1e-6)  # float32


@pytest.mark.parametrize(("shape", "found"), [([8, 6], r"\[8, 6\]"), (lambda: 0, "a method")])
def test_a_shape_that_is_none_is_told(A, shape, found):
    class Own(CartesianMRI):
        in_shape = shape

    B = Own(A.maps, A.mask)
    for call in (lambda: B(np.ones((8, 6), complex)), lambda: check_system(B)):
        with pytest.raises(TypeError, match=f"Own: `in_shape` must be a tuple, got {found}"):
            call()


def test_wrong_systems_are_caught(A):
    """The checks fail for the mistakes that authors make."""
    from reconic.operator import Adjoint

    class NoConj(CartesianMRI):
        def _adjoint(self, y):
            return np.conj(super()._adjoint(np.conj(y)))

    class Offset(CartesianMRI):
        def _forward(self, x):
            return super()._forward(x) + 1

    class WrongNormal(CartesianMRI):
        def _normal(self, x):
            return 2 * super()._normal(x)

    class Doubles(CartesianMRI):
        def _forward(self, x):
            return super()._forward(x).astype(np.complex128)

    def failed(cls, precision=np.complex128):
        system_ = cls(A.maps.astype(precision), A.mask.astype(precision(0).real.dtype))
        return {c.name for c in check_system(system_) if not c.ok}

    assert failed(CartesianMRI) == set()
    assert "adjoint" in failed(NoConj)
    assert {"linear", "adjoint"} <= failed(Offset)
    assert failed(WrongNormal) == {"normal"}
    assert "precision kept" in failed(Doubles, np.complex64)
    assert Adjoint(A).out_shape == A.in_shape


def test_check_needs_an_array():
    with pytest.raises(ValueError, match=r"must hold an array, got none"):
        check_system(Identity((3,)))
    with pytest.raises(ValueError, match=r"must hold an array, got scale of float, A of Identity"):
        check_system(0.5 * Identity((3,)))


@pytest.mark.parametrize("kind", ["Identity", "Normal", "SenseNormal", "Circulant"])
def test_self_adjoint_systems(kind, A, rng, normal):
    systems = {
        "Identity": lambda: Identity(A.in_shape),
        "Normal": lambda: Normal(A),
        "SenseNormal": lambda: A.N,
        "Circulant": lambda: Circulant(rng.random(A.in_shape), A.in_shape, 1),
    }
    M, x, z = systems[kind](), normal(*A.in_shape), normal(*A.in_shape)
    assert M.in_shape == M.out_shape == A.in_shape
    assert M.H is M
    np.testing.assert_array_equal(M.adjoint(x), M(x))
    # ⟨z, M x⟩ = ⟨M z, x⟩ to rounding of sums of tens of terms
    np.testing.assert_allclose(np.vdot(z, M(x)), np.vdot(M(z), x), rtol=1e-12)


def test_only_terms_that_torch_records_are_computed_for_a_solves_derivative(normal):
    torch = pytest.importorskip("torch")
    A = CartesianMRI(torch.tensor(normal(2, 4, 3)), torch.ones(4, 3, dtype=torch.float64))
    lam = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    penalty = lam * Identity(A.in_shape)
    M = A.N + penalty
    assert M.recorded() == [penalty]
    assert (A.N + 0.5 * Identity(A.in_shape)).recorded() == []
    b = torch.tensor(normal(4, 3), requires_grad=True)

    def loss(M):
        return cg(M, b, max_iter=50, tol=1e-12).x.abs().square().sum()

    got = torch.autograd.grad(loss(M), (lam, b))
    want = torch.autograd.grad(loss(lambda x: M(x)), (lam, b))  # all of M is computed again
    for g, w in zip(got, want, strict=True):
        torch.testing.assert_close(g, w, rtol=1e-9, atol=1e-12)  # two solves to 1e-12
