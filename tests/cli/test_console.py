"""Lines and tables."""

import subprocess
import sys

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


def test_printing_goes_on_where_nobody_reads():
    code = "from reconic.cli.console import say\nfor i in range(3): say('x' * 10000)\nexit(7)"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as writer:
        writer.stdout.close()
        assert writer.stderr.read() == b""
    assert writer.returncode == 7
