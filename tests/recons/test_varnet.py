import numpy as np
import pytest
import torch

from reconic.calibrate import ramp
from reconic.networks import CNN
from reconic.operator import Identity
from reconic.recons import SensitivityNetwork, VarNet
from reconic.simulate import radial
from reconic.systems import CartesianMRI, NonCartesianMRI


class Half(torch.nn.Module):
    """A network whose result is known: G(x) = -x / 2."""

    def forward(self, x):
        return 0.5 * x


def centred(matrix_free, n_space=2):
    axes = tuple(range(-n_space, 0))
    shifted = np.fft.ifftshift(matrix_free, axes=axes)
    return np.fft.fftshift(np.fft.fftn(shifted, axes=axes, norm="ortho"), axes=axes)


def inverse(k, axes=(-2, -1)):
    shifted = np.fft.ifftshift(k, axes=axes)
    return np.fft.fftshift(np.fft.ifftn(shifted, axes=axes, norm="ortho"), axes=axes)


@pytest.fixture
def maps(normal):
    maps = normal(1, 4, 8, 6)
    return maps / np.sqrt(np.sum(np.abs(maps) ** 2, axis=1, keepdims=True))


@pytest.fixture
def mask(rng):
    return (rng.random((1, 8, 6)) > 0.5) * 1.0


@pytest.fixture
def A(maps, mask):
    return CartesianMRI(torch.tensor(maps), torch.tensor(mask))


@pytest.fixture
def y(A, normal):
    return A(torch.tensor(normal(1, 8, 6)))


def test_kspace_cascades_are_the_published_recursion(A, y, maps, mask):
    varnet = VarNet(Half(), n_cascades=3, step_size=0.7).double()
    k, y0 = y.numpy(), y.numpy()
    for _ in range(3):
        x = np.sum(maps.conj() * inverse(k), axis=1)
        refined = centred(maps * (-0.5 * x)[:, None])
        k = k - 0.7 * mask[:, None] * (k - y0) + refined
    want = np.sum(maps.conj() * inverse(k), axis=1)
    np.testing.assert_allclose(varnet(y, A).detach(), want, atol=1e-10)


def test_image_cascades_are_the_published_recursion(A, y):
    varnet = VarNet(Half(), n_cascades=3, step_size=0.7, domain="image").double()
    x = A.H(y)
    for _ in range(3):
        x = x - 0.7 * (A.N(x) - A.H(y)) - 0.5 * x
    torch.testing.assert_close(varnet(y, A), x)


def test_maps_of_any_power(A, y):
    """k-space fixes y, so maps k times as large make an image k times as small."""
    varnet = VarNet(CNN(width=4, n_layers=2, bias=False, zero_init=False), 2).double()
    x = varnet(y, A)
    torch.testing.assert_close(varnet(y, A.replace(maps=3 * A.maps)), x / 3)


def test_full_k_space_stays_as_it_is(A, normal):
    """Without refinement and with everything measured, the image is the one measured."""
    x = torch.tensor(normal(1, 8, 6))
    full = A.replace(mask=torch.ones_like(A.mask))
    varnet = VarNet(CNN(width=4, n_layers=2), n_cascades=2).double()  # starts as the identity
    torch.testing.assert_close(varnet(full(x), full), x)


def test_cascades_have_weights_of_their_own():
    network = CNN(width=4, n_layers=2)

    def count(module):
        return sum(p.numel() for p in module.parameters())

    assert count(VarNet(network, 3)) == 3 * (count(network) + 1)
    assert count(VarNet(network, 3, shared=True)) == count(network) + 1


def test_weights_of_all_cascades_learn_differently(A, y):
    varnet = VarNet(CNN(width=4, n_layers=2, zero_init=False), 3).double()
    varnet(y, A).abs().sum().backward()
    slopes = [c.network.layers[-1].weight.grad for c in varnet.cascades]
    assert all(s.abs().max() > 0 for s in slopes)
    assert not torch.allclose(slopes[0], slopes[1])
    assert set(varnet.report) >= {"step_size", "step_size/0", "step_size/2"}


