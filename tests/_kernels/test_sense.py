"""The fast normal operators against AᴴA written with np.fft and fftshift, sample by sample."""

import numpy as np
import pytest

from reconic._array import from_numpy, to_numpy
from reconic._kernels import sense
from reconic.systems import CartesianMRI
from reconic.testing import check_system

CASES = {  # maps, mask, x, n_space, n_frame_axes, sets
    "even": ((4, 8, 6), (8, 6), (8, 6), 2, 0, False),
    "odd": ((3, 7, 5), (7, 5), (7, 5), 2, 0, False),
    "one coil": ((1, 8, 5), (8, 5), (8, 5), 2, 0, False),
    "batch of x": ((4, 8, 6), (8, 6), (2, 8, 6), 2, 0, False),
    "batch of maps": ((2, 4, 8, 6), (8, 6), (2, 8, 6), 2, 0, False),
    "batch of masks": ((4, 8, 6), (2, 8, 6), (2, 8, 6), 2, 0, False),
    "batch of masks alone": ((4, 8, 6), (2, 8, 6), (8, 6), 2, 0, False),
    "two batch axes": ((2, 1, 4, 6, 6), (3, 6, 6), (2, 3, 6, 6), 2, 0, False),
    "lines": ((4, 8, 6), (8, 1), (8, 6), 2, 0, False),
    "columns": ((4, 8, 7), (1, 7), (8, 7), 2, 0, False),
    "everything": ((4, 8, 6), (1, 1), (8, 6), 2, 0, False),
    "frames": ((4, 1, 8, 6), (3, 8, 6), (3, 8, 6), 2, 1, False),
    "one mask for all frames": ((4, 3, 8, 6), (1, 8, 6), (3, 8, 6), 2, 1, False),
    "volume": ((4, 4, 6, 5), (4, 6, 5), (4, 6, 5), 3, 0, False),
    "volume of lines": ((4, 4, 6, 5), (1, 6, 1), (4, 6, 5), 3, 0, False),
    "sets": ((2, 4, 8, 6), (8, 6), (2, 8, 6), 2, 0, True),
    "sets, frames, batch": ((2, 2, 4, 1, 6, 5), (3, 6, 5), (2, 2, 3, 6, 5), 2, 1, True),
}


@pytest.fixture(params=CASES)
def case(request, normal, rng):
    """Maps, mask and image as NumPy arrays, and the settings of the system."""
    maps, mask, x, *settings = CASES[request.param]
    return normal(*maps), rng.random(mask), normal(*x), settings


def oracle(maps, mask, x, n_space, n_frame_axes, sets):
    """AᴴA x with shifted FFTs and no shortcut."""
    axes, n_core = tuple(range(-n_space, 0)), n_space + n_frame_axes
    coil = -n_core - 1

    def fft(a, transform):
        return np.fft.fftshift(transform(np.fft.ifftshift(a, axes), axes=axes, norm="ortho"), axes)

    coils = maps * np.expand_dims(x, coil)
    if sets:
        coils = coils.sum(coil - 1)
    coils = fft(np.expand_dims(mask, coil) ** 2 * fft(coils, np.fft.fftn), np.fft.ifftn)
    if sets:
        coils = np.expand_dims(coils, coil - 1)
    return np.sum(np.conj(maps) * coils, axis=coil)


def on(like, *arrays):
    return [from_numpy(np.ascontiguousarray(a), like) for a in arrays]


def close(got, want, unit=2e-16):
    # sums over some hundred terms in another order: far below 100 units of rounding
    got = to_numpy(got)
    assert got.shape == want.shape
    assert np.linalg.norm(got - want) <= 100 * unit * np.linalg.norm(want)


def test_normal_is_that_of_shifted_ffts(like, case):
    maps, mask, x, settings = case
    A = CartesianMRI(*on(like, maps, mask), *settings)
    want = oracle(maps, mask, x, *settings)
    close(A.N(*on(like, x)), want)
    close(A.normal(*on(like, x)), want)


@pytest.mark.parametrize("name", ["even", "odd", "batch of maps", "lines", "frames", "sets"])
def test_single_precision_is_kept(like, name, normal, rng):
    maps, mask, x, *settings = CASES[name]
    maps, x, mask = (normal(*s).astype(np.complex64) for s in (maps, x, mask))
    mask = mask.real.copy()
    A = CartesianMRI(*on(like, maps, mask), *settings)
    got = A.N(*on(like, x))
    assert to_numpy(got).dtype == np.complex64
    close(got, oracle(maps, mask, x, *settings), unit=6e-8)


