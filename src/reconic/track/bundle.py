"""A run in one archive, to be run again elsewhere: nothing in it tells of the machine."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from reconic.io import atomic_path
from reconic.track.inputs import Fingerprint, fingerprint
from reconic.track.outcome import command_of, figures_of, read_finished
from reconic.track.scrub import is_absolute, plain_png, scrubbed

__all__ = ["Bundle", "Input", "read_bundle", "write_bundle"]

_FORMAT = 1
_TIME = (1980, 1, 1, 0, 0, 0)  # of all members, the first that the format knows
_LARGEST = 2**26  # bytes of a member that is read
# Where results go, what it went on from, and which devices share it, are no part of a run.
_LEFT_OUT = ("name", "logdir", "out", "trackers", "config", "devices", "coordinator", "processes",
             "process", "resume", "trainer.accelerator", "trainer.devices", "trainer.num_nodes",
             "trainer.strategy")  # fmt: skip
_DATA_KEYS = ("train", "val", "test", "init", "ksp", "maps", "traj", "measurement",
              "psf", "method")  # fmt: skip
_TEXTS = ("metrics.jsonl", "results.json", "slices.csv")


@dataclass(frozen=True)
class Input:
    """Data that a run needs and that the bundle does not hold.

    Attributes:
        key: Key of the configuration that names them.
        hint: Where they were, if that was a path below the working folder.
        data: What they are known by; None where they were not there when the bundle was made.
    """

    key: str
    hint: str | None
    data: Fingerprint | None


@dataclass(frozen=True)
class Bundle:
    """What a bundle tells.

    Attributes:
        command: Command that made the run: train, descend or recon.
        config: Its configuration, with `{input:N}` in place of each path.
        inputs: Data that it needs.
        figures: Numbers that it ended with.
        versions: Versions of Python and packages.
    """

    command: str
    config: dict[str, Any]
    figures: dict[str, float | None]
    versions: dict[str, str]
    inputs: list[Input] = field(default_factory=list)

    def filled(self, paths: list[Path]) -> dict[str, Any]:
        """The configuration with the paths of its inputs."""
        names = {f"{{input:{i}}}": str(path) for i, path in enumerate(paths)}
        return _mapped(
            self.config,
            lambda text, _: re.sub(r"\{input:\d+\}", lambda match: names[match[0]], text),
        )


def write_bundle(run: Path, out: Path, weights: Mapping[str, bytes]) -> Bundle:
    """Pack the configuration, versions, metrics and figures of a finished run into a ZIP archive.

    The same run gives the same bytes. Paths become inputs known by their contents; names of the
    user and the machine, logins and secrets are left out, as are the files of TensorBoard and of
    trackers, which hold such.

    Args:
        run: Run folder of `reconic train`, `descend` or `recon`, a trial of a search among them.
        out: Archive to write; appears whole.
        weights: Further members by name, as they are to be.

    Raises:
        FileNotFoundError: If it is no run folder.
        ValueError: If the run did not end, or no command can run it again.
    """
    config, inputs = _without_paths(read_finished(run))
    environment = json.loads((run / "environment.json").read_text(encoding="utf-8"))
    versions = {"python": environment["python"], **environment["packages"]}
    figures = {scrubbed(name): value for name, value in figures_of(run).items()}
    found = Bundle(command_of(config), config, figures, versions, inputs)
    about = {"format": _FORMAT, **asdict(found)}
    about.pop("config")
    members = {
        "bundle.json": (json.dumps(about, indent=2) + "\n").encode(),
        "config.yaml": yaml.safe_dump(config, sort_keys=False, allow_unicode=True).encode(),
    }
    for name in filter(lambda name: (run / name).is_file(), _TEXTS):
        text = (run / name).read_text(encoding="utf-8")
        members[name] = "".join(map(scrubbed, text.splitlines(keepends=True))).encode()
    for path in sorted((run / "figures").rglob("*.png")):
        members[path.relative_to(run).as_posix()] = plain_png(path)
    _write(out, {**members, **weights})
    return found


def _write(out: Path, members: Mapping[str, bytes]) -> None:
    with atomic_path(out) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, _TIME)
            entry.create_system = 3  # of Unix, everywhere
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)


def _without_paths(config: Mapping[str, Any]) -> tuple[dict[str, Any], list[Input]]:
    """Configuration without what is of its machine, and the inputs that stand in it as numbers."""
    inputs: list[Input] = []

    def replaced(text: str, key: str) -> str:
        name = key.rpartition(".")[2]
        if name == "class_path":
            return text
        pieces = text.split(",") if name == "method" else [text]
        made = []
        for piece in pieces:
            path = piece.strip()
            if _is_path(path, name):
                made.append(f"{{input:{len(inputs)}}}")
                inputs.append(Input(key, _hint(path), fingerprint(Path(path).expanduser())))
            else:
                made.append(scrubbed(piece))
        return ",".join(made)

    return _mapped(_kept(config), replaced), inputs


def _kept(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    return {
        key: _kept(value, f"{prefix}{key}.") if isinstance(value, Mapping) else value
        for key, value in config.items()
        if f"{prefix}{key}" not in _LEFT_OUT
    }


def _is_path(text: str, key: str) -> bool:
    looks = "/" in text or bool(Path(text).suffix)
    return is_absolute(text) or (
        bool(text) and (looks or key in _DATA_KEYS) and (Path(text).exists() or _is_data(text, key))
    )


def _is_data(text: str, key: str) -> bool:
    """Whether a text that names nothing here names data elsewhere."""
    return key in _DATA_KEYS and ("/" in text or Path(text).suffix in (".h5", ".npy", ".cfl"))


def _hint(path: str) -> str | None:
    """A relative path or pattern that leads down, if nothing in it tells of the machine."""
    ordinary = not is_absolute(path) and ".." not in Path(path).parts
    plain = re.sub(r"[*?\[\]]", "_", path) + " "  # an absolute path may begin after one of these
    return path if ordinary and scrubbed(plain) == plain else None


def _mapped(value: Any, change: Callable[[str, str], str], key: str = "") -> Any:
    """Nested value with each text changed, given the dotted key that it is under."""
    if isinstance(value, Mapping):
        return {k: _mapped(v, change, f"{key}.{k}".lstrip(".")) for k, v in value.items()}
    if isinstance(value, list):
        return [_mapped(v, change, key) for v in value]
    return change(value, key) if isinstance(value, str) else value


def read_bundle(path: Path) -> Bundle:
    """Read what a bundle tells; nothing is unpacked, and no code in it is run.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no whole bundle, or not one that `write_bundle` made.
    """
    if not path.is_file():
        raise FileNotFoundError(f"reproduce: there is no file {str(path)!r}.")
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                _check_name(path, entry.filename)
            about = json.loads(_read(archive, "bundle.json"))
            config = yaml.safe_load(_read(archive, "config.yaml"))
        return _understood(path, about, config)
    except (zipfile.BadZipFile, KeyError, TypeError, yaml.YAMLError, json.JSONDecodeError,
            UnicodeDecodeError, EOFError, NotImplementedError) as error:  # fmt: skip
        raise ValueError(
            f"reproduce: {path} must be a whole bundle, got one that cannot be read ({error}). "
            "Make it by `reconic bundle RUN`."
        ) from error


def _check_name(path: Path, name: str) -> None:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if is_absolute(name) or ".." in parts or re.match(r"[A-Za-z]:", name):
        raise ValueError(
            f"reproduce: {path} must have members below its own folder, got {name!r}. It is no "
            "bundle of Reconic; do not unpack it."
        )


def _read(archive: zipfile.ZipFile, name: str) -> str:
    size = archive.getinfo(name).file_size
    if size > _LARGEST:
        raise ValueError(
            f"reproduce: {name} must be at most {_LARGEST} bytes, got {size}. It is no bundle of "
            "Reconic."
        )
    return archive.read(name).decode()


def _understood(path: Path, about: dict[str, Any], config: dict[str, Any]) -> Bundle:
    if about["format"] != _FORMAT:
        raise ValueError(
            f"reproduce: {path} must be of format {_FORMAT}, got {about['format']}. Use the "
            "version of Reconic that wrote it."
        )
    inputs = [
        Input(i["key"], i["hint"], i["data"] and Fingerprint(**i["data"])) for i in about["inputs"]
    ]
    strangers = [text for text in _texts(config) if is_absolute(text)]
    strangers += [i.hint for i in inputs if i.hint and is_absolute(i.hint)]
    if strangers or command_of(config) != about["command"]:
        raise ValueError(
            f"reproduce: the configuration in {path} must name no absolute path, got "
            f"{', '.join(strangers) or 'another command'}. It is no bundle of Reconic."
        )
    return Bundle(about["command"], config, about["figures"], about["versions"], inputs)


def _texts(config: Any) -> list[str]:
    found: list[str] = []
    _mapped(config, lambda text, _: found.append(text) or text)
    return found