# --- the sensitivity network ----------------------------------------------------------------------


def smooth_coils(n_coils=4, shape=(32, 28)):
    rows, columns = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    maps = np.stack(
        [
            np.exp(1j * c + (0.7 - 0.4j) * (np.cos(1.5 * c) * rows + np.sin(1.5 * c) * columns))
            for c in range(n_coils)
        ]
    )
    maps = maps / np.sqrt(np.sum(np.abs(maps) ** 2, axis=0))
    image = (rows**2 + columns**2 < 0.8) * np.exp(0.3j * rows)
    return maps, image


def test_maps_from_the_centre_are_near_the_true_ones(rng):
    maps, image = smooth_coils()
    y = torch.tensor(centred(maps * image))[None]
    mask = torch.tensor((rng.random((1, 32, 28)) < 0.3) * 1.0)
    mask[:, 8:24, 6:22] = 1
    given = CartesianMRI(torch.zeros(1, 4, 32, 28, dtype=torch.complex128), mask)
    network = SensitivityNetwork(CNN(width=4, n_layers=2), n_calib=16).double()  # the identity
    found = network(mask[:, None] * y, given).maps[0].detach().numpy()
    np.testing.assert_allclose(np.sum(np.abs(found) ** 2, axis=0), 1, rtol=1e-12)
    phase = np.exp(1j * np.angle(np.sum(maps.conj() * found, axis=0)))  # the image's
    inside = np.abs(image) > 0
    error = np.linalg.norm((found - phase * maps)[:, inside]) / np.linalg.norm(maps[:, inside])
    assert error < 0.05  # the low-resolution image varies slowly, but not only by its maps


@pytest.mark.parametrize("n_frames", [None, 2])
def test_maps_from_the_centre_of_spokes_are_near_the_true_ones(n_frames):
    maps, image = smooth_coils()
    traj = torch.tensor(radial(45, 64, n_frames))[None]
    frames = () if n_frames is None else (1,)
    true = torch.tensor(maps).reshape(1, 4, *frames, 32, 28)
    A = NonCartesianMRI(
        true, traj, ramp(traj, (32, 28)), n_frame_axes=len(frames), n_sample_axes=2, tol=1e-9
    )
    y = A(torch.tensor(image).expand(1, *A.in_shape))
    network = SensitivityNetwork(CNN(width=4, n_layers=2), n_calib=16).double()  # the identity
    system = network(y, A.replace(maps=torch.zeros_like(A.maps)))
    assert system.in_shape == A.in_shape
    found = system.maps.reshape(4, 32, 28).detach().numpy()
    np.testing.assert_allclose(np.sum(np.abs(found) ** 2, axis=0), 1, rtol=1e-12)
    phase = np.exp(1j * np.angle(np.sum(maps.conj() * found, axis=0)))  # the image's
    inside = np.abs(image) > 0
    error = np.linalg.norm((found - phase * maps)[:, inside]) / np.linalg.norm(maps[:, inside])
    assert error < 0.05  # as on a grid


def test_end_to_end_looks_at_no_maps_and_finds_the_magnitude(rng):
    maps, image = smooth_coils()
    y = torch.tensor(centred(maps * image))[None]
    mask = torch.ones(1, 32, 28, dtype=torch.float64)
    sensitivity = SensitivityNetwork(CNN(width=4, n_layers=2))
    varnet = VarNet(CNN(width=4, n_layers=2), 2, sensitivity=sensitivity).double()
    x = varnet(y, CartesianMRI(torch.zeros_like(y), mask)).detach()
    assert torch.equal(x, varnet(y, CartesianMRI(y + 1, mask)))
    np.testing.assert_allclose(x[0].abs(), np.abs(image), atol=0.02)


