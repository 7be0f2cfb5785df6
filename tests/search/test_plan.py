"""What a plan says of a search."""

import optuna
import pytest
from searching import plan, value

from reconic.search import Plan, Space
from reconic.search.sampler import make_sampler

GRID = {"a.x": {"low": 0.0, "high": 1.0, "step": 0.5}, "n": [1, 2]}


@pytest.mark.parametrize(
    ("settings", "larger"),
    [
        ({}, True),
        ({"metric": "val/psnr"}, True),
        ({"metric": "val/ssim"}, True),
        ({"metric": "val/nrmse"}, False),
        ({"metric": "loss"}, False),
        ({"metric": "loss", "direction": "maximize"}, True),
        ({"metric": "val/psnr", "direction": "minimize"}, False),
    ],
)
def test_the_direction_is_known_from_the_metric_unless_it_is_told(settings, larger):
    assert Plan(**settings).larger_is_better == larger


@pytest.mark.parametrize(("n_trials", "limit"), [(None, 6), (4, 4), (20, 6)])
def test_a_grid_ends_with_its_last_point(n_trials, limit):
    assert plan(space=GRID, sampler="grid", n_trials=n_trials).limit() == limit
    assert plan(space=GRID, n_trials=n_trials).limit() == n_trials


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"workers": 0}, "at least 1"),
        ({"n_trials": 0}, "at least 1"),
        ({"time_limit": 0}, "positive"),
        ({"seed": -1}, "at least 0"),
        ({"direction": "max"}, "one of maximize, minimize"),  # which is neither
        ({"command": "test"}, "one of train, descend, recon"),
        ({"sampler": "TPE"}, "one of tpe, random, grid, cmaes"),
        ({"pruner": None}, "one of median, hyperband, none"),
    ],
)
def test_names_and_numbers_are_checked(settings, says):
    with pytest.raises(
        ValueError, match=rf"search: `.*{next(iter(settings))}.*` must be {says}, got"
    ):
        Plan(**settings)


def test_no_gpus_are_not_all_of_them():
    with pytest.raises(ValueError, match=r"`gpus` must name a GPU, got \[\]"):
        Plan(gpus=[])


@pytest.mark.parametrize("sampler", ["random", "tpe", "cmaes"])
def test_each_trial_has_numbers_of_its_own_in_whichever_process(sampler):
    def drawn(n):
        study, found = optuna.create_study(), []
        for _ in range(n):
            study.sampler = make_sampler(plan(sampler=sampler))  # as another process has it
            found.append(Space(plan().space).suggest(study.ask())["a.x"])
        return found

    first, second = drawn(2)
    assert [first, second] == drawn(2)
    assert first != second


def test_workers_go_through_one_grid():
    settings, seen = plan(space=GRID, sampler="grid"), []
    study = optuna.create_study()

    def objective(trial):
        found = Space(GRID).suggest(trial)
        seen.append((found["a.x"], found["n"]))
        return value({"a": {"x": found["a.x"]}, "n": found["n"], "base": 0})

    for _ in range(6):
        study.sampler = make_sampler(settings)
        study.optimize(objective, n_trials=1)
    assert sorted(seen) == [(x, n) for x in (0, 0.5, 1) for n in (1, 2)]
