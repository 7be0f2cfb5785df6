"""A user's own modules, and the line of theirs where an error came from."""

import sys

import pytest

from reconic._users import line_of, named_module


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder on Python's path, with modules that are forgotten."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def f(:", r"importing 'mine_x' fails with SyntaxError: .*mine_x.py, line 1\)\.$"),
        ("import nothing_here_x", r"fails with ModuleNotFoundError: No module named 'nothing_here"),
        ("a = 1\n1 / a.b", r"AttributeError: .*mine_x.py:2: `1 / a.b`"),
    ],
)
def test_what_fails_in_a_module_is_told(folder, text, message):
    (folder / "mine_x.py").write_text(text)
    with pytest.raises(ValueError, match=message):
        named_module("mine_x")


@pytest.mark.parametrize("name", ["absent_x", "absent_x.deeper"])
def test_a_missing_module_is_told_where_to_put(name):
    with pytest.raises(ValueError, match=r"No module named 'absent_x' is installed"):
        named_module(name)


def test_the_line_is_the_users_not_that_of_a_library(folder):
    (folder / "mine_y.py").write_text("import json\n\ndef f():\n    return json.loads('{')\n")
    with pytest.raises(ValueError, match="Expecting") as caught:
        named_module("mine_y").f()
    assert line_of(caught.value) == f", at {folder / 'mine_y.py'}:4: `return json.loads('{{')`"
    assert line_of(ValueError()) == ""
