"""The transforms against a matrix of exponentials, their derivatives against finite differences."""

import builtins
import multiprocessing
import threading

import numpy as np
import pytest

from reconic._array import from_numpy, linear_solve, to_numpy, while_loop
from reconic._kernels.nufft import exact_nufft, exact_nufft_adjoint, nufft, nufft_adjoint
from reconic._kernels.nufft.plans import Plan, Plans, cache

pytest.importorskip("finufft")

SPACES = [(9,), (6, 5), (4, 5, 3)]
BATCHES = {  # batch axes of the images and of the trajectories
    "none": ((), ()),
    "one trajectory for a batch": ((2,), ()),
    "a trajectory per sample": ((2,), (2,)),
    "many trajectories of one image": ((), (3,)),
    "a trajectory per frame": ((2, 3), (3,)),
    "a trajectory per sample, one for its frames": ((2, 3), (2, 1)),
    "both broadcast": ((2, 1), (2, 3)),
    "a trajectory per frame and echo": ((2, 2, 3), (2, 3)),
}


def on(like, *arrays):
    return [from_numpy(a, like) for a in arrays]


def trajectory(rng, *shape):
    return rng.uniform(-np.pi, np.pi, shape)


def matrix(traj, space):
    """exp(-i k · r), (m, voxels), by its definition."""
    grids = np.meshgrid(*(np.arange(n) - n // 2 for n in space), indexing="ij")
    positions = np.stack([g.ravel() for g in grids])
    return np.exp(-1j * traj @ positions)


def error(got, want):
    got = to_numpy(got)
    assert got.shape == want.shape
    return np.linalg.norm(got - want) / np.linalg.norm(want)


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
@pytest.mark.parametrize("tol", [1e-2, 1e-3, 1e-4, 1e-5])
def test_tolerance_is_met_on_spokes_of_an_image(tol, dtype):
    """Errors of samples that crowd around the centre, and are large there, add up."""
    angle = np.pi * np.arange(48) / 48
    radius = np.linspace(-np.pi, np.pi, 64, endpoint=False)
    traj = np.stack([np.outer(np.sin(angle), radius), np.outer(np.cos(angle), radius)], -1)
    traj = traj.reshape(-1, 2).astype(np.float32)  # so that both precisions see the same
    grid = np.hypot(*np.mgrid[-16:16, -16:16])
    waves = matrix(traj, (32, 32))
    y = waves @ (grid < 11).ravel()
    want = (waves.conj().T @ y).reshape(1, 32, 32)
    assert error(nufft_adjoint(y[None].astype(dtype), traj, (32, 32), tol), want) <= tol


def test_tolerance_is_met_on_a_whole_radial_scan():
    """In single precision; the oracle, in double, is asked for a millionth of the error."""
    angle = np.pi * np.arange(402) / 402
    radius = np.linspace(-np.pi, np.pi, 512, endpoint=False)
    traj = np.stack([np.outer(np.sin(angle), radius), np.outer(np.cos(angle), radius)], -1)
    traj = traj.reshape(-1, 2).astype(np.float32)
    disc = np.hypot(*np.mgrid[-128:128, -128:128]) < 80
    y = nufft(disc[None] + 0j, traj, 1e-10)
    want = nufft_adjoint(y, traj, (256, 256), 1e-10)
    assert error(nufft_adjoint(y.astype(np.complex64), traj, (256, 256), 1e-4), want) <= 1e-4


def test_views_that_torch_has_not_computed(rng, normal):
    torch = pytest.importorskip("torch")
    x, k = (torch.from_numpy(a).conj() for a in (normal(2, 6, 5), 1j * trajectory(rng, 17, 2)))
    traj = k.imag
    assert x.is_conj()
    assert traj.is_neg()
    want = exact_nufft(x.resolve_conj().numpy(), traj.resolve_neg().numpy())
    assert error(nufft(x, traj, 1e-12), want) < 1e-12


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_exact_sums_are_the_matrix(like, space, rng, normal):
    traj, x, y = trajectory(rng, 17, len(space)), normal(3, *space), normal(3, 17)
    F = matrix(traj, space)
    forward = exact_nufft(*on(like, x, traj))
    back = exact_nufft_adjoint(*on(like, y, traj), space)
    # sums of 17 to 60 terms: far below 100 units of rounding
    assert error(forward, x.reshape(3, -1) @ F.T) < 2e-14
    assert error(back, (y @ F.conj()).reshape(3, *space)) < 2e-14


@pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES.keys())
@pytest.mark.parametrize("space", SPACES, ids=str)
def test_batches_of_images_and_trajectories(like, space, batch, rng, normal):
    of_x, of_traj = batch
    traj = trajectory(rng, *of_traj, 17, len(space))
    x, y = normal(*of_x, 2, *space), normal(*np.broadcast_shapes(of_x, of_traj), 2, 17)
    # asked for: 1e-12
    assert error(nufft(*on(like, x, traj), 1e-12), exact_nufft(x, traj)) < 1e-12
    back = nufft_adjoint(*on(like, y, traj), space, 1e-12)
    assert error(back, exact_nufft_adjoint(y, traj, space)) < 1e-12


@pytest.mark.parametrize("tol", [1e-1, 1e-2, 1e-3, 1e-4, 1e-6, 1e-8, 1e-10, 1e-12])
@pytest.mark.parametrize("space", [(32, 31), (16, 14, 15)], ids=str)
def test_tolerance_is_met(like, space, tol, rng, normal):
    traj, x, y = trajectory(rng, 1500, len(space)), normal(1, *space), normal(1, 1500)
    assert error(nufft(*on(like, x, traj), tol), exact_nufft(x, traj)) < tol
    back = nufft_adjoint(*on(like, y, traj), space, tol)
    assert error(back, exact_nufft_adjoint(y, traj, space)) < tol


@pytest.mark.parametrize("library", ["numpy", "torch", "jax"])
@pytest.mark.parametrize("tol", [1e-1, 1e-3, 1e-4, 1e-5, 1e-7])
@pytest.mark.parametrize("space", [(32, 31), (16, 14, 15)], ids=str)
def test_tolerance_is_met_in_single_precision_down_to_its_limit(
    library, space, tol, rng, normal, request
):
    from libraries import example_array

    like = example_array(library)
    traj = trajectory(rng, 1500, len(space)).astype(np.float32)
    x, y = (normal(*s).astype(np.complex64) for s in ((1, *space), (1, 1500)))
    forward = nufft(*on(like, x, traj), tol)
    back = nufft_adjoint(*on(like, y, traj), space, tol)
    assert to_numpy(forward).dtype == to_numpy(back).dtype == np.complex64
    limit = max(tol, 3e-6)  # rounding of k · r, up to 50 rad, and of the sums
    double = traj.astype(float)
    assert error(forward, exact_nufft(x.astype(complex), double)) < limit
    assert error(back, exact_nufft_adjoint(y.astype(complex), double, space)) < limit


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")  # torch's own jvp uses it
def test_torch_derivatives_of_first_and_second_order(rng, normal):
    torch = pytest.importorskip("torch")
    like = torch.zeros(1)
    x, y, traj = on(like, normal(2, 1, 3, 2), normal(2, 1, 3), trajectory(rng, 2, 3, 2))
    for a in (x, y, traj):
        a.requires_grad_()

    def forward(x, traj):
        return nufft(x, traj, 1e-13)

    def back(y, traj):
        return nufft_adjoint(y, traj, (3, 2), 1e-13)

    for f, a in ((forward, x), (back, y)):
        assert torch.autograd.gradcheck(f, (a, traj), check_forward_ad=True)
        one = [b[0].detach().requires_grad_() for b in (a, traj)]
        assert torch.autograd.gradgradcheck(f, one)
        assert torch.autograd.gradcheck(f, (a, one[1]))  # gradients of what is shared are summed


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")  # torch's own jvp uses it
def test_torch_trajectories_of_double_precision_leave_single_images_single(rng, normal):
    torch = pytest.importorskip("torch")
    x, y, traj = on(torch.zeros(1), normal(1, 6, 5), normal(1, 7), trajectory(rng, 7, 2))
    for f, a in ((nufft, x), (lambda y, k: nufft_adjoint(y, k, (6, 5)), y)):
        single = a.to(torch.complex64)
        out, slope = torch.func.jvp(lambda k, f=f, v=single: f(v, k), (traj,), (traj,))
        assert out.dtype == slope.dtype == torch.complex64
        want = torch.func.jvp(lambda k, f=f, v=a: f(v, k), (traj,), (traj,))[1]
        assert error(slope, want.numpy()) < 1e-4  # asked for: 1e-5


def test_a_torch_trajectory_may_be_a_negative_view(rng, normal):
    torch = pytest.importorskip("torch")
    x, half = on(torch.zeros(1), normal(1, 6, 5), normal(7, 2))
    traj = half.conj().imag  # as a complex trajectory's conjugate gives it
    assert traj.is_neg()
    assert error(nufft(x, traj), exact_nufft(x.numpy(), -half.imag.numpy())) < 1e-5


def vmap_of(like):
    if type(like).__module__ == "torch":
        from torch.func import vmap

        return vmap
    from jax import vmap

    return vmap


@pytest.mark.parametrize("dims", [(0, 0), (0, None), (None, 0), (2, 1)], ids=str)
def test_vmap(like_autodiff, dims, rng, normal):
    vmap = vmap_of(like_autodiff)
    x, y, traj = normal(3, 2, 6, 5), normal(3, 2, 7), trajectory(rng, 3, 7, 2)

    def check(f, data, exact):
        args = [
            a[0] if d is None else np.moveaxis(a, 0, d) for a, d in zip(data, dims, strict=True)
        ]
        got = vmap(f, dims)(*on(like_autodiff, *args))
        pairs = [
            [a[0 if d is None else i] for a, d in zip(data, dims, strict=True)] for i in range(3)
        ]
        assert error(got, np.stack([exact(*pair) for pair in pairs])) < 1e-12

    check(lambda x, k: nufft(x, k, 1e-12), (x, traj), exact_nufft)
    check(
        lambda y, k: nufft_adjoint(y, k, (6, 5), 1e-12),
        (y, traj),
        lambda y, k: exact_nufft_adjoint(y, k, (6, 5)),
    )


def test_vmap_over_images_of_a_batch_with_its_own_trajectories(like_autodiff, rng, normal):
    x, traj = normal(4, 2, 6, 5), trajectory(rng, 3, 7, 2)
    got = vmap_of(like_autodiff)(lambda x, k: nufft(x, k, 1e-12), (0, None))(
        *on(like_autodiff, x, traj)
    )
    assert error(got, exact_nufft(x[:, None], traj)) < 1e-12


def test_torch_vmap_of_a_gradient(rng, normal):
    torch = pytest.importorskip("torch")
    x, traj = on(torch.zeros(1), normal(3, 1, 6, 5), trajectory(rng, 3, 7, 2))

    def energy(x, traj):
        return nufft(x, traj, 1e-12).abs().square().sum()

    by_x, by_traj = torch.func.vmap(torch.func.grad(energy, (0, 1)))(x, traj)
    for i in range(3):
        one = torch.func.grad(energy, (0, 1))(x[i], traj[i])
        assert error(by_x[i], one[0].numpy()) < 1e-12
        assert error(by_traj[i], one[1].numpy()) < 1e-12


def test_jax_transformations(rng, normal):
    jax = pytest.importorskip("jax")
    jnp = jax.numpy
    x, y, traj = on(jnp.zeros(1), normal(2, 6, 5), normal(2, 7), trajectory(rng, 7, 2))

    def forward(x, traj):
        return nufft(x, traj, 1e-13)

    want = exact_nufft(np.asarray(x), np.asarray(traj))
    assert error(jax.jit(forward)(x, traj), want) < 1e-12
    (transposed,) = jax.linear_transpose(lambda x: forward(x, traj), x)(jnp.conj(y))
    back = exact_nufft_adjoint(np.asarray(y), np.asarray(traj), (6, 5))
    assert error(jnp.conj(transposed), back) < 1e-12
    both = jax.vmap(lambda y: jax.linear_transpose(lambda x: forward(x, traj), x)(y)[0])
    assert error(jnp.conj(both(jnp.conj(y[None]))[0]), back) < 1e-12


def test_jax_derivatives_are_those_of_the_exact_sum(rng, normal):
    jax = pytest.importorskip("jax")
    x, y, traj = on(jax.numpy.zeros(1), normal(2, 6, 5), normal(2, 7), trajectory(rng, 7, 2))

    def energy(transform):
        return lambda *args: (abs(transform(*args)) ** 2).sum()

    pairs = (
        (lambda x, k: nufft(x, k, 1e-13), exact_nufft, x),
        (
            lambda y, k: nufft_adjoint(y, k, (6, 5), 1e-13),
            lambda y, k: exact_nufft_adjoint(y, k, (6, 5)),
            y,
        ),
    )
    for fast, exact, data in pairs:
        got = jax.grad(energy(fast), (0, 1))(data, traj)
        want = jax.grad(energy(exact), (0, 1))(data, traj)
        assert error(got[0], np.asarray(want[0])) < 1e-11  # 1e-13 of two transforms, summed
        assert error(got[1], np.asarray(want[1])) < 1e-11


def test_trajectory_gradient_of_a_solve(like_autodiff, rng, normal):
    """Through the backward solve of `linear_solve`, against central differences."""
    like, h = like_autodiff, 1e-6
    traj, step, y = trajectory(rng, 30, 2), trajectory(rng, 30, 2), normal(1, 30)
    (y,) = on(like, y)

    def energy(traj):
        def matvec(x):
            return nufft_adjoint(nufft(x, traj, 1e-13), traj, (6, 5), 1e-13) / 60 + x

        def solve(matvec, b, x0):  # a contraction: the eigenvalues of M lie within 1 … 4
            def body(state):
                i, x = state
                return i + 1, x + (b - matvec(x)) / 2.5

            return while_loop(lambda s: s[0] < 60, body, (0, 0 * b))[1], ()

        x, _ = linear_solve(matvec, nufft_adjoint(y, traj, (6, 5), 1e-13), solve)
        return (abs(x) ** 2).sum()

    (traj_, step_) = on(like, traj, step)
    if type(like).__module__ == "torch":
        import torch

        leaf = traj_.requires_grad_()
        (grad,) = torch.autograd.grad(energy(leaf), leaf)
    else:
        import jax

        grad = jax.grad(energy)(traj_)
    ahead, behind = (energy(on(like, traj + s * h * step)[0]) for s in (1, -1))
    slope = float(ahead - behind) / (2 * h)  # error about h² and eps / h
    assert slope == pytest.approx(float((grad * step_).sum()), rel=1e-6)


# --- plans ----------------------------------------------------------------------------------------


def test_plans_are_reused_by_both_directions_and_equal_trajectories(rng, normal):
    cache.clear()
    traj, x = trajectory(rng, 200, 2), normal(2, 6, 5)
    nufft_adjoint(nufft(x, traj), traj.copy(), (6, 5))
    assert len(cache) == 1
    nufft(normal(3, 6, 5), traj)  # another number of arrays is another plan
    assert len(cache) == 2
    x = normal(2, 5, 6)  # and so is another shape
    assert error(nufft(x, traj), exact_nufft(x, traj)) < 1e-5
    assert len(cache) == 3


def test_a_trajectory_changed_in_place_is_seen(rng, normal):
    traj, x = trajectory(rng, 200, 2), normal(1, 6, 5)
    nufft(x, traj)
    for i in range(traj.size):  # values that the fingerprint takes, and others
        if i % 61 == 0:
            traj.reshape(-1)[i] += 0.1
            assert error(nufft(x, traj), exact_nufft(x, traj)) < 1e-5


def test_a_torch_trajectory_changed_behind_its_back_is_seen(rng, normal):
    torch = pytest.importorskip("torch")
    k = trajectory(rng, 200, 2)
    x, traj = on(torch.zeros(1), normal(1, 6, 5), k)
    nufft(x, traj)
    k[7] += 0.1  # the memory of `traj`, whose version counter does not notice
    assert error(nufft(x, traj), exact_nufft(x.numpy(), k)) < 1e-5


def test_the_caches_size_is_bounded():
    kept = Plans(limit=100)
    traj = np.zeros((1, 2))
    for i in range(10):
        kept.give(i, Plan(lambda *_: None, traj, 30))
    assert len(kept) == 3
    assert kept.take(9, traj) is not None
    assert kept.take(9, traj) is None  # while it runs
    assert kept.take(0, traj) is None
    kept.give("large", Plan(lambda *_: None, traj, 1000))
    assert len(kept) == 1


def test_threads_share_the_cache_but_no_plan(rng, normal):
    traj, x = trajectory(rng, 3000, 2), normal(8, 4, 24, 20)
    want, found = [nufft(a, traj) for a in x], {}

    def work(i):
        for _ in range(10):
            found[i] = nufft(x[i], traj)

    workers = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    for i in range(8):
        assert error(found[i], want[i]) < 1e-12  # the same plan or one like it: rounding


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_transforms_too(rng, normal):
    traj, x = trajectory(rng, 3000, 2), normal(4, 24, 20)
    want = nufft(x, traj)
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    child = context.Process(target=lambda: theirs.send(nufft(x, traj)), daemon=True)
    child.start()
    assert ours.poll(30), "the child waits for ever"
    assert error(ours.recv(), want) < 1e-12
    child.join()


# --- what is missing ------------------------------------------------------------------------------


@pytest.mark.parametrize(("library", "package"), [("numpy", "finufft"), ("jax", "jax_finufft")])
def test_a_missing_package_is_named_with_its_extra(library, package, rng, normal, monkeypatch):
    from libraries import example_array

    from reconic._kernels.nufft import xla

    like = example_array(library)
    original = builtins.__import__

    def without(name, *args, **kwargs):
        if name == package:
            raise ImportError(name)
        return original(name, *args, **kwargs)

    cache.clear()
    xla._jax_finufft.cache_clear()
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"pip install 'reconic\[nufft\]'"):
        nufft(*on(like, normal(1, 6, 5), trajectory(rng, 7, 2)))


def test_tensors_elsewhere_are_refused(rng, normal):
    torch = pytest.importorskip("torch")
    x, traj = on(torch.zeros(1), normal(1, 6, 5), trajectory(rng, 7, 2))
    with pytest.raises(TypeError, match="CPU or a CUDA device, got meta"):
        nufft(x.to("meta"), traj.to("meta"))


def test_a_gpu_tensor_without_cufinufft_is_told_what_to_install(rng, monkeypatch):
    torch = pytest.importorskip("torch")
    from reconic._kernels.nufft import cuda

    monkeypatch.setitem(__import__("sys").modules, "cufinufft", None)
    with pytest.raises(ImportError, match="pip install cufinufft; or move"):
        cuda._plan(torch.zeros(7, 2), (6, 5), 1, 1e-4, torch.complex64, False, 0, 0)
