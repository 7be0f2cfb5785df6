"""What a study found: the best configuration, and one HTML page that needs nothing else."""

from __future__ import annotations

import html
import os
import warnings
from pathlib import Path
from typing import Any

import optuna
import yaml
from optuna.trial import FixedTrial, TrialState

from reconic.search.space import Space, placed
from reconic.track import write_text
from reconic.view.figures import PLOTLY

__all__ = ["write_best", "write_report"]

_SHADES = [[0, "#a6cbe3"], [1, "#08306b"]]  # the palest is still seen on white
_STYLE = """body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:62rem;color:#222}
table{border-collapse:collapse;width:100%;font-size:13px}td,th{padding:.25rem .6rem;text-align:left;
border-bottom:1px solid #ddd;font-variant-numeric:tabular-nums}tr.best{background:#e8f1fa}"""


def write_best(study: optuna.Study, folder: Path) -> Path | None:
    """Write the configuration of the best trial as `best.yaml`; None if no trial is complete.

    It is made of what the study searches, as the trial may have run on another machine.
    """
    if not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        return None
    searched = study.user_attrs["search"]
    values = Space(searched["space"]).suggest(FixedTrial(study.best_params))
    config = placed(searched["config"], values)
    path = folder / "best.yaml"
    write_text(path, yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
    return path


def write_report(study: optuna.Study, path: Path, metric: str) -> None:
    """Write history, importances, parallel coordinates, slices and all trials to one HTML file.

    Args:
        study: Study with at least one complete trial.
        path: File to write.
        metric: What was compared.
    """
    figures = _figures(study, metric)
    parts = [
        figure.to_html(full_html=False, include_plotlyjs=i == 0) for i, figure in enumerate(figures)
    ]
    title = html.escape(study.study_name)
    write_text(
        path,
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
        f"<style>{_STYLE}</style><h1>{title}</h1><p>{_summary(study, metric)}</p>"
        f"{''.join(parts)}<h2>Trials</h2>{_table(study, path.parent)}</html>\n",
    )


def _figures(study: optuna.Study, metric: str) -> list[Any]:
    import optuna.visualization as draw

    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    figures = [draw.plot_optimization_history(study, target_name=metric)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        varied = len({t.value for t in complete}) > 1
        if varied:
            figures.append(draw.plot_param_importances(study, target_name=metric))
        figures.append(_shaded(draw.plot_parallel_coordinate(study, target_name=metric)))
        figures.append(draw.plot_slice(study, target_name=metric))
    figures[0].update_xaxes(dtick=max(1, len(study.get_trials(deepcopy=False)) // 10))
    for figure in figures:
        figure.update_layout(template=PLOTLY)
        figure.update_traces(marker_colorscale=_SHADES, selector={"type": "scatter"})
    return figures


def _shaded(parallel: Any) -> Any:
    """Parallel coordinates whose lines are all seen on white, in the shades of the colour bar."""
    from plotly.colors import sample_colorscale

    *lines, bar = parallel.data
    for line in lines:
        place = line.y[0]  # of the metric, from 0 for the smallest to 1
        at = 1 - place if bar.marker.reversescale else place
        line.update(line_color=sample_colorscale(_SHADES, at)[0], opacity=1)
    return parallel


def _summary(study: optuna.Study, metric: str) -> str:
    states = [t.state for t in study.get_trials(deepcopy=False)]
    counts = ", ".join(f"{states.count(s)} {s.name.lower()}" for s in dict.fromkeys(states))
    return html.escape(
        f"Best {metric}: {study.best_value:.5g}, trial {study.best_trial.number}. Trials: {counts}."
    )


def _table(study: optuna.Study, home: Path) -> str:
    trials, best = study.get_trials(deepcopy=False), study.best_trial.number
    names = sorted({name for t in trials for name in t.params})
    head = "".join(f"<th>{html.escape(n)}" for n in ("trial", "state", "value", *names, "run"))
    rows = []
    for t in trials:
        value = "" if t.value is None else f"{t.value:.5g}"
        params = [_cell(t.params.get(n, "")) for n in names]
        run = t.user_attrs.get("folder", "")
        run = os.path.relpath(run, home) if run and Path(run).is_dir() else ""  # else elsewhere
        cells = [str(t.number), t.state.name.lower(), value, *params, run]
        mark = " class=best" if t.number == best else ""
        rows.append(f"<tr{mark}>" + "".join(f"<td>{html.escape(c)}" for c in cells))
    return f"<table><tr>{head}{''.join(rows)}</table>"


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
