import pickle

import numpy as np
import pytest

import reconic.systems.noncartesian_kernel as module
from reconic._array import from_numpy, to_numpy
from reconic.operator import Weighted
from reconic.systems import CartesianMRI, NonCartesianMRI

EXACT = 1e-12  # asked of the transforms; sums of tens of terms of order one then agree to 1e-10


def samples(maps, traj, x):
    """Oracle: the sum over voxels, coil by coil; maps (coil, *space), traj (m, n), x (*space)."""
    grids = np.meshgrid(*(np.arange(n) - n // 2 for n in x.shape), indexing="ij")
    r = np.stack([g.ravel() for g in grids])
    return (maps * x).reshape(len(maps), -1) @ np.exp(-1j * traj @ r).T / np.sqrt(x.size)


@pytest.fixture
def spokes(rng):
    def draw(*shape):
        return rng.uniform(-np.pi, np.pi, shape)

    return draw


def error(got, want):
    return np.linalg.norm(got - want) / np.linalg.norm(want)


@pytest.mark.parametrize("shape", [(8, 6), (7, 5), (4, 5, 6)])
def test_forward_is_the_sum_over_voxels(normal, spokes, shape):
    maps, x, traj = normal(3, *shape), normal(*shape), spokes(20, len(shape))
    A = NonCartesianMRI(maps, traj, n_space=len(shape), tol=EXACT)
    np.testing.assert_allclose(A(x), samples(maps, traj, x), atol=1e-10)


@pytest.mark.parametrize("shape", [(8, 6), (7, 5), (4, 5, 6)])
def test_a_cartesian_trajectory_gives_cartesian_samples(normal, shape):
    axes = [2 * np.pi * (np.arange(n) - n // 2) / n for n in shape]
    traj = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(shape))
    maps, x = normal(3, *shape), normal(*shape)
    A = NonCartesianMRI(maps, traj, n_space=len(shape), tol=EXACT)
    B = CartesianMRI(maps, np.ones(shape), n_space=len(shape))
    np.testing.assert_allclose(A(x), B(x).reshape(3, -1), atol=1e-10)
    np.testing.assert_allclose(A.normal(x), B.normal(x), atol=1e-10)


def test_frames_and_sets(normal, spokes):
    maps, x, traj = normal(2, 3, 1, 6, 5), normal(2, 4, 6, 5), spokes(4, 5, 7, 2)
    A = NonCartesianMRI(maps, traj, n_frame_axes=1, n_sample_axes=2, sets=True, tol=EXACT)
    assert (A.in_shape, A.out_shape) == ((2, 4, 6, 5), (3, 4, 5, 7))
    for t in range(4):
        flat = traj[t].reshape(-1, 2)
        want = sum(samples(maps[s, :, 0], flat, x[s, t]) for s in range(2))
        np.testing.assert_allclose(A(x)[:, t], want.reshape(3, 5, 7), atol=1e-10)


@pytest.mark.parametrize("way", ["__call__", "normal", "adjoint"])
def test_an_empty_batch_is_one_of_nothing(like, normal, spokes, way):
    maps, traj = normal(2, 6, 5), spokes(20, 2)
    A = NonCartesianMRI(from_numpy(maps, like), from_numpy(traj, like))
    data = from_numpy(normal(0, *(A.out_shape if way == "adjoint" else A.in_shape)), like)
    wanted = A.out_shape if way == "__call__" else A.in_shape
    assert getattr(A, way)(data).shape == (0, *wanted)


def test_each_sample_has_its_own_maps_and_trajectory(normal, spokes):
    maps, x, traj = normal(2, 3, 6, 5), normal(2, 6, 5), spokes(2, 20, 2)
    y = NonCartesianMRI(maps, traj, tol=EXACT)(x)
    for i in range(2):
        np.testing.assert_allclose(y[i], samples(maps[i], traj[i], x[i]), atol=1e-10)


@pytest.mark.parametrize("nz", [3, 4])
def test_a_stack_is_cartesian_along_the_first_axis(normal, spokes, nz):
    maps, x, plane = normal(2, nz, 6, 5), normal(nz, 6, 5), spokes(9, 2)
    A = NonCartesianMRI(maps, plane, n_space=3, tol=EXACT)
    assert A.out_shape == (2, nz, 9)
    for p in range(nz):
        kz = np.full((9, 1), 2 * np.pi * (p - nz // 2) / nz)
        want = samples(maps, np.concatenate([kz, plane], axis=1), x)
        np.testing.assert_allclose(A(x)[:, p], want, atol=1e-10)


def test_weights_are_of_the_squared_misfit(normal, spokes, rng):
    maps, x, traj, w = normal(3, 6, 5), normal(6, 5), spokes(20, 2), rng.random(20)
    plain, A = NonCartesianMRI(maps, traj, tol=EXACT), NonCartesianMRI(maps, traj, w, tol=EXACT)
    acquired = samples(maps, traj, x)
    np.testing.assert_allclose(A.weigh(acquired), A(x), atol=1e-10)
    np.testing.assert_allclose(A.adjoint(A.weigh(acquired)), plain.adjoint(w * acquired), atol=1e-9)
    np.testing.assert_allclose(A.sampling(acquired), np.sqrt(w)[None])
    assert plain.weigh(acquired) is acquired


@pytest.mark.parametrize("tol", [1e-3, 1e-6, 1e-9])
def test_normal_has_the_accuracy_of_the_transforms(normal, spokes, rng, tol):
    maps, traj, w = normal(4, 24, 20), spokes(500, 2), rng.random(500)
    A = NonCartesianMRI(maps, traj, w, tol=tol)
    x = normal(24, 20)
    exact = A.replace(tol=1e-14)
    want = exact.adjoint(exact(x))
    assert error(A.normal(x), want) < 5 * tol  # of the kernel
    assert error(A.adjoint(A(x)), want) < 5 * tol  # of two transforms


def test_masked_folds_what_coils_share_into_the_weights(normal, spokes, rng):
    A = NonCartesianMRI(normal(3, 6, 5), spokes(4, 5, 2), rng.random((4, 5)), n_sample_axes=2)
    x, y = normal(6, 5), normal(3, 4, 5)
    w = (rng.random((1, 4, 1)) > 0.5) * 2.0
    B = A.masked(w)
    assert isinstance(B, NonCartesianMRI)
    np.testing.assert_allclose(B(x), w * A(x), atol=1e-12)
    np.testing.assert_array_equal((B.sampling(y) > 0)[0, :, 0], w[0, :, 0] > 0)
    for other in (rng.random((3, 1, 1)), -w):
        C = A.masked(other)
        assert isinstance(C, Weighted)
        np.testing.assert_allclose(C(x), other * A(x), atol=1e-12)
        np.testing.assert_allclose(C.weigh(y), other * A.weigh(y), atol=1e-12)


@pytest.mark.parametrize("shape", [(4, 6, 5), (3, 7, 6)])
def test_partitions_are_weighted_each_for_itself(like, normal, spokes, rng, shape):
    """Of a stack of stars: some spokes of some partitions are left out."""
    maps, x, y, w = normal(2, *shape), normal(*shape), normal(2, shape[0], 4, 5), rng.random(4)
    A = NonCartesianMRI(maps, spokes(4, 5, 2), w[:, None], 3, n_sample_axes=2, tol=EXACT)
    mask = (rng.random((shape[0], 4, 1)) > 0.4) * 2.0
    want = mask * A(x)
    back = A.adjoint(mask * want)
    B = A.map(lambda a: from_numpy(a, like)).masked(from_numpy(mask[None], like))
    assert isinstance(B, NonCartesianMRI)
    assert B.partitions
    x, y = from_numpy(x, like), from_numpy(y, like)
    np.testing.assert_allclose(to_numpy(B(x)), want, atol=1e-12)
    np.testing.assert_allclose(to_numpy(B.N(x)), back, atol=1e-9)  # by one kernel per partition
    np.testing.assert_array_equal(to_numpy(B.sampling(y) > 0)[0, ..., 0], mask[..., 0] > 0)
    ones = from_numpy(np.ones((1, 1, 1, 1)), like)
    np.testing.assert_allclose(to_numpy(B.masked(ones).N(x)), back, atol=1e-9)


def test_weights_of_partitions_with_frames_sets_and_batch(normal, spokes, rng):
    traj, w = spokes(3, 5, 2), rng.random((2, 3, 4, 5))
    A = NonCartesianMRI(normal(2, 2, 3, 1, 4, 6, 5), traj, w, 3, 1, 1, True, True, EXACT)
    x = normal(2, *A.in_shape)
    assert A(x).shape == (2, *A.out_shape)
    np.testing.assert_allclose(A.N(x), A.adjoint(A(x)), atol=1e-9)
    for i in range(2):
        one = A.replace(maps=A.maps[i], dcf=w[i])
        np.testing.assert_allclose(A.N(x)[i], one.N(x[i]), atol=1e-9)


def test_no_slope_where_the_weight_is_zero(normal, spokes):
    torch = pytest.importorskip("torch")
    w = torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64, requires_grad=True)
    A = NonCartesianMRI(torch.tensor(normal(2, 6, 5)), torch.tensor(spokes(3, 2)), w)
    (slope,) = torch.autograd.grad(A(torch.tensor(normal(6, 5))).abs().square().sum(), w)
    assert slope[0] == 0
    assert (slope[1:] > 0).all()


# --- the kernel of the normal operator ------------------------------------------------------------


@pytest.fixture
def kernels(monkeypatch):
    """How often a kernel was computed."""
    made, make = [], module.toeplitz_kernel
    monkeypatch.setattr(module, "toeplitz_kernel", lambda *a: made.append(1) or make(*a))
    return made


def test_the_kernel_is_computed_once(normal, spokes, like, kernels):
    A = NonCartesianMRI(from_numpy(normal(2, 6, 5), like), from_numpy(spokes(20, 2), like))
    x = from_numpy(normal(6, 5), like)
    for _ in range(2):
        A.normal(x), A.N(x), A.preconditioner(1.0)(x)
    assert len(kernels) == 1
    A.masked(from_numpy(np.ones((1, 1)), like)).N(x)
    assert len(kernels) == 2  # other weights


def test_a_kernel_to_be_differentiated_is_not_kept(normal, spokes, kernels):
    torch = pytest.importorskip("torch")
    traj = torch.tensor(spokes(20, 2), requires_grad=True)
    A = NonCartesianMRI(torch.tensor(normal(2, 6, 5)), traj)
    x = torch.tensor(normal(6, 5))
    with torch.no_grad():
        before = A.N(x)
        traj += 0.1  # as an optimizer does
        assert (A.N(x) - before).abs().max() > 0.1
    assert len(kernels) == 2


def test_a_kernel_of_inference_serves_a_backward_pass(normal, spokes, kernels):
    torch = pytest.importorskip("torch")
    A = NonCartesianMRI(torch.tensor(normal(2, 6, 5)), torch.tensor(spokes(20, 2)))
    x = torch.tensor(normal(6, 5), requires_grad=True)
    with torch.inference_mode():
        A.normal(x)
    A.normal(x).abs().sum().backward()
    assert len(kernels) == 1


def test_a_kernel_does_not_leave_a_trace(normal, spokes, kernels):
    jax = pytest.importorskip("jax")
    A = NonCartesianMRI(jax.numpy.asarray(normal(2, 6, 5)), jax.numpy.asarray(spokes(20, 2)))
    x = jax.numpy.asarray(normal(6, 5))
    inside = jax.jit(A.normal)(x)
    np.testing.assert_allclose(A.normal(x), inside, atol=1e-10)
    assert len(kernels) == 1
    np.testing.assert_allclose(jax.jit(lambda B, v: B.N(v))(A, x), inside, atol=1e-10)


def test_systems_with_a_kernel_can_be_pickled(normal, spokes):
    A = NonCartesianMRI(normal(2, 6, 5), spokes(20, 2))
    x = normal(6, 5)
    want = A.normal(x)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(A)).normal(x), want)


@pytest.mark.parametrize("way", ["forward", "adjoint", "normal", "N"])
def test_gradients_by_maps_and_trajectory(way, like_autodiff, normal, spokes):
    """Against central differences of a step of 1e-5, right to about 1e-9."""
    maps, traj, v = normal(2, 6, 5), spokes(12, 2), normal(6, 5)
    if way == "adjoint":
        v = normal(2, 12)

    def loss(maps, traj, v):
        A = NonCartesianMRI(maps, traj, tol=EXACT)
        out = {"forward": A, "adjoint": A.adjoint, "normal": A.normal, "N": A.N}[way](v)
        return (out * out.conj()).real.sum()

    arrays = [from_numpy(a, like_autodiff) for a in (maps, traj, v)]
    got = gradient(loss, arrays, like_autodiff)
    for i, start in enumerate((maps, traj)):
        step = normal(*start.shape) if i == 0 else spokes(*start.shape)
        moved = [[a + h * step if j == i else a for j, a in enumerate((maps, traj, v))]
                 for h in (1e-5, -1e-5)]  # fmt: skip
        slope = (loss(*moved[0]) - loss(*moved[1])) / 2e-5
        assert np.sum((np.conj(got[i]) * step).real) == pytest.approx(slope, rel=1e-6)


def gradient(loss, arrays, like):
    """Gradients by the first two arrays, in torch's convention."""
    if "torch" in type(like).__module__:
        import torch

        leaves = [a.requires_grad_() for a in arrays[:2]]
        return [to_numpy(g) for g in torch.autograd.grad(loss(*arrays), leaves)]
    import jax

    return [np.conj(g) for g in jax.jit(jax.grad(loss, argnums=(0, 1)))(*arrays)]


def test_jax_vmap_over_systems(normal, spokes):
    jax = pytest.importorskip("jax")
    maps, traj, x = (
        jax.numpy.asarray(a) for a in (normal(3, 2, 6, 5), spokes(3, 9, 2), normal(3, 6, 5))
    )
    got = jax.vmap(lambda m, k, v: NonCartesianMRI(m, k)(v))(maps, traj, x)
    np.testing.assert_allclose(got, NonCartesianMRI(maps, traj)(x), rtol=1e-12, atol=1e-12)


def test_torch_vmap_over_systems(normal, spokes):
    torch = pytest.importorskip("torch")
    maps, traj, x = (
        torch.tensor(a) for a in (normal(3, 2, 6, 5), spokes(3, 9, 2), normal(3, 6, 5))
    )
    got = torch.func.vmap(lambda m, k, v: NonCartesianMRI(m, k).normal(v))(maps, traj, x)
    torch.testing.assert_close(got, NonCartesianMRI(maps, traj).normal(x), rtol=1e-3, atol=1e-3)


# --- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"maps": np.ones((2, 6, 5))}, TypeError, r"`maps` must be complex, got float64"),
        ({"traj": np.ones((20, 2), int)}, TypeError, r"`traj` must be real floating, got int64"),
        ({"traj": np.ones((20, 2), complex)}, TypeError, r"`traj` must be real floating"),
        ({"dcf": np.ones(20, complex)}, TypeError, r"`dcf` must be real floating"),
        ({"n_space": 4}, ValueError, r"`n_space` must be 2 or 3.*got 4"),
        ({"n_sample_axes": 3}, ValueError, r"`n_sample_axes` 1 or 2"),
        ({"maps": np.ones((6, 5), complex)}, ValueError, r"`maps` .*\(\*batch, coil, 2 axes"),
        ({"traj": np.ones((2, 20))}, ValueError, r"`traj` .*got \(2, 20\). Its last axis"),
        ({"traj": np.ones((20, 3))}, ValueError, r"components of k"),
        ({"n_sample_axes": 2}, ValueError, r"2 of samples, 2\), got \(20, 2\)"),
        ({"maps": np.ones((2, 3, 6, 5), complex), "traj": np.ones((4, 20, 2)), "n_frame_axes": 1},
         ValueError, r"`traj` must have the frames of the maps, \(3,\).*got \(4,\)"),
        ({"dcf": np.ones(19)}, ValueError, r"`dcf` must have shape \(\*batch, 20,\).*got \(19,\)"),
        ({"maps": np.ones((2, 1, 6, 5), complex), "traj": np.ones((1, 20, 2)), "n_frame_axes": 1,
          "dcf": np.ones((4, 20))}, ValueError, r"`dcf` .*\(\*batch, 1, 20\).*got \(4, 20\)"),
        ({"traj": np.ones((0, 2))}, ValueError, r"`traj` must hold samples, got shape \(0, 2\)"),
        ({"maps": np.ones((2, 3, 6, 5), complex), "n_space": 3, "dcf": np.ones((3, 19))},
         ValueError, r"`dcf` .*got \(3, 19\). `partitions=True` takes"),
        ({"maps": np.ones((2, 3, 6, 5), complex), "n_space": 3, "dcf": np.ones((4, 20)),
          "partitions": True}, ValueError, r"`dcf` .*\(\*batch, 3, 20\).*got \(4, 20\)"),
        ({"dcf": -np.ones(20)}, ValueError, r"`dcf` must not be negative.*got -1"),
        ({"dcf": np.full(20, np.nan)}, ValueError, r"`dcf` .* or NaN, got nan"),
        ({"dcf": np.full(20, np.inf)}, ValueError, r"`dcf` must not be .*got inf"),
        ({"traj": np.full((20, 2), np.nan)}, ValueError, r"`traj` must be finite"),
    ],
)  # fmt: skip
def test_messages(change, kind, message):
    arguments = {"maps": np.ones((2, 6, 5), complex), "traj": np.ones((20, 2)), **change}
    with pytest.raises(kind, match=message):
        NonCartesianMRI(**arguments)


def test_data_of_another_length_are_named(normal, spokes):
    A = NonCartesianMRI(normal(2, 6, 5), spokes(20, 2))
    with pytest.raises(
        ValueError, match=r"`y` .*\(\*batch, 2, 20\), got \(2, 19\).*point of `traj`"
    ):
        A.adjoint(normal(2, 19))
