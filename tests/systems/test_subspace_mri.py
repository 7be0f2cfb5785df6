import numpy as np
import pytest

from reconic._array import from_numpy, to_numpy
from reconic.systems import NonCartesianMRI, SubspaceMRI

EXACT = 1e-12  # asked of the transforms; sums of tens of terms of order one then agree to 1e-10


@pytest.mark.parametrize("kind", [float, complex])
@pytest.mark.parametrize("n_space", [2, 3])
@pytest.mark.parametrize("sets", [False, True])
def test_is_explicit_frames_of_the_basis(normal, rng, like, kind, n_space, sets):
    """In forward, adjoint, and normal by the k × k kernel; a 3-D one is a stack of stars."""
    shape, k, n_frames = (6, 5) if n_space == 2 else (3, 6, 5), 2, 7
    maps = normal(*((2,) if sets else ()), 3, *shape)
    traj, w = rng.uniform(-np.pi, np.pi, (n_frames, 9, 2)), rng.random((n_frames, 9))
    basis = normal(k, n_frames) if kind is complex else rng.standard_normal((k, n_frames))
    settings = {"n_space": n_space, "sets": sets, "tol": EXACT}
    frames = NonCartesianMRI(
        np.expand_dims(maps, -n_space - 1), traj, w, n_frame_axes=1, **settings
    )
    A = SubspaceMRI(
        NonCartesianMRI(maps, traj, w, n_sample_axes=2, **settings), basis[..., None]
    ).map(lambda a: from_numpy(a, like))
    x = normal(*A.in_shape)

    def over_time(x):
        return np.moveaxis(np.tensordot(basis, x, (0, -n_space - 1)), 0, -n_space - 1)

    def coefficients(x):
        return np.moveaxis(np.tensordot(basis.conj(), x, (1, -n_space - 1)), 0, -n_space - 1)

    y = frames(over_time(x))  # (coil, frame, [partition,] sample)
    got = to_numpy(A(from_numpy(x, like)))
    np.testing.assert_allclose(got, np.moveaxis(y, 1, -2), atol=1e-10)
    back = to_numpy(A.adjoint(from_numpy(np.moveaxis(y, 1, -2), like)))
    np.testing.assert_allclose(back, coefficients(frames.adjoint(y)), atol=1e-9)
    np.testing.assert_allclose(to_numpy(A.normal(from_numpy(x, like))), back, atol=1e-9)
    np.testing.assert_array_equal(
        to_numpy(A.weigh(from_numpy(got, like))), to_numpy(A.A.weigh(from_numpy(got, like)))
    )


@pytest.mark.parametrize("n_space", [2, 3])
def test_a_mask_becomes_weights_of_the_kernel(normal, rng, n_space):
    """That of a stack of stars may depend on the partition."""
    shape = (6, 5) if n_space == 2 else (3, 6, 5)
    maps, traj = normal(2, *shape), rng.uniform(-np.pi, np.pi, (7, 9, 2))
    one = NonCartesianMRI(maps, traj, rng.random((7, 9)), n_space, 0, 2, tol=EXACT)
    A = SubspaceMRI(one, normal(2, 7, 1))
    mask, x = (rng.random((1, *shape[:-2], 7, 1)) > 0.5) * 2.0, normal(*A.in_shape)
    B = A.masked(mask)
    assert isinstance(B, SubspaceMRI)
    np.testing.assert_allclose(B(x), mask * A(x), atol=1e-10)
    np.testing.assert_allclose(B.N(x), A.adjoint(mask**2 * A(x)), atol=1e-9)
    each = np.ones((2, *shape[:-2], 1, 1))  # coils of their own weights have no such kernel
    assert not isinstance(A.masked(each), SubspaceMRI)


def test_gradient_by_the_basis(normal, rng):
    """Against central differences of a step of 1e-5, right to about 1e-9."""
    torch = pytest.importorskip("torch")
    example = SubspaceMRI.example(rng, np.zeros(1))
    x, step = normal(*example.in_shape), normal(*example.basis.shape)

    def loss(A, x):
        return (A.normal(x) * x.conj()).real.sum()

    A = example.map(torch.tensor)
    basis = A.basis.requires_grad_()
    (got,) = torch.autograd.grad(loss(A.replace(basis=basis), torch.tensor(x)), basis)
    up, down = (loss(example.replace(basis=example.basis + h * step), x) for h in (1e-5, -1e-5))
    slope = (got.conj() * torch.tensor(step)).real.sum()
    assert float(slope) == pytest.approx((up - down) / 2e-5, rel=1e-6)


@pytest.mark.parametrize("shape", [(2, 7), (2, 6, 1), (2, 7, 8), (2, 3, 7, 1)])
def test_a_basis_that_does_not_fit_is_named(normal, rng, shape):
    A = NonCartesianMRI(normal(3, 6, 5), rng.uniform(-3, 3, (7, 9, 2)), n_sample_axes=2)
    with pytest.raises(ValueError, match=r"`basis` must have shape \(k, 7, 9\).*got"):
        SubspaceMRI(A, normal(*shape))


def test_frame_axes_are_named(normal, rng):
    A = NonCartesianMRI(normal(3, 1, 6, 5), rng.uniform(-3, 3, (7, 9, 2)), n_frame_axes=1)
    with pytest.raises(ValueError, match=r"no frame axes, got 1\. Make frames the first of two"):
        SubspaceMRI(A, normal(2, 7, 1))
