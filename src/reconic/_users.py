"""A user's own code: its modules by name, and the line of it where an error came from."""

from __future__ import annotations

import importlib
import sysconfig
import traceback
from pathlib import Path
from types import ModuleType

__all__ = ["line_of", "named_module"]

_FOREIGN = (str(Path(__file__).parent), sysconfig.get_paths()["stdlib"], "<")


def named_module(name: str) -> ModuleType:
    """Module of an import path.

    Raises:
        ValueError: If it is not found, or fails as it is imported; tells which, and why.
    """
    try:
        return importlib.import_module(name)
    except Exception as error:  # whatever the user's code raises
        missing = getattr(error, "name", None) if isinstance(error, ModuleNotFoundError) else None
        if missing and f"{name}.".startswith(f"{missing}."):
            raise ValueError(
                f"No module named {missing!r} is installed, in this folder or beside the "
                "configuration."
            ) from None
        text = f"{type(error).__name__}: {error}{line_of(error)}".rstrip(".")
        raise ValueError(f"importing {name!r} fails with {text}.") from error


def line_of(error: BaseException) -> str:
    """Innermost line of the user's code that led to an error, as ", at file:line: `code`"."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if not f.filename.startswith(_FOREIGN) and _is_own(f.filename)]
    return f", at {own[-1].filename}:{own[-1].lineno}: `{own[-1].line}`" if own else ""


def _is_own(file: str) -> bool:
    return not {"site-packages", "dist-packages"} & {*Path(file).parts}
