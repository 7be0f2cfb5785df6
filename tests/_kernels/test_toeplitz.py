"""The Toeplitz operators against Σ_c conj(S_c) Fᴴ W F S_c with exact sums."""

import numpy as np
import pytest

from reconic._array import from_numpy, to_numpy
from reconic._kernels import toeplitz
from reconic._kernels.nufft import exact_nufft, exact_nufft_adjoint
from reconic._kernels.toeplitz import toeplitz_kernel, toeplitz_normal

pytest.importorskip("finufft")

M = 40  # samples
CASES = {  # maps, traj, x, n_core, sets
    "even": ((4, 8, 6), (M, 2), (8, 6), 2, False),
    "odd": ((3, 7, 5), (M, 2), (7, 5), 2, False),
    "one coil": ((1, 8, 5), (M, 2), (8, 5), 2, False),
    "batch of x": ((4, 8, 6), (M, 2), (2, 8, 6), 2, False),
    "batch of maps": ((2, 4, 8, 6), (M, 2), (2, 8, 6), 2, False),
    "a trajectory per sample": ((2, 4, 8, 6), (2, M, 2), (2, 8, 6), 2, False),
    "a batch of trajectories alone": ((4, 8, 6), (2, M, 2), (8, 6), 2, False),
    "frames": ((4, 1, 8, 6), (3, M, 2), (3, 8, 6), 3, False),
    "volume": ((3, 4, 6, 5), (M, 3), (4, 6, 5), 3, False),
    "sets": ((2, 3, 8, 6), (M, 2), (2, 8, 6), 2, True),
    "sets, frames, batch": ((2, 2, 3, 1, 6, 5), (2, 3, M, 2), (2, 2, 3, 6, 5), 3, True),
}


@pytest.fixture(params=CASES)
def case(request, normal, rng):
    """Maps, trajectory, weights and image, and the settings of the operator."""
    maps, traj, x, *settings = CASES[request.param]
    weights = rng.random(traj[:-1])
    return normal(*maps), rng.uniform(-np.pi, np.pi, traj), weights, normal(*x), settings


def on(like, *arrays):
    return [from_numpy(a, like) for a in arrays]


def oracle(maps, traj, weights, x, n_core, sets):
    """Σ_c conj(S_c) Fᴴ W F S_c x."""
    coil, n = -n_core - 1, traj.shape[-1]
    coils = maps * np.expand_dims(x, coil)
    if sets:
        coils = coils.sum(coil - 1)
    coils = np.moveaxis(coils, coil, -n - 1)  # (*batch, *frames, coil, *space)
    y = exact_nufft(coils, traj) * weights[..., None, :]
    coils = np.moveaxis(exact_nufft_adjoint(y, traj, x.shape[-n:]), -n - 1, coil)
    if sets:
        coils = np.expand_dims(coils, coil - 1)
    return np.sum(np.conj(maps) * coils, axis=coil)


def close(got, want, tol=1e-11):
    # the kernel is asked for 1e-12, of its own norm; few coils and samples lose little of it
    got = to_numpy(got)
    assert got.shape == want.shape
    assert np.linalg.norm(got - want) <= tol * np.linalg.norm(want)


def test_normal_is_that_of_exact_sums(like, case):
    maps, traj, weights, x, settings = case
    kernel = toeplitz_kernel(*on(like, traj, weights), x.shape[-traj.shape[-1] :], 1e-12)
    close(toeplitz_normal(*on(like, x, maps), kernel, *settings), oracle(*case[:4], *settings))


def test_coils_one_block_at_a_time(case, monkeypatch):
    torch = pytest.importorskip("torch")
    maps, traj, weights, x, settings = case
    monkeypatch.setattr(toeplitz, "coils_per_block", lambda *_: 1)
    like = torch.zeros(1)
    kernel = toeplitz_kernel(*on(like, traj, weights), x.shape[-traj.shape[-1] :], 1e-12)
    arrays = on(like, x, maps)
    before = [a.clone() for a in arrays]
    close(toeplitz_normal(*arrays, kernel, *settings), oracle(*case[:4], *settings))
    assert all(torch.equal(a, b) for a, b in zip(arrays, before, strict=True))


def test_kernel_has_parities_first_and_is_real(like, rng):
    traj, weights = rng.uniform(-np.pi, np.pi, (2, M, 2)), rng.random(M)
    kernel = to_numpy(toeplitz_kernel(*on(like, traj, weights), (7, 6), 1e-12))
    assert kernel.shape == (4, 2, 7, 6)
    np.testing.assert_array_equal(kernel.imag, -kernel.real)
    # the spectrum sums to the point-spread function's centre, Σ w
    np.testing.assert_allclose(kernel.real.sum((0, 2, 3)), weights.sum(), rtol=1e-11)


