"""SSDU: what the recon sees, what it is judged by, and by how much."""

import pytest
import torch

from reconic.recons.splitting import mixed_misfit
from reconic.train import SSDU


def test_predicts_the_samples_that_the_recon_has_not_seen(spy, batch):
    _, y, A = batch
    step = SSDU(0.3).step(spy, None, y, A)
    ((given, part),) = spy.calls
    kept = part.mask[:, None]
    held = A.mask[:, None] - kept
    assert set(kept.unique().tolist()) == {0, 1}
    assert held.sum() > 0
    assert torch.equal(given, kept * y)
    expected = mixed_misfit(step.x_hat, held * y, A.masked(held)).mean()
    torch.testing.assert_close(step.loss, expected)


def test_gradient_reaches_the_recon(spy, batch):
    _, y, A = batch
    SSDU(0.3).step(spy, None, y, A).loss.backward()
    assert torch.isfinite(spy.gain.grad)
    assert spy.gain.grad != 0


def test_several_splits_are_averaged(spy, batch):
    _, y, A = batch
    torch.manual_seed(3)
    one = [SSDU(0.3).step(spy, None, y, A).loss.detach() for _ in range(3)]
    torch.manual_seed(3)
    several = SSDU(0.3, n_splits=3).step(spy, None, y, A).loss
    torch.testing.assert_close(several.detach(), torch.stack(one).mean())
    assert len({float(v) for v in one}) == 3


@pytest.mark.parametrize(("fraction", "n_splits"), [(0, 1), (1, 1), (0.1, 0)])
def test_refuses_splits_without_a_part(fraction, n_splits):
    with pytest.raises(ValueError, match="SSDU: `fraction` must be between 0 and 1"):
        SSDU(fraction, n_splits)
