"""What every network promises: shapes, precision, channel order, start, gradients, errors."""

import jsonargparse
import numpy as np
import pytest
import torch

from reconic.networks import CNN, Network, ResNet, ResNet5Block, UNet

SMALL = {
    "CNN": lambda **options: CNN(width=6, n_layers=3, **options),
    "ResNet": lambda **options: ResNet(width=6, n_blocks=2, **options),
    "ResNet5Block": lambda **options: ResNet5Block(width=6, kernel=3, **options),
    "UNet": lambda **options: UNet(width=4, n_levels=3, **options),
}
SPACES = {
    "even": (12, 10),
    "odd": (13, 9),
    "tiny": (1, 2),
    "3d-even": (4, 6, 8),
    "3d-odd": (5, 1, 7),
}


def image(*shape, dtype=torch.complex64, seed=0):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).to(dtype)


@pytest.mark.parametrize("make", SMALL.values(), ids=SMALL)
@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
@pytest.mark.parametrize("lead", [(2,), (2, 1), (2, 3), (1, 2, 2)], ids=str)
@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128], ids=str)
def test_keeps_shape_dtype_and_input(make, space, lead, dtype):
    network = make(channels=int(np.prod(lead[1:])), n_space=len(space), zero_init=False)
    x = image(*lead, *space, dtype=dtype)
    before = x.clone()
    result = network.to(dtype.to_real())(x)
    assert result.shape == x.shape
    assert result.dtype == dtype
    assert torch.isfinite(torch.view_as_real(result)).all()
    assert torch.equal(x, before)


@pytest.mark.parametrize("make", SMALL.values(), ids=SMALL)
@pytest.mark.parametrize("n_space", [2, 3])
def test_starts_as_the_identity(make, n_space):
    x = image(2, 3, *(7, 6, 5)[:n_space])
    assert torch.equal(make(channels=3, n_space=n_space)(x), x)
    assert not torch.equal(make(channels=3, n_space=n_space, zero_init=False)(x), x)


@pytest.mark.parametrize("make", [SMALL["CNN"], SMALL["UNet"]], ids=["CNN", "UNet"])
def test_without_residual_the_start_is_zero(make):
    assert not make(residual=False)(image(1, 8, 8)).any()


OPTIONS = [
    ("CNN", {}),
    ("CNN", {"bias": False}),
    ("ResNet", {}),
    ("ResNet", {"batch_norm": True}),
    ("ResNet5Block", {}),
    ("ResNet5Block", {"batch_norm": True}),
    ("UNet", {}),
    *[("UNet", {"norm": norm}) for norm in ("batch", "group", "instance")],
]


@pytest.mark.parametrize(("name", "options"), OPTIONS, ids=str)
@pytest.mark.parametrize("n_space", [2, 3])
def test_gradient_reaches_every_parameter_and_the_input(name, options, n_space):
    network = SMALL[name](channels=2, n_space=n_space, zero_init=False, **options)
    x = image(2, 2, *(9, 8, 10)[:n_space]).requires_grad_()
    weights = image(*x.shape, seed=1)
    (network(x) * weights).real.sum().backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.abs().max() > 0, key
    assert x.grad is not None
    assert (x.grad != 0).any()


@pytest.mark.parametrize("make", SMALL.values(), ids=SMALL)
def test_zero_start_trains_the_last_layer_and_then_all(make):
    network, x = make(), image(2, 12, 12)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    trained = []
    for _ in range(2):
        optimizer.zero_grad()
        (network(x) - 0.5 * x).abs().square().mean().backward()
        optimizer.step()
        trained.append({key for key, p in network.named_parameters() if p.grad.any()})
    last = {key for key, p in make().named_parameters() if not p.any()}
    assert last
    assert trained == [last, {key for key, _ in network.named_parameters()}]


@pytest.mark.parametrize("make", SMALL.values(), ids=SMALL)
def test_state_dict_round_trip(make):
    x = image(1, 8, 9)
    torch.manual_seed(0)
    source, target = make(zero_init=False), make(zero_init=False)
    assert not torch.equal(source(x), target(x))
    target.load_state_dict(source.state_dict())
    assert torch.equal(source(x), target(x))


