"""Turns LaTeX into MathML while the site is built: no script, no font, no network to read it."""

from __future__ import annotations

import html
import re

from latex2mathml.converter import convert
from mkdocs.exceptions import PluginError

_MATHS = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)


def on_page_content(content: str, **_: object) -> str:
    """Replace what `pymdownx.arithmatex` has marked."""
    return _MATHS.sub(_mathml, content)


def _mathml(match: re.Match[str]) -> str:
    latex, block = html.unescape(match[2]).strip(), match[1] == "div"
    mathml = convert(latex, display="block" if block else "inline")
    if "\\" in mathml:  # what is not known is passed through
        raise PluginError(
            f"latex2mathml must know every command, got {latex!r}. Spell it another way."
        )
    return f'<div class="maths">{mathml}</div>' if block else mathml
