"""Keeps shapes such as (*batch, [set,] ny, nx) of docstrings from being read as Markdown."""

from __future__ import annotations

import re
from typing import Any

import griffe

_CODE = r"``.+?``|`[^`]+`"
_EMPHASIS = r"\*(?!\*?\w+:)"  # but not the name of an argument, **options:
_LINK = r"(?<=\] )\["  # [frame,] [spoke,]
_CODE_OR_MARK = re.compile(f"{_CODE}|{_EMPHASIS}|{_LINK}", re.DOTALL)
_ENTITIES = {"*": "&#42;", "[": "&#91;"}


class LiteralDocstrings(griffe.Extension):
    """Takes asterisks and pairs of brackets for what they are, outside of code."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of whatever has one."""
        if obj.docstring:
            obj.docstring.value = literal(obj.docstring.value)


def literal(text: str) -> str:
    """Markdown that shows `text` as it is, but for code in backticks."""
    return _CODE_OR_MARK.sub(lambda match: _ENTITIES.get(match[0], match[0]), text)
