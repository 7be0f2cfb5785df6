"""Texts and images without what tells of the machine, and the person, that they come from."""

from __future__ import annotations

import contextlib
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
_PART = r"[^\s\\/'\",;:()\[\]]+"
_PATH = re.compile(
    r"(?<![\w.\\/~])(?:(?:~[\w.-]*|[\w.@-]+:)?"  # a home; a drive, a host, or file:
    r"(?:\\+|/|(?<!:)/{2,}|/{3,})"
    r"|(?:file|nfs|smb|ssh|sftp)://)"  # other URLs are places of the net
    rf"{_PART}(?:[\\/]+{_PART})*[\\/]*"
)
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
    if home := _home():
        text = text.replace(str(home), "/home")  # which may hold a space
    text = _PATH.sub("PATH", text)
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


def _home() -> Path | None:
    """Home of the user; None where there is none or all is in it, as in containers."""
    with contextlib.suppress(RuntimeError):
        return Path.home() if Path.home().name else None
    return None


def _user() -> str:
    """Name of the user; empty where there is none."""
    with contextlib.suppress(KeyError, OSError, ImportError):
        return getpass.getuser()
    return ""


def _names() -> dict[str, str]:
    """What to call user and machine instead of by their names, the longest first."""
    host, home = socket.gethostname(), _home()
    found = dict.fromkeys([_user(), home.name if home else ""], "USER")
    found |= dict.fromkeys([host, host.partition(".")[0]], "HOST")
    return {name: found[name] for name in sorted(found, key=len, reverse=True) if name}
