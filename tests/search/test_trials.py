"""Trials against a quadratic whose best value is known, in one process and in several."""

import contextlib
import gc
import sqlite3
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
from optuna.trial import TrialState
from searching import plan, two_workers_one_killed, value

from reconic.search import open_study, run_trials


def parabola(tmp_path):
    def run(config, report):
        return value(config), tmp_path

    return run


def states(study):
    return [t.state for t in study.get_trials()]


def test_as_many_trials_as_planned_and_the_best_is_the_smallest(tmp_path, opened):
    settings = plan()
    study = opened(tmp_path / "s.db", "s", settings, {"base": 5})
    seen = []

    def run(config, report):
        seen.append(value(config))
        return seen[-1], tmp_path

    run_trials(study, settings, {"base": 5}, run)
    assert len(seen) == 8
    assert study.best_value == min(seen)
    assert states(study) == [TrialState.COMPLETE] * 8


def test_a_second_call_adds_nothing(tmp_path, opened):
    settings = plan()
    study = opened(tmp_path / "s.db", "s", settings, {"base": 0})
    for _ in range(2):
        run_trials(study, settings, {"base": 0}, parabola(tmp_path))
    assert len(states(study)) == 8


def test_a_grid_visits_every_point_once(tmp_path, opened):
    space = {"a.x": {"low": 0.0, "high": 1.0, "step": 0.5}, "n": [1, 2]}
    settings = plan(space=space, sampler="grid", n_trials=None)
    study = opened(tmp_path / "s.db", "s", settings, {"base": 0})
    seen = []

    def run(config, report):
        seen.append((config["a"]["x"], config["n"]))
        return value(config), tmp_path

    run_trials(study, settings, {"base": 0}, run)
    assert sorted(seen) == [(x, n) for x in (0.0, 0.5, 1.0) for n in (1, 2)]


def test_a_failing_trial_is_marked_and_the_study_goes_on(tmp_path, opened):
    settings = plan(n_trials=4)
    study = opened(tmp_path / "s.db", "s", settings, {"base": 0})
    calls = []

    def run(config, report):
        calls.append(1)
        if len(calls) == 2:
            raise FloatingPointError("loss is NaN")
        return value(config), tmp_path

    run_trials(study, settings, {"base": 0}, run)
    assert states(study).count(TrialState.COMPLETE) == 3  # the failed one counts
    (failed,) = study.get_trials(states=(TrialState.FAIL,))
    assert failed.user_attrs["error"] == "loss is NaN"


@pytest.mark.parametrize("error", [KeyError("val/psnr"), TypeError("no"), OSError(28, "full")])
def test_errors_of_any_kind_end_one_trial_and_no_worker(tmp_path, opened, error):
    study = opened(tmp_path / "s.db", "s", plan(n_trials=3), {"base": 0})

    def run(config, report):
        if len(states(study)) > 1:
            raise error
        return value(config), tmp_path

    run_trials(study, plan(n_trials=3), {"base": 0}, run)
    assert states(study) == [TrialState.COMPLETE, TrialState.FAIL, TrialState.FAIL]


def test_a_metric_that_is_not_finite_is_a_failure(tmp_path, opened):
    study = opened(tmp_path / "s.db", "s", plan(n_trials=2), {"base": 0})
    run_trials(study, plan(n_trials=2), {"base": 0}, lambda c, _: (float("nan"), tmp_path))
    assert [t.user_attrs["error"] for t in study.trials] == [
        "search: loss must be finite, got nan."
    ] * 2


def test_a_point_of_a_grid_that_fails_takes_no_other_twice(tmp_path, opened):
    settings = plan(space={"n": [1, 2, 3, 4]}, sampler="grid", n_trials=None)
    study = opened(tmp_path / "s.db", "s", settings, {})
    seen = []

    def run(config, report):
        seen.append(config["n"])
        if config["n"] == 2:
            raise ValueError("bad")
        return config["n"], tmp_path

    run_trials(study, settings, {}, run)
    assert sorted(seen) == [1, 2, 3, 4]


def test_what_a_failed_trial_held_is_free_in_the_next(tmp_path, opened):
    class Model:
        """Holds itself, as a module and its hooks do."""

    study, models = opened(tmp_path / "s.db", "s", plan(n_trials=2), {"base": 0}), []

    def run(config, report):
        assert not any(model() for model in models)
        model = Model()
        model.itself = model
        models.append(weakref.ref(model))
        raise RuntimeError("out of memory")

    gc.disable()
    try:
        run_trials(study, plan(n_trials=2), {"base": 0}, run)
    finally:
        gc.enable()
    assert [t.user_attrs["error"] for t in study.trials] == ["out of memory"] * 2


