"""Configuration files of DeepInPy as files of Reconic, with the weights that they start from."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml

from reconic.compat.deepinpy.config import to_reconic
from reconic.compat.deepinpy.keys import is_deepinpy, read_json
from reconic.compat.deepinpy.weights import load_checkpoint
from reconic.io import atomic_path
from reconic.track import write_text
from reconic.train.load import make_recon

__all__ = ["Imported", "import_config", "translated"]

_log = logging.getLogger("reconic.compat")


@dataclass(frozen=True)
class Imported:
    """A configuration in Reconic's form.

    Attributes:
        source: The file in DeepInPy's form.
        config: Configuration of `reconic train`.
        notes: By key, what Reconic does in another way.
    """

    source: Path
    config: Mapping[str, Any]
    notes: Mapping[str, str]

    def yaml(self) -> str:
        """The configuration as YAML, its notes as comments."""
        comments = "".join(f"# {line}\n" for line in self.warning().splitlines())
        return comments + yaml.safe_dump(self.config, sort_keys=False, allow_unicode=True)

    def warning(self) -> str:
        """What Reconic does in another way, one line for each key."""
        head = f"{self.source.name} is a configuration of DeepInPy."
        if not self.notes:
            return head
        lines = (f"  {key}: {text}" for key, text in self.notes.items())
        return "\n".join([f"{head} Reconic does some things in another way:", *lines])


def import_config(path: str | Path, weights: str | Path | None = None) -> Imported:
    """Read a configuration of DeepInPy, and convert the weights that it starts from.

    Args:
        path: JSON file in either dialect; a comma before a closing bracket is passed over.
        weights: Folder for the weights of `checkpoint_init` in Reconic's form; by default that of
            the run, logdir/name.

    Returns:
        The configuration of `reconic train` that does the same.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no configuration of DeepInPy, or cannot be done; says what to change.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"import-config: there is no file {str(path)!r}.")
    try:
        raw, had_comma = read_json(path)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"import-config: {path} must be JSON, and is not: {error}.") from error
    if not is_deepinpy(raw):
        raise ValueError(
            f"import-config: {path} must be a flat configuration of DeepInPy, with keys such as "
            "data_file and step, and is not. Reconic's own need no import."
        )
    config, notes = to_reconic(raw)
    if had_comma:
        notes = {"JSON": "a comma before a closing bracket is passed over", **notes}
    if raw.get("checkpoint_init") is not None:
        home = Path(weights or Path(config["logdir"], config["name"]))
        start = _convert(Path(raw["checkpoint_init"]), config["recon"], home)
        config["init"] = str(start)
    return Imported(path, config, notes)


@contextlib.contextmanager
def translated(argv: Sequence[str]) -> Iterator[list[str]]:
    """Command line with each `--config` of DeepInPy replaced by a passing file in Reconic's form.

    What is treated differently is told in one warning.
    """
    words = list(argv)
    with tempfile.TemporaryDirectory() as folder:
        for i, word in enumerate(words):
            key, _, value = word.partition("=")
            if key != "--config":
                continue
            at = i if value else i + 1
            source = Path(value or (words[at] if at < len(words) else ""))
            if _is_deepinpy_file(source):
                found = import_config(source)
                target = Path(folder, f"{i}.yaml")
                write_text(target, found.yaml())
                words[at] = f"--config={target}" if value else str(target)
                _log.warning(found.warning())
        yield words


def _is_deepinpy_file(path: Path) -> bool:
    try:
        return path.is_file() and is_deepinpy(read_json(path)[0])
    except (ValueError, OSError, RecursionError):
        return False


def _convert(source: Path, spec: Mapping[str, Any], folder: Path) -> Path:
    """Write the weights of a DeepInPy checkpoint as those of a recon; named by their contents."""
    recon = make_recon(spec)
    load_checkpoint(recon, source)
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:8]
    target = folder / f"{source.stem}-{digest}.ckpt"
    folder.mkdir(parents=True, exist_ok=True)
    state = {f"recon.{key}": value for key, value in recon.state_dict().items()}
    with atomic_path(target) as temporary:
        torch.save({"state_dict": state}, temporary)
    return target
