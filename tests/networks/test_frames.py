import pytest
import torch

from reconic.networks import CNN, PerFrame


@pytest.mark.parametrize(("lead", "frames"), [((2,), (3,)), ((2, 2), (3,)), ((1,), (2, 3))])
def test_each_frame_is_seen_alone(lead, frames):
    torch.manual_seed(0)
    n_sets = lead[1] if len(lead) == 2 else 1
    network = CNN(channels=n_sets, width=4, n_layers=2, zero_init=False)
    x = torch.randn(*lead, *frames, 6, 5, dtype=torch.complex64)
    found = PerFrame(network, n_frame_axes=len(frames))(x)
    assert found.shape == x.shape
    n = len(lead)
    flat, result = x.flatten(n, -3), found.flatten(n, -3)
    for i in range(flat.shape[n]):
        one = network(flat.select(n, i))
        # one image or many: the sums of a convolution may be ordered differently
        torch.testing.assert_close(result.select(n, i), one, rtol=1e-5, atol=1e-6)


def test_three_dimensions():
    network = CNN(width=4, n_layers=2, n_space=3)
    x = torch.randn(1, 2, 3, 4, 5, dtype=torch.complex64)
    torch.testing.assert_close(PerFrame(network, n_space=3)(x), x)


def test_messages():
    with pytest.raises(ValueError, match=r"`n_frame_axes` must be at least 1, got 0"):
        PerFrame(CNN(), n_frame_axes=0)
    with pytest.raises(ValueError, match=r"axes for batch, 1 frames and 2 space, got shape \(2, 4"):
        PerFrame(CNN())(torch.zeros(2, 4, 4, dtype=torch.complex64))