def test_missing_coils_have_no_maps_and_no_effect(normal):
    y = torch.tensor(normal(1, 3, 8, 6))
    mask = torch.ones(8, 6, dtype=torch.float64)
    network = SensitivityNetwork(CNN(width=4, n_layers=2, zero_init=False), n_calib=4).double()
    maps = network(y, CartesianMRI(torch.zeros_like(y), mask)).maps
    padded = torch.cat([y, 0 * y], 1)
    more = network(padded, CartesianMRI(torch.zeros_like(padded), mask)).maps
    torch.testing.assert_close(more[:, :3], maps)
    assert not more[:, 3:].any()


@pytest.mark.parametrize("mask_frames", [1, 4])
def test_frames_share_maps_from_all_their_samples(normal, rng, mask_frames):
    maps, _ = smooth_coils()
    y = torch.tensor(centred(maps * smooth_coils()[1]))[None, :, None].expand(1, 4, 4, 32, 28)
    frame = torch.arange(4)[:, None, None]
    rows = torch.arange(32)[:, None]
    mask = ((rows % 4 == frame) | (rows < 16)).expand(4, 32, 28).double()  # half is interleaved
    mask = mask if mask_frames == 4 else torch.ones(1, 32, 28, dtype=torch.float64)
    A = CartesianMRI(torch.zeros(1, 4, 4, 32, 28, dtype=torch.complex128), mask, 2, 1)
    network = SensitivityNetwork(CNN(width=4, n_layers=2)).double()
    found = network(mask * y, A)
    assert found.in_shape == A.in_shape
    full = CartesianMRI(torch.zeros(1, 4, 32, 28, dtype=torch.complex128), torch.ones(32, 28) * 1.0)
    want = network(y[:, :, 0], full).maps  # together the frames measure all of k-space
    torch.testing.assert_close(found.maps[:, :, 0], want)


def test_gradients_reach_both_networks(A, y):
    sensitivity = SensitivityNetwork(CNN(width=4, n_layers=2, zero_init=False), n_calib=4)
    varnet = VarNet(CNN(width=4, n_layers=2, zero_init=False), 2, sensitivity=sensitivity).double()
    varnet(y, A).abs().square().sum().backward()
    idle = {n for n, p in varnet.named_parameters() if p.grad is None or not p.grad.any()}
    assert idle == {"cascades.0.step_size.theta"}  # k = y explains the data: no slope yet


def test_zero_data_gives_finite_images_and_gradients(A, y):
    sensitivity = SensitivityNetwork(CNN(width=4, n_layers=2, zero_init=False), n_calib=4)
    varnet = VarNet(CNN(width=4, n_layers=2, zero_init=False), 2, sensitivity=sensitivity).double()
    x = varnet(0 * y, A)
    x.abs().sum().backward()
    assert torch.isfinite(torch.view_as_real(x)).all()
    assert all(torch.isfinite(p.grad).all() for p in varnet.parameters() if p.grad is not None)


def test_messages(A, y):
    network = CNN(width=4, n_layers=2).double()
    with pytest.raises(ValueError, match=r"`n_cascades` must be at least 1, got 0"):
        VarNet(network, 0)
    with pytest.raises(ValueError, match=r"`domain` must be one of .* got 'wavelet'"):
        VarNet(network, domain="wavelet")
    with pytest.raises(TypeError, match=r"CartesianMRI to refine in k-space, got Identity"):
        VarNet(network).double()(y[:, 0], Identity((8, 6)))
    with pytest.raises(ValueError, match=r"`n_calib` must be at least 1, got 0"):
        SensitivityNetwork(network, 0)
    with pytest.raises(TypeError, match=r"must be CartesianMRI or NonCartesianMRI, got Identity"):
        SensitivityNetwork(network)(y[:, 0], Identity((8, 6)))
    two = CartesianMRI(torch.zeros(1, 2, 4, 8, 6, dtype=torch.complex128), A.mask, sets=True)
    with pytest.raises(ValueError, match=r"must have one set of maps, got sets=True"):
        SensitivityNetwork(network)(y, two)
