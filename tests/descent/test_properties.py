"""Random trees, dtypes and settings against the same descent written out in NumPy."""

import os
import re
from collections import namedtuple
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconic import descent as rd

N = max(4, int(os.environ.get("RECONIC_FUZZ", 0)) // 100)  # each example compiles a loop
few = settings(
    max_examples=N, deadline=None, derandomize=True, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
Pair = namedtuple("Pair", ["first", "second"])
DTYPES = ["float32", "float64", "complex64", "complex128", "bfloat16"]
SHAPES = [(), (1,), (3,), (2, 2), (0,)]
# roundings of some ten steps of numbers below 4; bfloat16 has eight bits
ATOL = {"float32": 1e-4, "float64": 1e-10, "complex64": 1e-4, "complex128": 1e-10, "bfloat16": 0.3}


@st.composite
def leaves(draw):
    """An array of the first quadrant, away from the data, which are in the third."""
    dtype, shape = draw(st.sampled_from(DTYPES)), draw(st.sampled_from(SHAPES))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    x = 1 + rng.random(shape)
    return jnp.asarray(x + 1j * (1 + rng.random(shape)) if "complex" in dtype else x, dtype)


others = st.sampled_from([None, np.arange(3), True, jnp.tanh, "text"])


def containers(children):
    names = st.lists(st.sampled_from(["a", "b", "a_b", "c"]), unique=True, min_size=1, max_size=3)
    dicts = names.flatmap(lambda k: st.tuples(*[children] * len(k)).map(lambda v: dict(zip(k, v))))  # noqa: B905
    return st.one_of(
        dicts, st.lists(children, max_size=3), st.tuples(children, children),
        st.builds(Pair, children, children),
    )  # fmt: skip


trees = st.recursive(st.one_of(leaves(), leaves(), others), containers, max_leaves=5)


def is_moving(x):
    return hasattr(x, "dtype") and jnp.issubdtype(x.dtype, jnp.inexact)


has_moving = lambda tree: any(is_moving(x) for x in jax.tree.leaves(tree))  # noqa: E731


@dataclass(frozen=True)
class Setting:
    """Settings as drawn, for `Optimizer` and for the descent in NumPy."""

    method: str
    rate: float
    decay: int | None
    start: int
    stop: int | None
    every: int
    clip: float | None
    shrink: bool

    def optimizer(self):
        if self.method == "frozen":
            return rd.frozen()
        schedule = {"schedule": "linear"} if self.decay else {}
        if self.decay:
            schedule["schedule_options"] = {"end_value": 0.0, "transition_steps": self.decay}
        options = {"momentum": 0.9} if self.method == "momentum" else {}
        return rd.optimizer(
            "adam" if self.method == "adam" else "sgd", self.rate, **schedule, **options,
            start=self.start, stop=self.stop, every=self.every, clip=self.clip,
            constraint=half if self.shrink else None,
        )  # fmt: skip


def half(x):
    return 0.5 * x


@st.composite
def setting(draw):
    start = draw(st.integers(0, 2))
    return Setting(
        draw(st.sampled_from(["sgd", "momentum", "adam", "frozen"])),
        draw(st.sampled_from([0.01, 0.05])),
        draw(st.sampled_from([None, 3])),
        start,
        draw(st.sampled_from([None, start + 1, start + 3])),
        draw(st.integers(1, 3)),
        draw(st.sampled_from([None, 0.5])),
        draw(st.booleans()),
    )


def is_node(tree):
    return isinstance(tree, dict | list | tuple)


@st.composite
def prefix_of(draw, tree):
    """A tree of settings that follows `tree` as far as chance has it."""
    if not is_node(tree) or not has_moving(tree) or draw(st.booleans()):
        return draw(setting())
    kept = lambda x: draw(prefix_of(x)) if has_moving(x) else None  # noqa: E731
    if isinstance(tree, dict):
        return {k: kept(x) for k, x in tree.items() if has_moving(x)}
    made = [kept(x) for x in tree]
    return Pair(*made) if isinstance(tree, Pair) else made


def groups_of(settings, tree):
    """(setting, the arrays that it moves), in the order of the tree."""
    if isinstance(settings, Setting):
        return [(settings, [x for x in jax.tree.leaves(tree) if is_moving(x)])]
    keys = sorted(settings) if isinstance(settings, dict) else range(len(settings))
    return [g for k in keys if settings[k] is not None for g in groups_of(settings[k], tree[k])]


class ByHand:
    """One group, descended in double precision."""

    def __init__(self, s, arrays):
        self.s, self.dtypes = s, [a.dtype.name for a in arrays]
        self.x = [wide(a) for a in arrays]
        self.seen, self.n = [], 0
        self.m, self.v = ([np.zeros_like(a) for a in self.x] for _ in range(2))

    def slopes(self, target):
        return [2 * (x - (target if np.iscomplexobj(x) else target.real)) for x in self.x]

    def cost(self, target):
        return sum(np.sum(np.abs(g / 2) ** 2) for g in self.slopes(target))

    def step(self, k, target):
        s = self.s
        if s.method == "frozen" or k < s.start or (s.stop is not None and k >= s.stop):
            return
        self.seen.append(self.slopes(target))
        if len(self.seen) < s.every:
            return
        g = [np.mean(parts, axis=0) for parts in zip(*self.seen, strict=True)]
        self.seen = []
        norm = np.sqrt(sum(np.sum(np.abs(a) ** 2) for a in g))
        if s.clip is not None and norm > s.clip:
            g = [a * s.clip / norm for a in g]
        rate = s.rate * (1 - min(self.n, s.decay) / s.decay) if s.decay else s.rate
        self.n += 1
        self.x = [x - rate * d for x, d in zip(self.x, self._direction(g), strict=True)]
        if s.shrink:
            self.x = [0.5 * x for x in self.x]

    def _direction(self, g):
        if self.s.method == "sgd":
            return g
        if self.s.method == "momentum":
            self.m = [a + 0.9 * m for a, m in zip(g, self.m, strict=True)]
            return self.m
        self.m = [0.1 * a + 0.9 * m for a, m in zip(g, self.m, strict=True)]
        self.v = [0.001 * np.abs(a) ** 2 + 0.999 * v for a, v in zip(g, self.v, strict=True)]
        b, c = 1 - 0.9**self.n, 1 - 0.999**self.n
        pairs = zip(self.m, self.v, strict=True)
        return [m / b / (np.sqrt(v.real / c) + 1e-8) for m, v in pairs]


def wide(a):
    return np.asarray(a.astype(jnp.complex128 if jnp.iscomplexobj(a) else jnp.float64))


def distance(prediction, variables, batch):
    """Σ |x - mean of the batch|² over all arrays that can move."""
    target = jnp.mean(batch["b"])
    total = jnp.zeros((), "float64")
    for x in jax.tree.leaves(variables):
        if is_moving(x):
            t = (target if jnp.iscomplexobj(x) else target.real).astype(x.dtype)
            total += jnp.sum(jnp.abs(x - t).astype("float64") ** 2)
    return total


@given(st.data())
@few
def test_random_trees_and_settings_descend_as_by_hand(data):
    tree = data.draw(trees.filter(has_moving))
    drawn = data.draw(prefix_of(tree))
    groups = [ByHand(s, arrays) for s, arrays in groups_of(drawn, tree)]
    n, size, epochs = (data.draw(st.integers(1, k)) for k in (5, 5, 3))
    size, remainder = min(n, size), data.draw(st.booleans())
    b = -1 - np.random.default_rng(n).random((n, 2)) @ np.asarray([1, 1j])
    optimizers = jax.tree.map(Setting.optimizer, drawn, is_leaf=lambda x: isinstance(x, Setting))
    run = lambda: rd.reconstruct(  # noqa: E731
        lambda v, batch: 0.0, tree, {"b": b}, rd.term(distance), optimizers, epochs=epochs,
        batch_size=size, remainder=remainder, shuffle=False,
    )  # fmt: skip
    if all(g.s.method == "frozen" for g in groups):
        with pytest.raises(ValueError, match="must be free to move"):
            run()
        return
    fit, k, totals = run(), 0, []
    for _ in range(epochs):
        costs, sizes = [], []
        for first in range(0, n if remainder else n - n % size, size):
            target = np.mean(b[first : first + size])
            costs.append(sum(g.cost(target) for g in groups))
            sizes.append(len(b[first : first + size]))
            for g in groups:
                g.step(k, target)
            k += 1
        totals.append(np.average(costs, weights=sizes))
    assert jax.tree.structure(fit.variables) == jax.tree.structure(tree)
    after = iter([x for x in jax.tree.leaves(fit.variables) if is_moving(x)])
    before = iter([x for x in jax.tree.leaves(tree) if is_moving(x)])
    for g in groups:
        for want, dtype in zip(g.x, g.dtypes, strict=True):
            got, old = next(after), next(before)
            assert (got.dtype, got.shape) == (old.dtype, old.shape)
            np.testing.assert_allclose(wide(got), want, atol=ATOL[dtype])
            if g.n == 0:  # frozen, or outside its window: the same bits
                np.testing.assert_array_equal(got, old)
    worst = max((ATOL[d] for g in groups for d in g.dtypes), default=0)
    np.testing.assert_allclose(fit.history["total"], totals, rtol=worst, atol=1e-6)


@given(st.data(), st.integers(0, 2**31 - 1))
@few
def test_the_same_seed_gives_the_same_bits(data, seed):
    tree = data.draw(trees.filter(has_moving))

    def forward(v, batch, key):
        return batch["b"] + jax.random.normal(key, batch["b"].shape)

    def noisy(prediction, variables, batch):
        return distance(None, variables, {"b": prediction})

    runs = [
        rd.reconstruct(
            forward, tree, {"b": np.linspace(-2, -1, 7)}, rd.term(noisy), rd.adam(0.05), epochs=3,
            batch_size=2, seed=s,
        ) for s in (seed, seed, seed + 1)
    ]  # fmt: skip
    for a, b in zip(*(jax.tree.leaves(fit.best) for fit in runs[:2]), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(runs[0].history["total"], runs[1].history["total"])
    if any(x.size for x in jax.tree.leaves(tree) if is_moving(x)):
        assert np.any(runs[0].history["total"] != runs[2].history["total"])


@given(
    st.integers(1, 4), st.integers(0, 99), st.sampled_from(["complex64", "complex128"]),
    st.sampled_from([rd.sgd(0.05), rd.sgd(0.05, momentum=0.9, clip=1.0), rd.sgd(0.1, every=2),
                     rd.lbfgs(), rd.gauss_newton()]),
)  # fmt: skip
@few
def test_a_complex_problem_equals_that_of_its_real_pairs(n, seed, dtype, opt):
    rng = np.random.default_rng(seed)
    cn = lambda *shape: (rng.standard_normal((*shape, 2)) @ [1, 1j]).astype(dtype)  # noqa: E731
    m, y, x = cn(n + 1, n), cn(n + 1), cn(n)
    loss = rd.l2("y") + 0.1 * rd.weight_decay()
    a = rd.reconstruct(lambda v, b: m @ v["x"], {"x": x}, {"y": y}, loss, opt, epochs=6)
    # the mean over pairs is half of that over complex values
    loss = rd.l2("y") + 0.2 * rd.weight_decay()
    b = rd.reconstruct(
        lambda v, b: m @ (v["x"][0] + 1j * v["x"][1]), {"x": np.stack([x.real, x.imag])},
        {"y": y}, loss, opt, epochs=6,
    )  # fmt: skip
    tol = 2e-3 if dtype == "complex64" else 1e-8  # of L-BFGS, whose line search branches
    pair = b.variables["x"]
    np.testing.assert_allclose(a.variables["x"], pair[0] + 1j * pair[1], atol=tol)
    np.testing.assert_allclose(a.history["total"], b.history["total"], rtol=tol, atol=tol)


WRONG = [
    {}, [], {"q": rd.adam(0.1)}, 0.1, "adam", None, [rd.adam(0.1)] * 5, {"b": {"q": rd.sgd(1.0)}},
    {"a": 3}, Pair(rd.adam(0.1), "sgd"), rd.frozen(), {0: {1: rd.adam(0.1)}}, np.ones(3),
]  # fmt: skip


def refusal(run):
    """Message of the documented errors; any other fails."""
    with pytest.raises((ValueError, TypeError)) as caught:
        run()
    return str(caught.value)


@given(st.data())
@settings(few, max_examples=10 * N)
def test_settings_that_do_not_fit_are_named(data):
    tree = data.draw(trees.filter(lambda t: is_node(t) and has_moving(t)))
    wrong = data.draw(st.sampled_from(WRONG))
    run = lambda: rd.reconstruct(  # noqa: E731
        lambda v, b: 0.0, tree, {"b": 1.0}, rd.term(distance), wrong, epochs=1
    )
    assert re.match(r"optimizers: (.|\n)*(variable|must be an Optimizer)", refusal(run))