def test_coils_one_block_at_a_time(case, monkeypatch):
    torch = pytest.importorskip("torch")
    maps, mask, x, settings = case
    monkeypatch.setattr(sense, "_PER_THREAD", 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    like = torch.zeros(1)
    A = CartesianMRI(*on(like, maps, mask), *settings)
    close(A.N(*on(like, x)), oracle(maps, mask, x, *settings))


def test_blocks_are_whole_and_fit(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    assert sense.coils_per_block(8, sense._PER_THREAD // 2) == 4
    assert sense.coils_per_block(6, sense._PER_THREAD // 2) == 3  # divides, so blocks are alike
    assert sense.coils_per_block(8, 100 * sense._PER_THREAD) == 2
    assert sense.coils_per_block(1, 1) == 1


def test_torch_records_what_it_must_and_leaves_inputs_alone(case):
    torch = pytest.importorskip("torch")
    maps, mask, x, settings = case
    maps, mask, x = on(torch.zeros(1), maps, mask, x)
    before = [a.clone() for a in (maps, mask, x)]
    y = CartesianMRI(maps, mask, *settings).N(x)
    for a, b in zip((maps, mask, x), before, strict=True):
        assert torch.equal(a, b)
    for i in range(3):
        leaves = [a.clone() for a in before]
        leaves[i].requires_grad_()
        z = CartesianMRI(*leaves[:2], *settings).N(leaves[2])
        close(z.detach(), y.numpy())
        (grad,) = torch.autograd.grad(z.abs().square().sum(), leaves[i])
        step = torch.randn_like(leaves[i])
        h = 1e-6  # central differences of a polynomial: error about h² and eps / h
        values = []
        for sign in (1, -1):
            moved = [a.detach() for a in leaves]
            moved[i] = moved[i] + sign * h * step
            values.append(CartesianMRI(*moved[:2], *settings).N(moved[2]).abs().square().sum())
        slope = float(values[0] - values[1]) / (2 * h)
        assert slope == pytest.approx(float((grad.conj() * step).real.sum()), rel=1e-6)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")  # torch's own jvp uses it
def test_torch_func(normal, rng):
    torch = pytest.importorskip("torch")
    maps, mask, xs = on(torch.zeros(1), normal(4, 8, 6), rng.random((8, 6)), normal(3, 8, 6))
    N = CartesianMRI(maps, mask).N
    close(torch.func.vmap(N)(xs), N(xs).numpy())
    masks = torch.stack([mask, 2 * mask])
    over_masks = torch.func.vmap(lambda m: CartesianMRI(maps, m).N(xs[0]))(masks)
    close(over_masks, torch.stack([N(xs[0]), 4 * N(xs[0])]).numpy())
    _, pullback = torch.func.vjp(N, xs[0])
    close(pullback(xs[1])[0], N(xs[1]).numpy())  # its own adjoint
    _, tangent = torch.func.jvp(N, (xs[0],), (xs[2],))
    close(tangent, N(xs[2]).numpy())


def test_jax_transformations(normal, rng):
    jax = pytest.importorskip("jax")
    maps, mask, xs = on(jax.numpy.zeros(1), normal(4, 8, 6), rng.random((8, 6)), normal(3, 8, 6))
    A = CartesianMRI(maps, mask)
    want = np.asarray(A.N(xs))
    close(jax.jit(lambda A, x: A.N(x))(A, xs), want)
    close(jax.vmap(A.N)(xs), want)
    close(jax.vmap(lambda m, x: CartesianMRI(m, mask).N(x))(maps[None] + 0 * xs[:, None], xs), want)
    _, tangent = jax.jvp(A.N, (xs[0],), (xs[2],))
    close(tangent, want[2])
    _, pullback = jax.vjp(A.N, xs[0])
    close(np.conj(pullback(np.conj(xs[1]))[0]), want[1])


def test_contract_of_the_prepared_normal(like, normal, rng):
    A = CartesianMRI(*on(like, normal(4, 8, 6), rng.random((8, 6))))
    failed = [c for c in check_system(A.N) if not c.ok]
    assert not failed, failed


def test_maps_in_any_memory_order(like, normal, rng):
    maps, mask, x = normal(4, 8, 6), rng.random((8, 6)), normal(8, 6)
    coil_last = np.moveaxis(np.ascontiguousarray(np.moveaxis(maps, 0, -1)), -1, 0)
    A = CartesianMRI(from_numpy(coil_last, like), *on(like, mask))
    close(A.N(*on(like, x)), oracle(maps, mask, x, 2, 0, False))
