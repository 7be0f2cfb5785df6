"""`reconic check` tells the mistakes that authors of forward models make."""

import sys

import pytest

MODELS = """
import numpy as np
from array_api_compat import array_namespace
from reconic.operator import LinearSystem, static, system


@system
class Gain(LinearSystem):
    gain: object

    @property
    def in_shape(self):
        return tuple(self.gain.shape[-2:])

    @property
    def out_shape(self):
        return tuple(self.gain.shape[-2:])

    def _forward(self, x):
        return self.gain * x

    @classmethod
    def example(cls, rng, like):
        return cls(array_namespace(like).asarray(rng.standard_normal((4, 3))))


@system
class Whole(Gain):
    @property
    def in_shape(self):
        return tuple(self.gain.shape)

    out_shape = in_shape

    def _adjoint(self, y):
        return self.gain * y


@system
class NumPyInside(Whole):
    def _forward(self, x):
        return np.einsum("...,...->...", self.gain, x) if isinstance(x, np.ndarray) else np.sin(x)


@system
class ForeignExample(Whole):
    @classmethod
    def example(cls, rng, like):
        return cls(rng.standard_normal((4, 3)))


@system
class Count(Gain):
    n: int = 4

    @property
    def in_shape(self):
        return (self.n, 3)

    def _adjoint(self, y):
        return self.gain * y


@system
class WrongOut(Whole):
    @property
    def out_shape(self):
        return (7, 7)


@system
class NotLinear(Whole):
    def _forward(self, x):
        return array_namespace(x).real(self.gain * x)


class Plain(LinearSystem):
    gain: object
    example = Gain.example.__func__
    example = classmethod(example)


@system
class NoExample(LinearSystem):
    gain: object


def number(rng, like):
    return 3
"""


@pytest.fixture
def check(reconic, tmp_path):
    """Check a model by name; gives status and all that is printed."""
    (tmp_path / "check_models.py").write_text(MODELS)

    def call(name):
        status, out, err = reconic("check", f"{tmp_path / 'check_models.py'}:{name}")
        return status, out + err

    yield call
    sys.modules.pop("check_models", None)


def test_a_derived_adjoint_is_no_failure(check):
    status, text = check("Gain")
    assert status == 0
    assert "numpy is left out: `_adjoint` is not written" in text
    assert {"torch", "jax"} <= set(text.split())


def test_arrays_that_take_no_batch_axis_are_noted(check):
    status, text = check("Whole")
    assert status == 0
    assert text.count("\nbatched arrays (numpy, torch, jax): `reconic train` gives each") == 1
    assert "batched arrays" not in check("Gain")[1]


@pytest.mark.parametrize(
    ("name", "messages"),
    [
        ("NumPyInside", ["It runs on NumPy. Take functions from xp", "models.py:", "`return np."]),
        ("Count", ["runs (jax)", "declare a field that is no array as static()"]),
        ("ForeignExample", ["runs (torch, jax)", "arrays must be of the library of `like`"]),
        ("WrongOut", ["shapes (numpy, torch, jax): A(x) must have shape (7, 7), got (4, 3)."]),
        ("NotLinear", ["linear (numpy, torch, jax)", "or a real part"]),
        ("Plain", ["Plain: the class must be decorated with @system"]),
        ("number", ["`target` must make a LinearSystem, got int"]),
    ],
)
def test_a_mistake_is_told_with_what_to_do(check, name, messages):
    status, text = check(name)
    assert status == 1
    assert all(message in text for message in messages), text


def test_a_model_that_is_not_linear_is_checked_on(check):
    """No power iteration on what is not linear: JAX would end it with an error of its own."""
    assert "runs" not in check("NotLinear")[1]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("NoExample", "NoExample must have the classmethod example(cls, rng, like)"),
        ("np", "`target` must be a LinearSystem, or make one, got"),
        ("Gane", "Did you mean 'Gain'?"),
    ],
)
def test_what_cannot_be_checked(check, name, message):
    status, text = check(name)
    assert status == 2
    assert message in text


def test_a_file_with_an_error(reconic, tmp_path):
    (tmp_path / "broken_x.py").write_text("def f(:")
    status, _, err = reconic("check", f"{tmp_path / 'broken_x.py'}:A")
    assert status == 2
    assert "SyntaxError" in err
    assert "line 1" in err
