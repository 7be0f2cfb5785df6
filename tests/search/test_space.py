"""Ranges and choices, and the configurations that they make."""

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from reconic.search import Space
from reconic.search.space import placed


def dimension(spec):
    return Space({"a": spec}).dimensions["a"]


@pytest.mark.parametrize(
    ("spec", "distribution", "value"),
    [
        ({"low": 0.1, "high": 10.0, "log": True}, FloatDistribution(0.1, 10.0, log=True), 0.5),
        ({"low": 1, "high": 1000, "log": True}, FloatDistribution(1.0, 1000.0, log=True), 2.5),
        ({"low": 1, "high": 64, "log": True, "int": True}, IntDistribution(1, 64, log=True), 8),
        ({"low": 2, "high": 8}, IntDistribution(2, 8), 3),
        ({"low": 2, "high": 8, "step": 3}, IntDistribution(2, 8, step=3), 5),
        ({"low": 0, "high": 1.0, "step": 0.5}, FloatDistribution(0.0, 1.0, step=0.5), 0.5),
        ([1, "x"], CategoricalDistribution(["1", "x"]), "1"),
    ],
)
def test_what_is_drawn_from(spec, distribution, value):
    trial = optuna.trial.FixedTrial({"a": value})
    assert Space({"a": spec}).suggest(trial) == {"a": 1 if isinstance(spec, list) else value}
    assert trial.distributions["a"] == distribution


@pytest.mark.parametrize(
    ("spec", "values"),
    [
        ({"low": 0.0, "high": 0.3, "step": 0.1}, [0, 0.1, 0.2, 0.3]),  # (0.3 - 0) / 0.1 < 3
        ({"low": 1.0, "high": 4.0, "int": True}, [1, 2, 3, 4]),
        ({"low": 1, "high": 6, "step": 2}, [1, 3, 5]),
        ([{"class_path": "m.A"}, None], ["m.A", "null"]),
    ],
)
def test_a_grid_holds_all_values(spec, values):
    found = dimension(spec).grid()
    assert found == (values if isinstance(spec, list) else pytest.approx(values))
    if "int" in spec:
        assert {type(v) for v in found} == {int}


def test_a_continuous_range_has_no_grid():
    with pytest.raises(ValueError, match="'a' must have `step` or choices for the grid sampler"):
        Space({"a": {"low": 0.0, "high": 1.0}}).grid()


def test_corners_are_the_ends_of_one_key_at_a_time():
    space = Space({"a": {"low": 1, "high": 2}, "b.c": ["x", "y"]})
    found = [(path, value, made) for path, value, made in space.corners({"d": 3})]
    assert found == [
        ("a", 1, {"d": 3, "a": 1, "b": {"c": "x"}}),
        ("a", 2, {"d": 3, "a": 2, "b": {"c": "x"}}),
        ("b.c", "x", {"d": 3, "a": 1, "b": {"c": "x"}}),
        ("b.c", "y", {"d": 3, "a": 1, "b": {"c": "y"}}),
    ]


def test_values_are_placed_in_a_copy_outer_ones_first():
    config = {"o": {"init_args": {"lr": 1}}}
    adam = {"class_path": "Adam"}
    made = placed(config, {"o.init_args.lr": 2, "o": adam})
    assert made == {"o": {"class_path": "Adam", "init_args": {"lr": 2}}}
    assert (config, adam) == ({"o": {"init_args": {"lr": 1}}}, {"class_path": "Adam"})


def test_a_class_that_is_named_by_a_word_keeps_its_name():
    config = {"loss": {"class_path": "L1"}}
    placed(config, {"loss.class_path": "L2"})
    assert config == {"loss": {"class_path": "L1"}}
    made = placed({"loss": "SSDU"}, {"loss.init_args.fraction": 0.3})
    assert made == {"loss": {"class_path": "SSDU", "init_args": {"fraction": 0.3}}}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"low": 1, "high": 1}, "`low` of 'a' must be below `high`, got 1 and 1"),
        ({"low": 1, "high": 8, "log": True, "step": 1}, "must be positive and have no step"),
        ({"low": 0, "high": 8, "log": True}, "must be positive and have no step"),
        ({"low": 0, "high": 8, "step": 0}, "`step` of 'a' must be positive, got 0"),
        ({"low": 0, "high": 1.5, "int": True}, "must have whole numbers with `int`"),
        ({"low": 0, "high": True}, "must be of numbers"),
        ({"low": 0, "top": 1}, "must have low and high"),
        ([], "must be a list of values"),
    ],
)
def test_what_is_no_dimension_is_refused(spec, message):
    with pytest.raises(ValueError, match=message):
        dimension(spec)
