import numpy as np
import pytest
import torch

from reconic.networks import CNN
from reconic.recons import MoDL, PlugAndPlay, ZeroFilled
from reconic.recons.base import typical_magnitude
from reconic.systems import CartesianMRI
from reconic.train import ComplexL2, Denoising


@pytest.fixture
def batch(rng, normal):
    A = CartesianMRI.example(rng, np.zeros(1), shape=(64, 48)).map(torch.tensor)
    x = 100 * torch.tensor(normal(3, 64, 48))
    return x, A(x), A


class Seen(torch.nn.Module):
    """Keeps what it is given, and gives a fraction of it."""

    def __init__(self, factor=1.0):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        self.input = x
        return self.factor * x


def test_the_identity_leaves_all_noise(batch):
    x, y, A = batch
    network = Seen()
    torch.manual_seed(0)
    step = Denoising(0.1, 0.1).step(PlugAndPlay(network), x, y, A)
    # one: E|n|² = σ²; 9216 complex numbers vary by 1/√9216 = 0.01
    assert step.loss.item() == pytest.approx(1, abs=0.05)
    scale = typical_magnitude(A.H(y), 2)[:, None, None]
    noise = network.input - x / scale
    assert noise.abs().square().mean().sqrt().item() == pytest.approx(0.1, rel=0.03)
    torch.testing.assert_close(step.x_hat, network.input * scale)


def test_loss_is_the_noise_that_is_left_over_the_noise(batch):
    x, y, A = batch
    network = Seen(0.7)
    torch.manual_seed(3)
    loss = Denoising(0.05, 0.05).step(PlugAndPlay(network), x, y, A).loss
    clean = x / typical_magnitude(A.H(y), 2)[:, None, None]
    left = (0.7 * network.input - clean).abs().square().sum()
    torch.testing.assert_close(loss, left / (0.05**2 * x.numel()))


def test_levels_span_the_range(batch):
    x, y, A = batch
    network, loss = Seen(), Denoising(0.01, 1.0)
    torch.manual_seed(0)
    levels = []
    for _ in range(40):
        loss.step(PlugAndPlay(network), x, y, A)
        clean = x / typical_magnitude(A.H(y), 2)[:, None, None]
        levels += (network.input - clean).abs().square().mean((1, 2)).sqrt().log10().tolist()
    # uniform in the exponent over two decades: mean -1, standard deviation 2/√12; 120 draws
    assert np.mean(levels) == pytest.approx(-1, abs=0.2)
    assert np.std(levels) == pytest.approx(2 / np.sqrt(12), abs=0.1)


def test_only_the_denoiser_runs_and_learns(batch):
    x, y, A = batch
    recon = MoDL(CNN(width=4, n_layers=2, zero_init=False)).double()
    Denoising().step(recon, x, y, A).loss.backward()
    assert {n for n, p in recon.named_parameters() if p.grad is not None} == {
        n for n, _ in recon.named_parameters() if n.startswith("denoise.network")
    }


def test_validation_judges_the_recon(batch):
    x, y, A = batch
    x_hat = ZeroFilled()(y, A)
    torch.testing.assert_close(Denoising()(x_hat, x, y, A), ComplexL2()(x_hat, x, y, A))


def test_draws_are_torchs(batch):
    x, y, A = batch
    found = []
    for _ in range(2):
        torch.manual_seed(7)
        found.append(Denoising().step(PlugAndPlay(Seen()), x, y, A).x_hat)
    torch.testing.assert_close(*found, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x, y, A: Denoising(0.0), r"`sigma_min` must be positive .* got 0.0 and 0.2"),
        (lambda x, y, A: Denoising(0.3, 0.2), r"got 0.3 and 0.2"),
        (lambda x, y, A: Denoising().step(ZeroFilled(), x, y, A), r"got 0 in ZeroFilled"),
        (lambda x, y, A: Denoising().step(PlugAndPlay(Seen()), None, y, A), "must have true image"),
    ],
)
def test_messages(batch, call, message):
    with pytest.raises(ValueError, match=message):
        call(*batch)
