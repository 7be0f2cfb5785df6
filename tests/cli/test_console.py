"""Tables."""

from reconic.cli.console import format_markdown, format_table, suggest


def test_columns_are_aligned():
    table = format_table(["name", "n"], [["a", "1"], ["long name", "20"]])
    assert table.splitlines() == [
        "name        n",
        "---------  --",
        "a           1",
        "long name  20",
    ]


def test_markdown():
    assert format_markdown(["name", "n"], [["a", "1"]]).splitlines() == [
        "| name | n |",
        "| --- | ---: |",
        "| a | 1 |",
    ]


def test_suggest():
    assert suggest("modl", ["MoDL", "CGSense"]) == " Did you mean 'MoDL'?"
    assert suggest("xyz", ["MoDL"]) == ""
