import copy

import pytest
import torch
from jsonargparse import ArgumentParser

from reconic.networks import CNN, Compute, Network, ResNet, ResNet5Block, UNet

MAKE = {
    "CNN": lambda compute: CNN(width=8, n_layers=3, zero_init=False, compute=compute),
    "ResNet": lambda compute: ResNet(width=8, n_blocks=2, zero_init=False, compute=compute),
    "ResNet5Block": lambda compute: ResNet5Block(
        width=8, kernel=3, zero_init=False, compute=compute
    ),
    "UNet": lambda compute: UNet(width=8, n_levels=2, zero_init=False, compute=compute),
}


@pytest.fixture
def x():
    torch.manual_seed(1)
    return torch.randn(2, 12, 10, dtype=torch.complex64)


def pair(name, compute):
    """A network as it is, and with other settings and the same weights."""
    torch.manual_seed(0)
    plain, other = MAKE[name](None), MAKE[name](compute)
    other.load_state_dict(plain.state_dict())  # the names do not depend on the settings
    return plain, other


def gradients(network, x):
    network(x).abs().square().sum().backward()
    return torch.cat([p.grad.flatten() for p in network.parameters()])


@pytest.mark.parametrize("name", MAKE)
def test_memory_layout_changes_nothing(name, x):
    plain, other = pair(name, Compute(channels_last=False))
    torch.testing.assert_close(other(x), plain(x), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(gradients(other, x), gradients(plain, x), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("name", MAKE)
def test_bfloat16_inside_only(name, x):
    plain, other = pair(name, Compute(bf16=True))
    seen = []
    conv = next(m for m in other.modules() if isinstance(m, torch.nn.Conv2d) and m.weight.any())
    conv.register_forward_hook(lambda module, args, result: seen.append(result.dtype))
    result = other(x)
    assert seen[0] == torch.bfloat16
    assert result.dtype == torch.complex64
    assert all(p.dtype == torch.float32 for p in other.parameters())
    error = (result - plain(x)).norm() / plain(x).norm()
    assert 0 < error < 2e-2  # bfloat16 has 8 bits: 0.4 % a rounding, averaged over a few layers
    g, want = gradients(other, x), gradients(plain, x)
    assert g.dtype == torch.float32
    assert (g - want).norm() / want.norm() < 5e-2


def test_other_code_keeps_its_precision(x):
    network = MAKE["CNN"](Compute(bf16=True))
    network(x)
    assert not torch.is_autocast_enabled("cpu")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method.*:DeprecationWarning")
def test_compiled(x):
    plain, other = pair("CNN", Compute(compile=True))
    torch.testing.assert_close(other(x), plain(x), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(gradients(other, x), gradients(plain, x), rtol=1e-4, atol=1e-3)
    second = copy.deepcopy(other)
    with torch.no_grad():
        for p in second.parameters():
            p.mul_(0.5)  # a copy computes with weights of its own
    assert not torch.allclose(second(x), other(x))


def test_config_spells_the_settings(tmp_path):
    parser = ArgumentParser()
    parser.add_argument("--network", type=Network)
    spec = {"class_path": "CNN", "init_args": {"width": 4, "compute": {"bf16": True}}}
    network = parser.instantiate(parser.parse_object({"network": spec})).network
    assert network.compute == Compute(bf16=True)
    assert not network.compute.compile
