"""What the report shows, of a study whose values are known."""

import re

import optuna
import pytest

from reconic.search.report import _SHADES, _figures, write_report


@pytest.fixture(params=["minimize", "maximize"])
def study(request):
    """Four trials at 0.1, 0.2, 0.3, 0.4 with the values 1, 2, 3, 4."""
    found = optuna.create_study(study_name="known", direction=request.param)
    places = {"a": optuna.distributions.FloatDistribution(0, 1)}
    for i in range(1, 5):
        trial = optuna.trial.create_trial(params={"a": i / 10}, distributions=places, value=i)
        found.add_trial(trial)
    return found


def rgb(colour):
    if colour.startswith("#"):
        return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return [float(n) for n in re.findall(r"[\d.]+", colour)]


def test_every_line_of_the_parallel_coordinates_is_seen_and_the_best_is_darkest(study):
    (parallel,) = (f for f in _figures(study, "loss") if "Parallel" in f.layout.title.text)
    *lines, bar = parallel.data
    assert len(lines) == 4
    shades = {round(1 + 3 * line.y[0]): line.opacity * sum(255 - c for c in rgb(line.line.color))
              for line in lines}  # fmt: skip
    palest = sum(255 - c for c in rgb(_SHADES[0][1]))
    assert min(shades.values()) == pytest.approx(palest, abs=1)
    assert palest > 100  # of 765; what is not told from white is near zero
    minimised = study.direction == optuna.study.StudyDirection.MINIMIZE
    assert sorted(shades, key=shades.get, reverse=minimised) == [1, 2, 3, 4]
    assert bool(bar.marker.reversescale) == minimised
    assert [rgb(c) for _, c in bar.marker.colorscale] == [rgb(c) for _, c in _SHADES]


@pytest.mark.slow
@pytest.mark.parametrize("study", ["minimize"], indirect=True)
def test_the_browser_draws_every_line(study, browser, tmp_path):
    write_report(study, tmp_path / "report.html", "loss")
    page = browser.new_page()
    page.goto((tmp_path / "report.html").as_uri())
    plot = page.locator(".js-plotly-plot", has_text="Parallel Coordinate Plot")
    drawn = plot.locator(".scatterlayer .js-line")
    drawn.first.wait_for(state="attached")  # a level line has no height to be seen by
    seen = drawn.evaluate_all(
        "all => all.map(e => [getComputedStyle(e).stroke, getComputedStyle(e).strokeOpacity,"
        " e.closest('.trace').style.opacity, e.getBBox().width])"
    )
    page.close()
    assert len(seen) == 4
    for colour, strength, opacity, width in seen:
        dark = float(strength) * float(opacity or 1) * sum(255 - c for c in rgb(colour)[:3])
        assert dark > 100  # of 765
        assert width > 100  # pixels: from axis to axis
