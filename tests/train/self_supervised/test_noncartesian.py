"""Self-supervision on spokes: what is held out, weighted noise, and every loss on radial data."""

import pytest
import torch
from tiny import tiny_arrays

from reconic.calibrate import ramp
from reconic.networks import CNN
from reconic.recons import MoDL, ZeroFilled
from reconic.recons.noise import noise_level
from reconic.recons.splitting import mixed_misfit, restrict, split
from reconic.simulate import radial
from reconic.systems import NonCartesianMRI
from reconic.train import SSDU, SURE, EquivariantImaging, Noise2Noise

SHAPE = (24, 20)
SIGMA = 0.05


@pytest.fixture
def scan():
    """True images, weighted measurements (batch, coil, spoke, readout), and their system."""
    arrays = {k: torch.from_numpy(v) for k, v in tiny_arrays(2, shape=SHAPE).items()}
    traj = torch.from_numpy(radial(13, 48)).float()
    A = NonCartesianMRI(arrays["maps"], traj, ramp(traj, SHAPE), n_sample_axes=2)
    torch.manual_seed(0)
    acquired = A.replace(dcf=None)(arrays["imgs"])
    y = A.weigh(acquired + SIGMA * torch.randn_like(acquired))
    return arrays["imgs"], y, A


def near_centre(A, n_calib):
    """Whether |k|, in steps of the Cartesian grid, is within half of n_calib, (spoke, readout)."""
    steps = A.traj * torch.tensor(SHAPE) / (2 * torch.pi)
    return steps.norm(dim=-1) <= n_calib / 2


@pytest.mark.parametrize("n_whole", [0, 1])
def test_the_centre_by_radius_is_kept_and_the_rest_is_drawn(scan, n_whole):
    _, y, A = scan
    kept, held = split(y, A, 0.4, 6, n_whole=n_whole)
    inside = near_centre(A, 6)
    assert kept.shape == held.shape == (2, 1, 13, 48)  # coils share a split
    assert torch.equal(kept + held, torch.ones_like(kept))
    assert not held[..., inside].any()
    assert held[..., ~inside].mean() == pytest.approx(0.4, abs=0.25)  # 26 spokes: σ = 0.1
    spokes = [set(h[~i].tolist()) for h, i in zip(held[0, 0], inside, strict=True)]
    assert all(len(s) == (1 if n_whole else 2) for s in spokes)
    assert not torch.equal(held[0], held[1])


def test_a_restricted_system_stays_one_that_knows_its_normal_operator(scan):
    x, y, A = scan
    kept, held = split(y, A, 0.4, 6, n_whole=1)
    part = restrict(y, A, kept)
    assert isinstance(part.A, NonCartesianMRI)
    torch.testing.assert_close(part.A(x), kept * A(x))
    torch.testing.assert_close(part.A(x) + restrict(y, A, held).A(x), A(x))
    # the transforms' tolerance of 1e-5
    torch.testing.assert_close(part.A.normal(x), part.A.adjoint(part.A(x)), rtol=1e-4, atol=1e-4)


def test_ssdu_judges_the_spokes_that_the_recon_has_not_seen(spy, scan):
    _, y, A = scan
    step = SSDU(0.3, n_whole=1).step(spy, None, y, A)
    ((given, part),) = spy.calls
    left_out = part.sampling(y) == 0
    assert left_out.any()
    assert not given[left_out.expand(y.shape)].any()
    expected = mixed_misfit(step.x_hat, *restrict(y, A, left_out.float())).mean()
    torch.testing.assert_close(step.loss, expected)


def test_noise_is_estimated_from_the_ends_of_the_spokes_whatever_their_weights(scan):
    x, y, A = scan
    low = torch.fft.fftn(x, dim=(1, 2))
    low[:, 3:-2] = low[:, :, 3:-2] = 0  # an image that is smooth, as real ones nearly are
    acquired = A.replace(dcf=None)(torch.fft.ifftn(low, dim=(1, 2)))
    noisy = A.weigh(acquired + 0.5 * torch.randn_like(acquired))
    # the median of some 500 numbers scatters by 5 %; what signal there is adds to it
    torch.testing.assert_close(noise_level(noisy, A, None), torch.full((2,), 0.5), rtol=0.2, atol=0)
    assert noise_level(y, A, 0.3).tolist() == pytest.approx([0.3, 0.3])


def test_mean_of_sure_is_the_true_error_of_weighted_samples(scan):
    x, _, A = scan
    A, n, sigma = A.map(lambda a: a[:1] if a.ndim == 4 else a), 100, 0.3
    clean = A(x[:1])
    torch.manual_seed(0)
    y = clean + sigma * A.weigh(torch.randn(n, *clean.shape[1:], dtype=clean.dtype))
    x_hat = ZeroFilled()(y, A)
    power = y.abs().square().flatten(1).sum(1)
    truth = ((A(x_hat) - clean).abs().square().flatten(1).sum(1) / power).mean()
    misfit = ((A(x_hat) - y).abs().square().flatten(1).sum(1) / power).mean()
    found = SURE(sigma=sigma).step(ZeroFilled(), None, y, A).loss
    # scatter of the mean over 100 draws of 2500 samples
    torch.testing.assert_close(found, truth, rtol=0, atol=float(0.02 * misfit))
    assert abs(misfit - truth) > 0.1 * misfit  # without its correction it would be far off


@pytest.mark.parametrize("alpha", [0.5, 2.0])
def test_noise2noise_adds_noise_of_the_weights_of_the_samples(scan, alpha):
    _, y, A = scan
    loss = Noise2Noise(alpha=alpha, fraction=0, sigma=2.0)
    torch.manual_seed(1)
    first, second = (part.y for part in loss.recorrupted(y, A))
    added = (first - y) / (alpha * A.sampling(y))
    assert added.abs().square().mean().sqrt() == pytest.approx(2.0, rel=0.05)  # 5000 samples
    torch.testing.assert_close((y - second) * alpha**2, first - y, rtol=1e-4, atol=1e-4)


LOSSES = {
    "SSDU": lambda: SSDU(0.3),
    "SSDU by spokes": lambda: SSDU(0.3, n_whole=1),
    "Noise2Noise": lambda: Noise2Noise(),
    "SURE": lambda: SURE(),
    "equivariant": lambda: EquivariantImaging(SSDU(0.3), transforms=["flip"]),
}


@pytest.mark.parametrize("kind", LOSSES)
def test_every_loss_trains_an_unrolled_recon(scan, kind):
    _, y, A = scan
    torch.manual_seed(0)
    recon = MoDL(CNN(width=4, n_layers=2), n_unrolls=1, start="cgsense")
    LOSSES[kind]().step(recon, None, y, A).loss.backward()
    slopes = [p.grad for p in recon.parameters()]
    assert all(g is not None and g.isfinite().all() for g in slopes)
    assert any(g.any() for g in slopes)


def test_counting_samples_on_a_grid_is_refused(scan):
    _, y, A = scan
    with pytest.raises(ValueError, match=r"SURE: `window` must be 0 for NonCartesianMRI, got 5"):
        SURE(window=5).step(ZeroFilled(), None, y, A)
