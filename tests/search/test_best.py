"""The best configuration and the table of all trials."""

import re

import optuna
import pytest
import yaml
from optuna.trial import TrialState, create_trial

from reconic.search import write_best, write_report
from reconic.search.report import _summary, _table

PLACES = {"lr": optuna.distributions.FloatDistribution(0, 1)}


@pytest.fixture
def study(tmp_path):
    """Trials of the values 2, 1, 3 in run folders, and one that failed on another machine."""
    found = optuna.create_study()
    space = {"lr": {"low": 0.0, "high": 1.0}}
    found.set_user_attr("search", {"config": {"lr": 9, "epochs": 3}, "space": space})
    for i, value in enumerate((2.0, 1.0, 3.0)):
        run = tmp_path / "runs" / f"version_{i}"
        run.mkdir(parents=True)
        params, attributes = {"lr": i / 10}, {"folder": str(run)}
        found.add_trial(
            create_trial(params=params, distributions=PLACES, value=value, user_attrs=attributes)
        )
    elsewhere = {"folder": str(tmp_path / "runs" / "version_9")}  # on another machine
    found.add_trial(
        create_trial(
            params={"lr": 0.5}, distributions=PLACES, state=TrialState.FAIL, user_attrs=elsewhere
        )
    )
    return found


def test_the_best_configuration_is_kept(study, tmp_path):
    assert write_best(study, tmp_path) == tmp_path / "best.yaml"
    assert yaml.safe_load((tmp_path / "best.yaml").read_text()) == {"lr": 0.1, "epochs": 3}
    assert write_best(optuna.create_study(), tmp_path) is None


def test_the_table_lists_every_trial_and_marks_the_best(study, tmp_path):
    table = _table(study, tmp_path)
    assert "<tr class=best><td>1<td>complete<td>1<td>0.1<td>runs/version_1" in table
    assert table.count("class=best") == 1
    assert table.endswith("<tr><td>3<td>fail<td><td>0.5<td></table>")
    assert _summary(study, "loss") == "Best loss: 1, trial 1. Trials: 3 complete, 1 fail."


def test_a_report_of_equal_values_has_no_importances_and_needs_nothing_else(tmp_path):
    study = optuna.create_study(study_name="<known>")
    for x in (0.1, 0.2):
        study.add_trial(create_trial(params={"lr": x}, distributions=PLACES, value=1.0))
    write_report(study, tmp_path / "report.html", "loss")
    page = (tmp_path / "report.html").read_text()
    assert "<title>&lt;known&gt;</title>" in page
    assert not re.search(r"<(script|link)[^>]* (src|href)=", page)
