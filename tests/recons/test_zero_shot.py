"""Zero-shot learning of one scan: what it learns from, when it stops, and that it helps."""

import pytest
import torch
from tiny import one_thread as one_thread
from tiny import tiny_arrays

from reconic.metrics import nrmse
from reconic.networks import CNN
from reconic.recons import CGSense, MoDL, ZeroShot
from reconic.recons.splitting import mixed_misfit
from reconic.systems import CartesianMRI


@pytest.fixture
def scan():
    arrays = {k: torch.from_numpy(v) for k, v in tiny_arrays(1, seed=3).items()}
    A = CartesianMRI(arrays["maps"], arrays["masks"])
    torch.manual_seed(0)
    noise = 0.05 * torch.randn_like(arrays["ksp"]) * A.mask[:, None]
    return arrays["imgs"], arrays["ksp"] + noise, A


def learned(seed=0, **options):
    torch.manual_seed(seed)
    network = CNN(width=8, n_layers=2)
    return ZeroShot(MoDL(network, n_unrolls=2, cg_iter=3), **{"n_steps": 20, **options})


def test_beats_cg_sense_at_its_best(scan):
    x, y, A = scan
    best = min(float(nrmse(CGSense(lam)(y, A).detach(), x)) for lam in (0.01, 0.03, 0.1, 0.3))
    recon = learned(n_steps=60, lr=3e-3)
    with torch.no_grad():
        x_hat = recon(y, A)
    assert float(nrmse(x_hat, x)) < 0.95 * best
    assert recon.report["n_steps"] > 0


def test_leaves_its_own_recon_and_the_global_randomness_alone(scan):
    _, y, A = scan
    recon = learned(n_steps=4)
    before = [p.clone() for p in recon.parameters()]
    torch.manual_seed(1)
    first = recon(y, A)
    after = torch.rand(())
    torch.manual_seed(1)
    assert torch.equal(after, torch.rand(()))
    assert all(torch.equal(a, b) for a, b in zip(before, recon.parameters(), strict=True))
    assert torch.equal(recon(y, A), first)  # nothing of a scan is left for the next


def test_learns_where_gradients_are_off(scan):
    _, y, A = scan
    recon = learned(n_steps=4)
    wanted = recon(y, A).detach()
    with torch.inference_mode():
        found = recon(y.clone(), A.map(torch.clone))
    torch.testing.assert_close(found.clone(), wanted)


def test_judge_is_never_learned_from(scan, monkeypatch):
    """The samples of the judge are the same at each look, and in no step."""
    import reconic.recons.zero_shot as module

    given, looked = [], []

    def spy(x_hat, y, A):
        (given if x_hat.requires_grad else looked).append(y.abs() > 0)
        return mixed_misfit(x_hat, y, A)

    monkeypatch.setattr(module, "mixed_misfit", spy)
    recon = learned(n_steps=6, every=3, n_splits=2)
    recon(scan[1], scan[2])
    assert len(given) == 6
    assert len(looked) == 3
    assert all(torch.equal(look, looked[0]) for look in looked)
    assert not any((step & looked[0]).any() for step in given)
    assert torch.equal(given[0], given[2])  # two splits in turn
    assert not torch.equal(given[0], given[1])


def test_stops_when_the_judge_is_not_pleased(scan):
    _, y, A = scan
    recon = learned(n_steps=50, lr=10.0, every=1, patience=2)  # steps far too large
    start = learned(n_steps=50).recon
    x_hat = recon(y, A)
    assert recon.report["n_steps"] <= 2
    assert torch.isfinite(x_hat.abs()).all()
    if recon.report["n_steps"] == 0:
        torch.testing.assert_close(x_hat, start(y, A))


def test_refuses_parts_of_nothing():
    with pytest.raises(ValueError, match="ZeroShot: `fraction` and `holdout` must be between"):
        learned(holdout=0.0)
