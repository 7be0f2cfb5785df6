import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reconic import descent as rd
from reconic.descent.loss import Evaluation, takes_extra

y = np.asarray([1.0, 2.0, 4.0])


def value(loss, prediction, batch=None, variables=None, reports=None):
    e = Evaluation(prediction, variables, {"y": y} if batch is None else batch, reports or {})
    return float(sum(w * t.fn(e) for t, w in zip(loss.terms, loss.weights, strict=True)))


def test_losses_add_subtract_and_scale_by_any_real_scalar():
    a, b = rd.l2("y"), rd.l1("y")
    p = np.asarray([0.0, 2.0, 1.0])
    l2, l1 = np.mean((p - y) ** 2), np.mean(np.abs(p - y))
    for scalar in (2, 2.0, np.float32(2), np.float64(2), np.asarray(2), jnp.asarray(2.0)):
        assert value(scalar * a, p) == pytest.approx(2 * l2)
        assert value(a * scalar, p) == pytest.approx(2 * l2)
        assert value(a / scalar, p) == pytest.approx(l2 / 2)
    assert value(a + 3 * b, p) == pytest.approx(l2 + 3 * l1)
    assert value(a - b, p) == pytest.approx(l2 - l1)
    assert value(-a, p) == pytest.approx(-l2)
    assert value(sum([a, b, a]), p) == pytest.approx(2 * l2 + l1)
    assert (a - a).weights == (0.0,)


def test_every_term_keeps_a_name_of_its_own():
    loss = rd.l2("y") + rd.l2("z") + rd.l2("y") + rd.tv("x").named("smooth")
    assert loss.names == ("l2", "l2_2", "smooth")
    assert loss.weights == (2.0, 1.0, 1.0)


@pytest.mark.parametrize("scalar", ["2", True, 1j, np.ones(2), None])
def test_a_weight_that_is_no_real_number_is_refused(scalar):
    with pytest.raises(TypeError):
        scalar * rd.l2("y")


def test_equal_losses_are_equal_so_that_they_compile_once():
    assert rd.huber("y", 0.5) + rd.tv("x") == rd.huber("y", 0.5) + rd.tv("x")
    assert hash(rd.poisson("y")) == hash(rd.poisson("y"))


def test_a_term_of_ones_own_sees_prediction_variables_batch_and_reports():
    three = rd.term(lambda p, v, b: jnp.sum(p) + v + b["y"][0], "three")
    four = rd.term(lambda p, v, b, reports: reports["phase"], "four")
    assert value(three, np.ones(3), variables=5.0) == pytest.approx(9)
    assert value(four, np.ones(3), reports={"phase": 7.0}) == pytest.approx(7)
    with pytest.raises(TypeError, match=r"term: `.*` must take the arguments \(prediction"):
        rd.term(lambda p: p)
    with pytest.raises(TypeError, match="got int"):
        rd.term(3)


def test_an_unrelated_default_argument_is_not_taken_for_the_extra_one():
    assert not takes_extra(lambda v, b, scale=3: 0, 2, "key", "f", "")
    assert takes_extra(lambda v, b, key=None: 0, 2, "key", "f", "")
    assert takes_extra(lambda v, b, k: 0, 2, "key", "f", "")
    assert not takes_extra(lambda *args: 0, 2, "key", "f", "")


def reference(name, p, y):
    """The formulas again, in NumPy."""
    r = np.abs(p - y)
    return {
        "l2": np.mean(r**2),
        "l1": np.mean(r),
        "huber": np.mean(np.where(r <= 0.7, r**2 / 2, 0.7 * (r - 0.35))),
        "amplitude": np.mean((np.abs(p) - y) ** 2),
    }[name]


