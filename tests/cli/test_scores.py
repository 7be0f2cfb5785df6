"""Tables of scores."""

import csv
import io

from reconic.cli.scores import difference_table, format_scores, score_table, to_csv
from reconic.track import differences_from

SCORES = {
    "zero-filled": {"nrmse": [0.1, 0.3], "psnr": [30.0, 34.0]},
    "modl": {"nrmse": [0.05], "psnr": [40.0]},
}


def test_means_and_sample_standard_deviations():
    header, rows = score_table(SCORES, counted=True)
    assert header == ["method", "slices", "NRMSE", "PSNR [dB]"]
    assert rows == [
        ["zero-filled", "2", "0.2000 ± 0.1414", "32.00 ± 2.83"],
        ["modl", "1", "0.0500", "40.00"],
    ]
    assert "slices" not in format_scores(SCORES)


def test_differences_with_their_intervals():
    scores = {"a": {"psnr": [1.0, 2.0]}, "b": {"psnr": [2.0, 3.0]}, "c": {"psnr": [0.5]}}
    header, rows = difference_table(differences_from("a", scores), "a")
    assert header == ["less a", "PSNR [dB]"]
    assert rows == [["b", "+1.00 [+1.00, +1.00]"], ["c", "-0.50"]]


def test_csv_has_all_of_it():
    text = to_csv(SCORES, differences_from("zero-filled", SCORES))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(r["method"], r["metric"]) for r in rows] == [
        ("zero-filled", "nrmse"), ("zero-filled", "psnr"), ("modl", "nrmse"), ("modl", "psnr")
    ]  # fmt: skip
    assert (rows[1]["mean"], rows[1]["difference"]) == ("32.0", "")
    assert (rows[3]["sd"], rows[3]["difference"], rows[3]["pairs"]) == ("nan", "10.0", "1")
