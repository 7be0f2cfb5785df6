"""Variables of other libraries: modules of Equinox and Flax, Systems in trees, low precision."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reconic import descent as rd
from reconic.systems import Convolution

T = np.linspace(-1, 1, 32)[:, None]
WAVE = np.sin(3 * T)


def fits(forward, variables, opt, share=1e-2, **more):
    """A fit of the wave, which must explain all but a share of its variance."""
    data = {"t": T.astype("float32"), "y": WAVE.astype("float32")}
    fit = rd.reconstruct(forward, variables, data, rd.l2("y"), opt, epochs=300, **more)
    assert fit.history["total"].min() < share * np.var(WAVE)
    assert jax.tree.structure(fit.variables) == jax.tree.structure(variables)
    return fit


def test_an_equinox_module_is_fitted_part_by_part():
    eqx = pytest.importorskip("equinox")
    net = eqx.nn.MLP(1, 1, 16, 2, activation=jnp.tanh, key=jax.random.PRNGKey(0))
    last = {"weight": rd.adam(1e-2), "bias": rd.adam(1e-2)}
    settings = {"layers": [rd.frozen(), rd.adam(1e-2), last]}
    fit = fits(lambda net, batch: jax.vmap(net)(batch["t"]), net, settings)
    assert isinstance(fit.best, eqx.nn.MLP)
    np.testing.assert_array_equal(fit.variables.layers[0].weight, net.layers[0].weight)
    assert fit.variables.activation is net.activation
    prediction = jax.vmap(fit.best)(T.astype("float32"))
    assert float(jnp.mean((prediction - WAVE) ** 2)) < 1e-2


def test_settings_may_be_a_module_too():
    eqx = pytest.importorskip("equinox")

    class Line(eqx.Module):
        slope: object
        offset: object

    start, data = Line(np.zeros(()), np.ones(())), {"y": 2 * T + 1}
    fit = rd.reconstruct(
        lambda v, b: v.slope * T + v.offset, start, data, rd.l2("y"),
        Line(rd.sgd(0.5), rd.frozen()), epochs=50,
    )  # fmt: skip
    assert float(fit.variables.slope) == pytest.approx(2, abs=1e-6)
    assert float(fit.variables.offset) == 1


def test_parameters_of_flax_linen_in_minibatches(tmp_path):
    nn = pytest.importorskip("flax.linen")

    class Net(nn.Module):
        @nn.compact
        def __call__(self, t):
            return nn.Dense(1)(jnp.tanh(nn.Dense(16)(t)))

    net = Net()
    params = net.init(jax.random.PRNGKey(0), T[:2])
    settings = {"params": {"Dense_0": rd.adam(1e-2), "Dense_1": rd.adam(2e-2, clip=1.0)}}
    fit = fits(
        lambda p, batch: net.apply(p, batch["t"]), params, settings, batch_size=8,
        run=tmp_path / "net",
    )  # fmt: skip
    back = rd.load(fit.run).variables["params"]["Dense_0"]["kernel"]
    np.testing.assert_array_equal(back, fit.variables["params"]["Dense_0"]["kernel"])


def test_the_state_of_a_flax_nnx_module():
    nnx = pytest.importorskip("flax.nnx")

    class Net(nnx.Module):
        def __init__(self, rngs):
            self.hidden = nnx.Linear(1, 16, rngs=rngs)
            self.out = nnx.Linear(16, 1, rngs=rngs)

        def __call__(self, t):
            return self.out(jnp.tanh(self.hidden(t)))

    graph, state = nnx.split(Net(nnx.Rngs(0)))
    forward = lambda state, batch: nnx.merge(graph, state)(batch["t"])  # noqa: E731
    fit = fits(forward, state, {"hidden": rd.adam(1e-2), "out": rd.adam(2e-2)})
    prediction = nnx.merge(graph, fit.best)(T)
    assert float(jnp.mean((prediction - WAVE) ** 2)) < 1e-2


def test_systems_among_the_variables_give_up_their_arrays_only():
    rng = np.random.default_rng(1)
    psf, x = 0.1 + np.diag([0.0, 1.0, 0.0]), rng.random((8, 8))
    blur = Convolution.from_psf(jnp.asarray(psf), (8, 8))
    variables = {"scene": [{"blur": blur, "x": np.zeros((8, 8))}]}
    forward = lambda v, b: v["scene"][0]["blur"](v["scene"][0]["x"])  # noqa: E731
    settings = {"scene": [{"blur": rd.frozen(), "x": rd.lbfgs()}]}
    data = {"y": blur(jnp.asarray(x))}
    fit = rd.reconstruct(forward, variables, data, rd.l2("y"), settings, epochs=60)
    assert fit.history["total"].min() < 1e-8
    assert isinstance(fit.best["scene"][0]["blur"], Convolution)


# of bfloat16, steps below 1/256 of a weight are lost
@pytest.mark.parametrize(
    ("dtype", "share"), [("float64", 1e-2), ("float16", 1e-2), ("bfloat16", 3e-2)]
)
def test_networks_of_other_precision_converge(dtype, share):
    rng = np.random.default_rng(0)
    net = {"w": jnp.asarray(rng.standard_normal((1, 32)), dtype),
           "b": jnp.asarray(rng.standard_normal(32), dtype),
           "v": jnp.asarray(rng.standard_normal((32, 1)) / 8, dtype)}  # fmt: skip

    def forward(net, batch):
        hidden = jnp.tanh(batch["t"].astype(dtype) @ net["w"] + net["b"])
        return (hidden @ net["v"]).astype("float32")

    fit = fits(forward, net, rd.adam(1e-2, eps=1e-4), share)
    assert {k: v.dtype.name for k, v in fit.best.items()} == dict.fromkeys(net, dtype)


_LOADED = """
import sys
import numpy as np
from reconic import descent as rd

def heavy():
    return sorted({"torch", "lightning", "tensorboardX", "tensorflow"} & set(sys.modules))

assert not heavy(), heavy()
y = np.ones(3, np.float32)
rd.reconstruct(lambda v, b: v, 0 * y, {"y": y}, rd.l2("y"), rd.adam(0.1), epochs=2,
               images=lambda v: {"x": v})
assert not heavy(), heavy()
"""


@pytest.mark.slow
def test_descent_loads_neither_torch_nor_a_writer_that_does():
    subprocess.run([sys.executable, "-c", _LOADED], check=True, timeout=300)
