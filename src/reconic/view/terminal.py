"""Pictures inside a terminal that can show them: kitty, iTerm2, and what speaks sixel."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Mapping
from typing import Literal

import numpy as np
from PIL import Image

__all__ = ["Protocol", "picture_codes", "terminal_protocol"]

Protocol = Literal["kitty", "iterm", "sixel"]
_CHUNK = 4096  # characters of a kitty command, at most
_KITTY = ("kitty", "ghostty")
_ITERM = ("iTerm.app", "WezTerm", "mintty", "vscode", "rio")
_SIXEL = ("foot", "mlterm", "contour", "yaft", "sixel")


def terminal_protocol(environment: Mapping[str, str] | None = None) -> Protocol | None:
    """How the terminal that the environment tells of takes pictures; None if it does not.

    Nothing is asked of the terminal itself, so nothing waits for an answer. `RECONIC_TERMINAL`
    has the last word: kitty, iterm, sixel or none.

    Args:
        environment: Variables; None takes those of this process.
    """
    given = os.environ if environment is None else environment
    match given.get("RECONIC_TERMINAL", ""):
        case "kitty" | "iterm" | "sixel" as asked:
            return asked
        case "none":
            return None
    term, program = given.get("TERM", ""), given.get("TERM_PROGRAM", "")
    if "TMUX" in given or term.startswith(("screen", "tmux")):
        return None  # these keep the codes from the terminal
    if "KITTY_WINDOW_ID" in given or any(k in term or k == program for k in _KITTY):
        return "kitty"
    if program in _ITERM or given.get("LC_TERMINAL") == "iTerm2":
        return "iterm"
    return "sixel" if any(k in term for k in _SIXEL) or "WT_SESSION" in given else None


def picture_codes(png: bytes, protocol: Protocol) -> str:
    """What to write to a terminal so that a picture appears.

    Args:
        png: PNG file.
        protocol: What the terminal understands.

    References:
        The terminal graphics protocol of kitty; inline images of iTerm2; DEC VT340 programmer
        reference, chapter 14.
    """
    if protocol == "sixel":
        with Image.open(io.BytesIO(png)) as image:
            return _sixel(image.convert("RGB"))
    text = base64.standard_b64encode(png).decode()
    if protocol == "iterm":
        return f"\033]1337;File=inline=1;size={len(png)}:{text}\a\n"
    pieces = [text[i : i + _CHUNK] for i in range(0, len(text), _CHUNK)]
    last = len(pieces) - 1
    heads = ["a=T,f=100,q=2," if i == 0 else "" for i in range(len(pieces))]
    codes = (
        f"\033_G{h}m={int(i < last)};{p}\033\\"
        for i, (h, p) in enumerate(zip(heads, pieces, strict=True))
    )
    return "".join(codes) + "\n"


def _sixel(image: Image.Image) -> str:
    """Bands of six rows, each once for every colour in it; 255 colours at most."""
    reduced = image.quantize(255, dither=Image.Dither.NONE)
    index = np.asarray(reduced)
    palette = np.asarray(reduced.getpalette(), np.float64).reshape(-1, 3)
    height, width = index.shape
    out = [f'\033Pq"1;1;{width};{height}']
    for i, colour in enumerate(palette):
        red, green, blue = np.round(colour / 2.55).astype(int)
        out.append(f"#{i};2;{red};{green};{blue}")
    for top in range(0, height, 6):
        band = index[top : top + 6]
        bits = 1 << np.arange(len(band))[:, None]
        rows = (f"#{c}{_runs(((band == c) * bits).sum(0))}" for c in np.unique(band))
        out.append("$".join(rows) + "-")
    return "".join(out) + "\033\\\n"


def _runs(sixels: np.ndarray) -> str:
    """Sixels as characters, repeated ones as a count."""
    edges = np.flatnonzero(np.diff(sixels, prepend=-1))
    lengths = np.diff(edges, append=sixels.size)
    pairs = zip(sixels[edges], lengths, strict=True)
    return "".join(f"!{n}{chr(63 + s)}" if n > 3 else chr(63 + s) * n for s, n in pairs)
