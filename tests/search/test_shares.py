"""How processes share the trials of a study: what one of them does about the others."""

import threading
import time
import types
from datetime import timedelta

import optuna
import pytest
from optuna.trial import TrialState, create_trial
from searching import plan, value

from reconic.search import Pruned, is_finished, liveness, open_study, run_trials, trials


@pytest.fixture
def study(tmp_path, opened, monkeypatch):
    monkeypatch.setattr(trials, "_POLL", 0.02)
    return opened(tmp_path / "s.db", "s", plan(), {"base": 0})


def states(study):
    return [t.state for t in study.get_trials()]


def test_signs_of_life_and_retries_are_those_asked_for(tmp_path):
    lives = {"heartbeat": 7, "grace": 9}
    with open_study(tmp_path / "s.db", "s", plan(retries=2), {}, **lives) as study:
        backend = study._storage._backend
        assert (backend.heartbeat_interval, backend.grace_period) == (7, 9)
        assert backend.get_heartbeat_stale_trial_callback()._max_retry == 2
    assert backend.engine.pool.checkedin() == 0  # no connection is left open


def test_a_time_limit_ends_a_study(study, tmp_path):
    for seconds, n in ((1e-9, 0), (1000, 1)):
        settings = plan(n_trials=1, time_limit=seconds)
        run_trials(study, settings, {"base": 0}, lambda c, _: (value(c), tmp_path))
        assert len(states(study)) == n
    assert study.best_trial.user_attrs["folder"] == str(tmp_path)


def test_a_trial_that_another_process_made_superfluous_is_not_run(study, monkeypatch):
    study.add_trial(create_trial(value=1.0))
    seen = iter([False, True, True])  # it came after the first look
    monkeypatch.setattr(trials, "_has_enough", lambda *_: next(seen))
    run_trials(study, plan(n_trials=1), {"base": 0}, None)
    assert states(study) == [TrialState.COMPLETE, TrialState.FAIL]


def test_trials_of_other_processes_are_waited_for(study):
    other = liveness.ask(study, print)
    threading.Timer(0.3, lambda: study.tell(other.number, 1.0)).start()
    run_trials(study, plan(n_trials=1), {"base": 0}, None)
    assert states(study) == [TrialState.COMPLETE]


@pytest.mark.filterwarnings("ignore:Heartbeat of storage")
def test_a_trial_that_never_began_is_given_up(study, tmp_path, monkeypatch):
    monkeypatch.setattr(liveness, "_GRACE", timedelta(0))
    study.ask()  # its process died before it gave a sign of life
    run_trials(study, plan(n_trials=1), {"base": 0}, lambda c, _: (value(c), tmp_path))
    assert states(study) == [TrialState.FAIL, TrialState.COMPLETE]


def test_values_that_are_not_finite_are_no_reports(study, tmp_path):
    def run(config, report):
        report(float("nan"), 0)
        report(2.0, 1)
        return value(config), tmp_path

    run_trials(study, plan(n_trials=1), {"base": 0}, run)
    assert study.trials[0].intermediate_values == {1: 2.0}


def test_a_trial_that_waits_is_left_when_there_are_enough(study, monkeypatch):
    monkeypatch.setattr(trials.time, "sleep", pytest.fail)  # as it would for ever
    study.add_trial(create_trial(value=1.0))
    study.enqueue_trial({"a.x": 0.5})
    run_trials(study, plan(n_trials=1), {"base": 0}, None)
    assert states(study) == [TrialState.COMPLETE, TrialState.WAITING]


def test_a_study_is_finished_with_its_last_trial(study):
    settings = plan(n_trials=1)
    assert not is_finished(study, settings)
    trial = liveness.ask(study, print)
    assert not is_finished(study, settings)
    study.tell(trial, 1.0)
    assert is_finished(study, settings)


@pytest.mark.parametrize("then", ["reports", "is complete", "is pruned"])
def test_a_trial_that_was_taken_for_dead_does_not_stop_its_process(study, tmp_path, then):
    lines, settings = [], plan(n_trials=2)

    def run(config, report):
        if not lines[1:]:
            study.tell(0, state=TrialState.FAIL)  # as another process does
            if then == "is pruned":
                raise Pruned
        if then == "reports":
            report(1.0, 1)
        return value(config), tmp_path

    run_trials(study, settings, {"base": 0}, run, lines.append, lambda _: None)
    assert "trial 0: was taken for dead, and given to another process" in lines
    assert states(study) == [TrialState.FAIL, TrialState.COMPLETE, TrialState.COMPLETE]


def test_a_database_that_is_away_for_a_while_is_waited_for(study, tmp_path, monkeypatch):
    monkeypatch.setattr(liveness, "_AWAY", 0.0)
    backend, times, lines = study._storage._backend, [], []

    def away(name, n):
        call = getattr(backend, name)

        def flaky(*args, **kwargs):
            times.append(name)
            if times.count(name) <= n:
                raise optuna.exceptions.StorageInternalError("server closed the connection")
            return call(*args, **kwargs)

        monkeypatch.setattr(backend, name, flaky)

    away("set_trial_state_values", 2)
    away("set_trial_user_attr", 1)
    away("set_trial_intermediate_value", 1)

    def run(config, report):
        report(1.0, 1)
        return value(config), tmp_path

    run_trials(study, plan(n_trials=2), {"base": 0}, run, lines.append, lambda _: None)
    assert lines.count("waiting for the database") == 3  # a report is not waited for
    assert states(study).count(TrialState.COMPLETE) == 2
    monkeypatch.setattr(liveness, "_PATIENCE", 0.0)
    away("set_trial_user_attr", 9)
    with pytest.raises(ConnectionError, match="got no answer for 0 s"):
        run_trials(study, plan(n_trials=3), {"base": 0}, run, lines.append, lambda _: None)


def test_signs_of_life_are_given_while_a_trial_runs(study, monkeypatch):
    beats = []

    class Storage:
        """Database that is away at the first sign."""

        def get_heartbeat_interval(self):
            return 0.01

        def record_heartbeat(self, number):
            beats.append(number)
            if len(beats) == 1:
                raise optuna.exceptions.StorageInternalError

    monkeypatch.setattr(liveness, "_storage", lambda _: Storage())
    with liveness.living(study, types.SimpleNamespace(_trial_id=5)):
        for _ in range(500):
            if len(beats) >= 2:
                break
            time.sleep(0.01)
    assert beats[:2] == [5, 5]
    ended = len(beats)
    time.sleep(0.03)
    assert len(beats) == ended


@pytest.mark.parametrize("works", [TrialState.COMPLETE, TrialState.PRUNED])
def test_a_study_in_which_something_worked_goes_on_whatever_fails(works):
    study = optuna.create_study()
    failed = {"state": TrialState.FAIL, "user_attrs": {"error": "out of memory"}}
    study.add_trials([create_trial(state=works, value=1.0), *[create_trial(**failed)] * 3])
    trials._check_failures(study)