def test_a_study_in_which_nothing_works_ends_with_the_reason(tmp_path, opened):
    settings = plan()
    study = opened(tmp_path / "s.db", "s", settings, {"base": 0})

    def run(config, report):
        raise ValueError("no such file")

    with pytest.raises(RuntimeError, match="first 3 failed, the last with: no such file"):
        run_trials(study, settings, {"base": 0}, run)


def test_a_hopeless_trial_is_pruned(tmp_path, opened):
    settings = plan(n_trials=12, space={"a.x": [1.0, 2.0]}, pruner="median")
    study = opened(tmp_path / "s.db", "s", settings, {"base": 0})
    for x in (1.0,) * 6 + (2.0,):
        study.enqueue_trial({"a.x": str(x)})

    def run(config, report):
        for step in range(3):
            report(config["a"]["x"], step)
        return config["a"]["x"], tmp_path

    run_trials(study, plan(n_trials=7, space=settings.space), {}, run)
    assert states(study) == [TrialState.COMPLETE] * 6 + [TrialState.PRUNED]


def test_ctrl_c_queues_the_trial_again(tmp_path, opened):
    settings = plan(n_trials=3)
    study = opened(tmp_path / "s.db", "s", settings, {"base": 0})
    seen = []

    def run(config, report):
        seen.append(config["a"]["x"])
        if len(seen) == 2:
            raise KeyboardInterrupt
        return value(config), tmp_path

    with pytest.raises(KeyboardInterrupt):
        run_trials(study, settings, {"base": 0}, run)
    run_trials(study, settings, {"base": 0}, run)
    assert seen[2] == seen[1]
    assert states(study).count(TrialState.COMPLETE) == 3


def test_a_study_of_something_else_is_refused(tmp_path, opened):
    storage = tmp_path / "new" / "s.db"
    opened(storage, "s", plan(), {"base": 0})
    with pytest.raises(ValueError, match="got another config"):
        opened(storage, "s", plan(), {"base": 1})
    with pytest.raises(ValueError, match="got another metric, space"):
        opened(storage, "s", plan(metric="nrmse", space={"n": [1]}), {"base": 0})
    with pytest.raises(ValueError, match="got another command"):
        opened(storage, "s", plan(command="recon"), {"base": 0})
    with pytest.raises(ValueError, match="got another direction"):
        opened(storage, "s", plan(direction="maximize"), {"base": 0})


def test_an_unreachable_database_is_named_without_its_password(opened):
    with pytest.raises(ConnectionError, match=r"anna:\*\*\*@127\.0\.0\.1:1/db") as error:
        opened("postgresql://anna:secret@127.0.0.1:1/db", "s", plan(), {})
    assert "secret" not in str(error.value)


def test_an_address_that_is_not_clear_is_told_without_its_password(opened):
    with pytest.raises(ConnectionError, match=r"anna:\*\*\*@host:port/db"):
        opened("postgresql://anna:secret@host:port/db", "s", plan(), {})
    with pytest.raises(ValueError, match="must have one @") as error:
        opened("postgresql://anna:se@cret@host/db", "s", plan(), {})
    assert "cret@" not in str(error.value)


def test_a_file_that_is_no_database_is_told(tmp_path, opened):
    (tmp_path / "s.db").write_text("notes " * 100)
    with pytest.raises(ConnectionError, match="file is not a database"):
        opened(tmp_path / "s.db", "s", plan(), {})


def test_a_database_of_another_version_of_optuna_is_told(tmp_path, opened):
    opened(tmp_path / "s.db", "s", plan(), {"base": 0})
    with contextlib.closing(sqlite3.connect(tmp_path / "s.db")) as database, database:
        database.execute("update alembic_version set version_num = 'v99'")
    with pytest.raises(ConnectionError, match="no longer compatible with the table schema"):
        opened(tmp_path / "s.db", "s", plan(), {"base": 0})


def test_processes_that_come_to_an_empty_database_at_once_share_it(tmp_path):
    ready = threading.Barrier(6)

    def name(_):
        ready.wait()
        with open_study(tmp_path / "s.db", "s", plan(), {"base": 0}) as study:
            return study._study_id

    with ThreadPoolExecutor(6) as threads:
        assert len(set(threads.map(name, range(6)))) == 1


@pytest.mark.slow
def test_two_processes_of_which_one_is_killed_lose_no_trial(tmp_path):
    two_workers_one_killed(str(tmp_path / "s.db"), tmp_path)
