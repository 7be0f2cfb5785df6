"""Tables."""

from reconic.cli.console import format_scores, format_table


def test_columns_are_aligned():
    table = format_table(["name", "n"], [["a", "1"], ["long name", "20"]])
    assert table.splitlines() == [
        "name        n",
        "---------  --",
        "a           1",
        "long name  20",
    ]


def test_scores():
    lines = format_scores({"modl": {"nrmse": 0.12345, "psnr": 30.0, "ssim": 0.9}}).splitlines()
    assert lines[0].split() == ["method", "NRMSE", "PSNR", "[dB]", "SSIM"]
    assert lines[2].split() == ["modl", "0.1235", "30.00", "0.9000"]
