"""Texts and images without what tells of the machine, and the person, that they come from."""

from __future__ import annotations

import getpass
import io
import os
import re
import socket
from pathlib import Path

import numpy as np
from PIL import Image

__all__ = ["SECRET", "is_absolute", "plain_png", "scrubbed"]

SECRET = re.compile(r"(?i)api_?key|token|passw|secret|credential")
_LOGIN = re.compile(r"(?<=://)[^/@\s]+@")
_ABSOLUTE = re.compile(r"(?:~[\w.-]*|[A-Za-z]:)?[\\/]")
_PATH = re.compile(r"(?<![\w.:/\\~])(?:~[\w.-]*|[A-Za-z]:)?(?:[\\/][^\s\\/'\",;:()\[\]]+)+[\\/]?")
_IDENTIFIER = re.compile(r"[\w.]*")
_SHORTEST = 8  # length of a secret; a shorter value of a variable may be anything


def scrubbed(text: str) -> str:
    """Text without logins, secrets of the environment, absolute paths, and names of user and host.

    A single word, such as the name of a method, is left as it is even if it is a user's name.
    """
    text = _LOGIN.sub("", text)
    for secret in _secrets():
        text = text.replace(secret, "***")
    if _IDENTIFIER.fullmatch(text):
        return text
    text = _PATH.sub("PATH", text.replace(str(Path.home()), "/home"))  # which may hold a space
    for name, shown in _names().items():
        text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", shown, text)
    return text


def is_absolute(text: str) -> bool:
    """Whether a text is an absolute path, of any system."""
    return _ABSOLUTE.match(text) is not None


def plain_png(path: Path) -> bytes:
    """A PNG file with the pixels of an image file, and nothing else that the file holds."""
    with Image.open(path) as image:
        mode = image.mode if image.mode in ("L", "RGB", "RGBA") else "RGBA"
        pixels = np.asarray(image.convert(mode))
    made = io.BytesIO()
    Image.fromarray(pixels).save(made, "PNG")
    return made.getvalue()


def _secrets() -> list[str]:
    """Values of variables that hold something secret, the longest first."""
    found = {v for k, v in os.environ.items() if SECRET.search(k) and len(v) >= _SHORTEST}
    return sorted(found, key=len, reverse=True)


def _names() -> dict[str, str]:
    """What to call user and machine instead of by their names, the longest first."""
    host = socket.gethostname()
    found = dict.fromkeys([getpass.getuser(), Path.home().name], "USER")
    found |= dict.fromkeys([host, host.partition(".")[0]], "HOST")
    return {name: found[name] for name in sorted(found, key=len, reverse=True) if name}