LOSSES = {
    "l2": rd.l2("y"),
    "l1": rd.l1("y"),
    "huber": rd.huber("y", 0.7),
    "amplitude": rd.amplitude("y"),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("kind", ["real", "complex"])
def test_stock_terms_are_their_formulas(name, kind, rng):
    p, target = rng.standard_normal((2, 4, 3))
    if kind == "complex":
        p = p + 1j * rng.standard_normal((4, 3))
        target = target + (0 if name == "amplitude" else 1j * rng.standard_normal((4, 3)))
    got = value(LOSSES[name], p, {"y": target})
    assert got == pytest.approx(reference(name, p, target), rel=1e-12)


def test_poisson_is_the_deviance_and_its_tangent_below_the_floor():
    counts, rate = np.asarray([0.0, 3.0, 5.0]), np.asarray([2.0, 3.0, 1.0])
    want = np.mean(rate - counts + np.asarray([0, 0, 5 * np.log(5)]))
    assert value(rd.poisson("y"), rate, {"y": counts}) == pytest.approx(want)

    def cost(p):
        return sum(t.fn(Evaluation(p, None, {"y": counts}, {})) for t in rd.poisson("y").terms)

    slope = jax.grad(cost)(jnp.asarray([-1.0, 0.0, -3.0]))
    assert np.all(np.isfinite(slope))
    assert slope[1] < 0
    assert slope[2] < 0


def test_cross_correlation_is_blind_to_gain_and_offset(rng):
    a = rng.standard_normal((4, 3))
    assert value(rd.cross_correlation("y"), 3 * a + 5, {"y": a}) == pytest.approx(0, abs=1e-12)
    assert value(rd.cross_correlation("y"), -a, {"y": a}) == pytest.approx(2)
    want = 1 - np.corrcoef(a.ravel(), a[::-1].ravel())[0, 1]
    assert value(rd.cross_correlation("y"), a[::-1], {"y": a}) == pytest.approx(want)


def test_weights_make_a_weighted_mean_and_zero_leaves_a_value_out():
    batch = {"y": y, "w": np.asarray([1.0, 0.0, 3.0])}
    p = np.asarray([2.0, np.pi, 6.0])
    assert value(rd.l2("y", weights="w"), p, batch) == pytest.approx((1 + 3 * 4) / 4)


def test_one_entry_of_a_prediction_with_several_is_compared():
    p = {"y": y + 1, "other": y + 2}
    assert value(rd.l2("y"), p) == pytest.approx(1)
    assert value(rd.l2("y", output="other"), p) == pytest.approx(4)
    with pytest.raises(KeyError, match="the prediction must have an entry 'third'"):
        value(rd.l2("y", output="third"), p)
    with pytest.raises(KeyError, match=r"l2\('z'\): the data must have an entry 'z', got 'y'"):
        value(rd.l2("z"), y)
    with pytest.raises(ValueError, match=r"l2\('y'\).*shape of the data, \(3,\), got \(2,\)"):
        value(rd.l2("y"), y[:2])


def regularizer(loss, x):
    return value(loss, None, {}, {"x": x})


def test_tv_is_the_sum_over_the_edges(rng):
    x = np.zeros((4, 6))
    x[:, 3:] = 2.0  # one edge of length 4 and height 2
    assert regularizer(rd.tv("x"), x) == pytest.approx(8 / 24)
    x[2:] += 1.0
    x4 = rng.standard_normal((3, 4, 3, 5)) + 1j * rng.standard_normal((3, 4, 3, 5))
    d = [np.abs(np.diff(x4, axis=a, append=np.take(x4, [-1], a))) for a in range(4)]
    assert regularizer(rd.tv("x", 4), x4) == pytest.approx(np.mean(np.sqrt(sum(v**2 for v in d))))
    assert regularizer(rd.tv("x", 4, isotropic=False), x4) == pytest.approx(np.mean(sum(d)))


def test_wavelet_l1_is_that_of_pywavelets_haar_by_hand():
    x = np.asarray([[1.0, 3.0], [5.0, 11.0]])
    details = [(1 - 3 + 5 - 11) / 2, (1 + 3 - 5 - 11) / 2, (1 - 3 - 5 + 11) / 2]
    want = np.sum(np.abs(details)) / 4
    assert regularizer(rd.wavelet("x", "haar", 1), x) == pytest.approx(want)


def test_weight_decay_nonnegative_and_paths(rng):
    x, z = np.asarray([1.0, -2.0]), np.asarray([3.0 - 1j])
    tree = {"x": x, "z": {"w": z}, "n": np.asarray([7])}
    decay = rd.weight_decay().terms[0].fn(Evaluation(None, tree, {}, {}))
    assert float(decay) == pytest.approx((1 + 4 + 10) / 3)  # integers are no variables
    assert regularizer(rd.nonnegative("x"), x) == pytest.approx(2)
    below = rd.nonnegative("z.w").terms[0].fn(Evaluation(None, tree, {}, {}))
    assert float(below) == pytest.approx(1)
    with pytest.raises(ValueError, match=r"no variable 'q'; there are\n  n: int64 \(1,\)"):
        rd.tv("q").terms[0].fn(Evaluation(None, tree, {}, {}))
    with pytest.raises(ValueError, match=r"must have 2 axes at least, got shape \(2,\)"):
        rd.tv("x").terms[0].fn(Evaluation(None, tree, {}, {}))


EVERYWHERE = {
    **LOSSES,
    "poisson": rd.poisson("y"),
    "cross_correlation": rd.cross_correlation("y"),
    "tv": rd.tv("x"),
    "tv-anisotropic": rd.tv("x", isotropic=False),
    "wavelet": rd.wavelet("x", "db2", 2),
    "nonnegative": rd.nonnegative("x"),
    "weight_decay": rd.weight_decay("x"),
}


@pytest.mark.parametrize("dtype", ["float32", "complex128"])
@pytest.mark.parametrize("name", EVERYWHERE)
def test_gradients_are_finite_at_zero(name, dtype):
    if name == "poisson" and dtype.startswith("complex"):
        pytest.skip("counts are real")
    x = jnp.zeros((4, 6), dtype)

    def cost(x):
        e = Evaluation(x, {"x": x}, {"y": jnp.zeros((4, 6))}, {})
        return sum(t.fn(e) for t in EVERYWHERE[name].terms)

    slope = jax.jit(jax.grad(cost))(x)
    assert slope.dtype == x.dtype
    assert np.all(np.isfinite(slope))


@pytest.mark.parametrize("name", EVERYWHERE)
def test_gradients_are_those_of_finite_differences(name, rng):
    x = 1 + rng.random((4, 6)) + (0 if name == "poisson" else 1j * rng.random((4, 6)))
    target = 3 + rng.random((4, 6))
    direction = rng.standard_normal((4, 6)) + (0 if name == "poisson" else 1j)

    def cost(x):
        e = Evaluation(x, {"x": x}, {"y": target}, {})
        return sum(t.fn(e) for t in EVERYWHERE[name].terms)

    cost, h = jax.jit(cost), 1e-6
    want = (cost(x + h * direction) - cost(x - h * direction)) / (2 * h)
    got = np.real(np.vdot(np.conj(jax.jit(jax.grad(cost))(jnp.asarray(x))), direction))
    # central differences err by h² of the third derivative and eps/h of rounding
    assert got == pytest.approx(float(want), rel=1e-6, abs=1e-8)


@pytest.mark.parametrize(("make", "says"), [
    (lambda: rd.huber("y", 0), "`delta` must be positive, got 0"),
    (lambda: rd.poisson("y", 0), "`floor` must be positive, got 0"),
    (lambda: rd.wavelet("x", "db9"), "`wavelet` must be one of"),
    (lambda: (rd.l1("y") + rd.l2("y")).named("both"), "must have one term, got l1, l2"),
])  # fmt: skip
def test_bad_settings(make, says):
    with pytest.raises(ValueError, match=says):
        make()
