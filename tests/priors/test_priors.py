"""Every public prior: library, precision, batch, and the proximal map against its definition.

A new prior needs one line in CASES.
"""

import numpy as np
import pytest

import reconic.priors
from reconic._array import from_numpy, is_jax_array, to_numpy
from reconic.priors import (
    L1,
    TV,
    CycleSpin,
    L2Ball,
    LocallyLowRank,
    NonNegative,
    Prior,
    Wavelet,
)

SHAPE = (5, 7, 6)  # (frames, ny, nx), or a volume
CASES = {
    "L1": L1(),
    "L1-3d": L1(3),
    "L2Ball": L2Ball(2.0),
    "L2Ball-3d": L2Ball(1.5, 0.3 - 0.1j, n_axes=3),
    "NonNegative": NonNegative(),
    "Wavelet-haar": Wavelet("haar", 2),
    "Wavelet-db4": Wavelet("db4", 1),
    "Wavelet-db2-3d": Wavelet("db2", 1, n_space=3),
    "TV": TV(500),
    "TV-3d": TV(500, n_space=3),
    "LocallyLowRank": LocallyLowRank(3),
    "LocallyLowRank-1d": LocallyLowRank(4, n_space=1),
    "CycleSpin": CycleSpin(Wavelet("haar", 1), 1),
}
PRIORS = pytest.mark.parametrize("prior", CASES.values(), ids=CASES)


def test_every_public_prior_has_a_case():
    public = {v for v in vars(reconic.priors).values() if isinstance(v, type)} - {Prior}
    assert public == {type(p) for p in CASES.values()}


@PRIORS
def test_prox_is_the_minimiser(prior, normal, rng):
    # h(z) = t g(z) + ½‖z - x‖² is strongly convex: only of its minimiser p is it true that
    # h(z) ≥ h(p) + ½‖z - p‖² for every z
    x, t = normal(*SHAPE), 0.7
    p = prior.prox(x, t)

    def h(z):
        g = prior(z)
        return t * np.sum(g[np.isfinite(g)]) + 0.5 * np.sum(np.abs(z - x) ** 2)

    assert np.all(np.isfinite(prior(p)))
    for size in (1e-4, 1e-3, 1e-2, 0.1, 1.0):
        for _ in range(40):
            z = p + size * normal(*SHAPE)
            if isinstance(prior, L2Ball | NonNegative):  # only points of the set compete
                z = prior.prox(z)
            gain = h(z) - h(p) - 0.5 * np.sum(np.abs(z - p) ** 2)
            # TV stops after 500 iterations, at a distance of about 1e-5 from its minimiser
            assert gain >= -(1e-5 if isinstance(prior, TV) else 1e-11)


@PRIORS
def test_same_on_every_library(prior, normal, like):
    x = normal(2, *SHAPE)
    prior = prior.replace(n_iter=10) if isinstance(prior, TV) else prior

    def both(p, z):
        return p(z), p.prox(z, 0.3)

    if is_jax_array(like):  # with the prior as an argument; without, each operation compiles
        import jax

        value, image = jax.jit(both)(prior.replace(), jax.numpy.asarray(x))  # made with JAX there
    else:
        value, image = both(prior, from_numpy(x, like))
    np.testing.assert_allclose(to_numpy(value), prior(x), rtol=1e-12)
    np.testing.assert_allclose(to_numpy(image), prior.prox(x, 0.3), atol=1e-12)


@PRIORS
@pytest.mark.parametrize("kind", [np.float32, np.float64, np.complex64, np.complex128])
def test_dtype_is_kept(prior, normal, kind):
    x = normal(*SHAPE)
    x = x.astype(kind) if np.dtype(kind).kind == "c" else x.real.astype(kind)
    prior = prior.replace(n_iter=3) if isinstance(prior, TV) else prior
    prior = prior.replace(center=0.3) if isinstance(prior, L2Ball) else prior
    assert prior.prox(x, 0.3).dtype == kind
    assert prior(x).dtype == np.zeros(1, kind).real.dtype


@PRIORS
def test_images_of_a_batch_are_treated_on_their_own(prior, normal):
    x = normal(3, *SHAPE)
    steps = np.array([0.1, 0.5, 2.0])
    together = prior.prox(x, steps[:, None, None, None])
    for i in range(3):
        np.testing.assert_allclose(together[i], prior.prox(x[i], steps[i]), atol=1e-12)
        np.testing.assert_allclose(prior(x)[i], prior(x[i]), rtol=1e-12)


@PRIORS
def test_prox_is_non_expansive_and_keeps_at_step_zero(prior, normal):
    x, z = normal(*SHAPE), normal(*SHAPE)
    distance = np.linalg.norm(prior.prox(x, 0.4) - prior.prox(z, 0.4))
    assert distance <= np.linalg.norm(x - z) * (1 + 1e-12)
    if not isinstance(prior, L2Ball | NonNegative):
        np.testing.assert_allclose(prior.prox(x, 0.0), x, atol=1e-13)


@PRIORS
def test_values_and_steps_have_gradients(prior, normal):
    torch = pytest.importorskip("torch")
    x = torch.tensor(normal(*SHAPE), requires_grad=True)
    step = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    prior = prior.replace(n_iter=5) if isinstance(prior, TV) else prior
    if isinstance(prior, LocallyLowRank):  # differentiable at patches of full rank only
        prior, x = LocallyLowRank(3), torch.tensor(normal(3, 6, 6), requires_grad=True)
    else:
        with torch.no_grad():
            x[0, :3] = 0  # where square roots have no slope

    def f(z, t):
        return torch.view_as_real(prior.prox(z, t)).square().sum()

    slope, slope_t = torch.autograd.grad(f(x, step), (x, step), allow_unused=True)
    assert torch.isfinite(torch.view_as_real(slope)).all()
    direction = torch.tensor(normal(*x.shape))
    h = 1e-6
    with torch.no_grad():
        want = (f(x + h * direction, step) - f(x - h * direction, step)) / (2 * h)
    got = (slope.conj() * direction).sum().real
    torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-5)  # h² of a third derivative
    if slope_t is not None:
        with torch.no_grad():
            want = (f(x, step + h) - f(x, step - h)) / (2 * h)
        torch.testing.assert_close(slope_t, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: L1()([1.0]), TypeError, r"L1\(x\): `x` must be an array, got list"),
        (lambda: L1()(np.ones((2, 2), int)), TypeError, r"must be floating, got int64"),
        (lambda: TV().prox(np.ones(3)), ValueError, r"TV\(x\): `x` must have 2 axes .*\(3,\)"),
        (lambda: TV(0), ValueError, r"TV: `n_iter` must be at least 1, got 0"),
        (lambda: Wavelet("db9"), ValueError, r"`wavelet` must be one of haar, .*, got 'db9'"),
        (lambda: Wavelet(n_levels=0), ValueError, r"`n_levels` must be at least 1, got 0"),
        (lambda: LocallyLowRank(0), ValueError, r"`block` must be at least 1, got 0"),
        (lambda: CycleSpin(L1(), 0), ValueError, r"`n_shifts` must be at least 1, got 0"),
        (lambda: Prior()(np.ones(2)), TypeError, r"Prior: `n_core` must be written"),
    ],
)
def test_messages(call, error, message):
    with pytest.raises(error, match=message):
        call()