@pytest.mark.parametrize("library", ["numpy", "torch", "jax"])
def test_single_precision_is_kept(library, normal, rng):
    from libraries import example_array

    like = example_array(library)
    traj, weights = rng.uniform(-np.pi, np.pi, (M, 2)), rng.random(M)
    maps, x = normal(3, 8, 6), normal(8, 6)
    single = [a.astype(np.float32) for a in (traj, weights)]
    kernel = toeplitz_kernel(*on(like, *single), (8, 6), 1e-6)
    got = toeplitz_normal(
        *on(like, x.astype(np.complex64), maps.astype(np.complex64)), kernel, 2, False
    )
    assert to_numpy(kernel).dtype == to_numpy(got).dtype == np.complex64
    close(got, oracle(maps, traj, weights, x, 2, False), 1e-5)


def test_cartesian_axes_need_no_transform(like, normal, rng):
    """A stack of stars: transforms along the stack cancel."""
    maps, x = normal(3, 4, 6, 5), normal(4, 6, 5)
    traj, weights = rng.uniform(-np.pi, np.pi, (M, 2)), rng.random(M)
    kernel = toeplitz_kernel(*on(like, traj, weights), (6, 5), 1e-12)[:, None, ...]
    want = np.stack([oracle(maps[:, z], traj, weights, x[z], 2, False) for z in range(4)])
    close(toeplitz_normal(*on(like, x, maps), kernel, 3, False), want)


@pytest.mark.parametrize("sets", [False, True])
@pytest.mark.parametrize("n_batch", [0, 1])
def test_kernels_of_a_temporal_subspace(like, sets, n_batch, normal, rng):
    """Coefficients of k basis functions, each sample at a time of its own."""
    k, space = 2, (6, 5)
    batch, of_set = (2,) * n_batch, (2,) * sets
    x, maps = normal(*batch, *of_set, k, *space), normal(*batch, *of_set, 3, *space)
    traj, weights, basis = rng.uniform(-np.pi, np.pi, (*batch, M, 2)), rng.random(M), normal(k, M)

    coils = np.expand_dims(maps, -3) * np.expand_dims(x, -4)  # (*batch, [set,] coil, k, *space)
    coils = coils.sum(n_batch) if sets else coils
    y = (exact_nufft(coils, traj[..., None, :, :]) * basis).sum(-2) * weights
    y = y[..., None, :] * basis.conj()
    back = exact_nufft_adjoint(y, traj[..., None, :, :], space)  # (*batch, coil, k, *space)
    back = np.expand_dims(back, n_batch) if sets else back
    want = (np.conj(np.expand_dims(maps, -3)) * back).sum(-4)

    pairs = basis.conj()[:, None] * basis * weights
    pairs = np.broadcast_to(pairs, (*batch, *pairs.shape)).copy()
    kernel = toeplitz_kernel(*on(like, traj[..., None, None, :, :], pairs), space, 1e-12)
    got = toeplitz_normal(*on(like, x, np.expand_dims(maps, -3)), kernel, 3, sets, subspace=True)
    close(got, want)


def test_torch_records_what_it_must(normal, rng):
    torch = pytest.importorskip("torch")
    x, maps, traj, weights = on(
        torch.zeros(1), normal(3, 2), normal(2, 3, 2), rng.uniform(-3, 3, (7, 2)), rng.random(7)
    )
    leaves = [a.requires_grad_() for a in (x, maps, traj, weights)]

    def normal_of(x, maps, traj, weights):
        return toeplitz_normal(x, maps, toeplitz_kernel(traj, weights, (3, 2), 1e-13), 2, False)

    assert torch.autograd.gradcheck(normal_of, leaves)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")  # torch's own jvp uses it
def test_torch_func(normal, rng):
    torch = pytest.importorskip("torch")
    traj, weights = rng.uniform(-np.pi, np.pi, (M, 2)), rng.random(M)
    maps, x = normal(3, 8, 6), normal(2, 8, 6)
    want = oracle(maps, traj, weights, x, 2, False)
    maps, x, traj, weights = on(torch.zeros(1), maps, x, traj, weights)
    kernel = toeplitz_kernel(traj, weights, (8, 6), 1e-12)

    def N(x):
        return toeplitz_normal(x, maps, kernel, 2, False)

    close(torch.func.vmap(N)(x), want)
    close(torch.func.vjp(N, x[0])[1](x[1])[0], want[1])  # its own adjoint
    close(torch.func.jvp(N, (x[0],), (x[1],))[1], want[1])


def test_jax_transformations(normal, rng):
    jax = pytest.importorskip("jax")
    traj, weights = rng.uniform(-np.pi, np.pi, (M, 2)), rng.random(M)
    maps, x = normal(3, 8, 6), normal(2, 8, 6)
    want = oracle(maps, traj, weights, x, 2, False)
    maps, x, traj, weights = on(jax.numpy.zeros(1), maps, x, traj, weights)
    kernel = jax.jit(lambda t, w: toeplitz_kernel(t, w, (8, 6), 1e-12))(traj, weights)

    def N(x):
        return toeplitz_normal(x, maps, kernel, 2, False)

    close(jax.jit(N)(x), want)
    close(jax.vmap(N)(x), want)
    close(jax.jvp(N, (x[0],), (x[1],))[1], want[1])
    _, pullback = jax.vjp(N, x[0])
    close(np.conj(pullback(np.conj(x[1]))[0]), want[1])