@pytest.mark.parametrize("name", ["CNN", "ResNet", "UNet"])
def test_without_biases_scales_with_the_input(name):
    options = {} if name == "ResNet" else {"bias": False}
    network, x = (
        SMALL[name](zero_init=False, **options).double(),
        image(1, 9, 8).to(torch.complex128),
    )
    # only the last bits of 3 to 9 layers of sums may differ
    torch.testing.assert_close(network(1e3 * x), 1e3 * network(x), rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize("make", SMALL.values(), ids=SMALL)
def test_lazily_conjugated_and_strided_input(make):
    network, x = make(channels=2, zero_init=False), image(8, 9, 2, 3)
    strided = x.permute(3, 2, 0, 1).conj()
    dense = strided.resolve_conj().contiguous()
    torch.testing.assert_close(network(strided), network(dense))


@pytest.mark.parametrize(
    ("name", "options"),
    [(name, {}) for name in SMALL] + [(name, {"residual": False}) for name in ("CNN", "UNet")],
    ids=str,
)
def test_mixed_precision_returns_complex64(name, options):
    network, x = SMALL[name](zero_init=False, **options), image(2, 16, 16)
    expected = network(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = network(x)
    assert result.dtype == torch.complex64
    # bfloat16 has 8 bits: 2^-8 per layer, fewer than ten layers
    assert (result - expected).abs().max() < 0.05 * expected.abs().max()


class Probe(Network):
    """Records the real channels and scales the imaginary half by ten."""

    def __init__(self, channels, n_space=2):
        super().__init__(channels, n_space)
        self.scale = torch.nn.Parameter(torch.tensor(10.0))

    def features(self, real):
        self.seen = real.detach()
        return torch.cat([real[:, : self.channels], self.scale * real[:, self.channels :]], dim=1)


@pytest.mark.parametrize("lead", [(2,), (2, 3), (2, 2, 2)], ids=str)
@pytest.mark.parametrize("space", [(5, 4), (3, 5, 4)], ids=str)
def test_channels_are_all_real_parts_then_all_imaginary_parts(lead, space):
    probe, x = Probe(int(np.prod(lead[1:])), len(space)), image(*lead, *space)
    result = probe(x)
    images = x.numpy().reshape(2, -1, *space)
    np.testing.assert_array_equal(
        probe.seen.numpy(), np.concatenate([images.real, images.imag], axis=1)
    )
    np.testing.assert_array_equal(result.detach().numpy(), x.numpy().real + 10j * x.numpy().imag)


@pytest.mark.parametrize("channels", [1, 3])
def test_real_channels_are_channels_last(channels):
    probe = Probe(channels)
    probe(image(2, channels, 6, 5))
    assert probe.seen.is_contiguous(memory_format=torch.channels_last)
    probe = Probe(channels, 3)
    probe(image(2, channels, 4, 6, 5))
    assert probe.seen.is_contiguous(memory_format=torch.channels_last_3d)


def test_one_channel_is_converted_without_a_copy():
    probe, x = Probe(1), image(2, 6, 5)
    probe(x)
    assert probe.seen.data_ptr() == x.data_ptr()


class Rounded(Network):
    """Computes in bfloat16 and has no parameters."""

    def features(self, real):
        return real.to(torch.bfloat16)


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128], ids=str)
def test_precision_is_the_inputs_whatever_the_features_compute_in(dtype):
    x = image(2, 4, 5, dtype=dtype)
    result = Rounded(1, 2)(x)
    assert result.dtype == dtype
    torch.testing.assert_close(result, x, rtol=2**-7, atol=2**-7)


@pytest.mark.parametrize("name", SMALL)
def test_each_network_by_class_path(name):
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(Network, "network")
    config = {"class_path": f"reconic.networks.{name}", "init_args": {"width": 8, "n_space": 3}}
    network = parser.instantiate(parser.parse_object({"network": config})).network
    assert type(network).__name__ == name
    assert network.n_space == 3


def test_refuses_a_real_image():
    with pytest.raises(TypeError, match=r"CNN\(x\): `x` must be complex, got torch.float32"):
        SMALL["CNN"]()(torch.ones(1, 8, 8))


def test_refuses_another_precision():
    with pytest.raises(TypeError, match=r"of the weights, torch.float32, got torch.complex128"):
        SMALL["ResNet"]()(image(1, 8, 8, dtype=torch.complex128))


def test_refuses_a_missing_batch_axis():
    with pytest.raises(ValueError, match=r"a batch axis and 2 space axes, got shape \(8, 8\)"):
        SMALL["UNet"]()(image(8, 8))


@pytest.mark.parametrize(("shape", "found"), [((2, 3, 8, 8), 3), ((2, 8, 8), 1)])
def test_refuses_another_number_of_channels(shape, found):
    with pytest.raises(ValueError, match=rf"must hold 2 channel.* got {found} .*channels={found}"):
        SMALL["CNN"](channels=2)(image(*shape))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: CNN(n_space=1), "CNN: `n_space` must be 2 or 3, got 1"),
        (lambda: CNN(channels=0), "CNN: `channels` must be at least 1, got 0"),
        (lambda: CNN(width=0), "CNN: `width` must be at least 1, got 0"),
        (lambda: CNN(n_layers=0), "CNN: `n_layers` must be at least 1, got 0"),
        (lambda: ResNet(n_blocks=0), "ResNet: `n_blocks` must be at least 1, got 0"),
        (lambda: UNet(n_levels=0), "UNet: `n_levels` must be at least 1, got 0"),
        (lambda: ResNet(kernel=4), "ResNet: `kernel` must be odd and positive, got 4"),
        (lambda: UNet(kernel=-1), "UNet: `kernel` must be odd and positive, got -1"),
        (lambda: UNet(norm="layer"), "UNet: `norm` must be one of .*, got 'layer'"),
    ],
)
def test_refuses_impossible_sizes(build, message):
    with pytest.raises(ValueError, match=message):
        build()
