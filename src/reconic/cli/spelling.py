"""Parsers of commands, which name the nearest valid key, class or value for a misspelt one."""

from __future__ import annotations

import argparse
import contextlib
import inspect
import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import yaml
from jsonargparse import ArgumentParser, Namespace

from reconic._users import named_module
from reconic.cli.console import suggest

__all__ = [
    "Parsed",
    "config_files",
    "make_parser",
    "parse",
    "parsed",
    "passing_file",
    "read_config",
    "usage_error",
]

_NOISE = re.compile(
    r"Does not validate against|Subtypes:|Errors:|Given value|Expected a <class 'NoneType'>|"
    r"Problem with given class_path|Parser key "
)
_HOMES = {"data": "train", "scene": "descend", "ksp": "recon"}  # whose configurations have them
_NUMBERS = re.compile(r"-?[\d.]+([eE][+-]?\d+)?(,-?[\d.]+([eE][+-]?\d+)?)+")
_FOREIGN = re.compile(r"(?s).*class_path '(?P<cls>[\w.]+)'.*?Option '(?P<key>\w+)' is not accepted")
_FOREIGN_CALLABLE = re.compile(
    r"Option '(?P<key>\w+)' is not accepted.*?"
    r"Namespace\((init_args=Namespace\([^()]*\), )?class_path='(?P<cls>[\w.]+)'"
)


def make_parser(command: str, description: str, *, config: bool = True) -> ArgumentParser:
    """Parser for `parse`, of `reconic COMMAND`, by default with `--config FILE`."""
    parser = ArgumentParser(
        prog=f"reconic {command}", description=description, exit_on_error=False, allow_abbrev=False
    )
    if config:
        parser.add_argument("--config", action="config", help="JSON or YAML file of any keys.")
    return parser


def parse(parser: ArgumentParser, argv: Sequence[str], bases: Sequence[type] = ()) -> Namespace:
    """Parse a command line and the config files that it names.

    Args:
        parser: Made by `make_parser`, or with the same settings.
        argv: Command line without the command.
        bases: Classes whose subclasses may stand in configs by their short names.

    Raises:
        ArgumentError: With one line that names what is wrong, and the nearest right name.
    """
    classes = {c.__name__: c for base in bases for c in _subclasses(base)}
    keys = [action.dest for action in parser._actions if not re.search(r"(^|\.)help$", action.dest)]
    try:
        reads = any(type(action).__name__ == "ActionConfigFile" for action in parser._actions)
        configs = [read_config(path) for path in config_files(argv)] if reads else []
        for config in configs:
            _check_mapping(config, keys, classes, "")
        with _own_defaults(parser, argv, configs, bases, classes):
            return parser.parse_args(_bracketed(parser, argv))
    except argparse.ArgumentError as error:
        raise argparse.ArgumentError(None, _explain(str(error), keys, classes)) from None


def _bracketed(parser: ArgumentParser, argv: Sequence[str]) -> list[str]:
    """Command line in which numbers with commas are lists, where an option takes several."""
    several = {
        f"--{action.dest}"
        for action in parser._actions
        if re.search(r"(tuple|list)\[(int|float)", str(getattr(action, "_typehint", "")))
    }
    found, option = [], ""
    for word in argv:
        name, equals, value = word.partition("=")
        if equals and name in several and _NUMBERS.fullmatch(value):
            word = f"{name}=[{value}]"
        elif option in several and _NUMBERS.fullmatch(word):
            word = f"[{word}]"
        found.append(word)
        option = word
    return found


class Parsed(NamedTuple):
    """A configuration, and the parser that it came from."""

    parser: ArgumentParser
    config: Namespace


def parsed(parser: ArgumentParser, path: Path, bases: Sequence[type] = ()) -> Parsed:
    """Parse a configuration file alone; see `parse`."""
    return Parsed(parser, parse(parser, ["--config", str(path)], bases))


def _subclasses(base: type) -> Iterator[type]:
    yield base
    for cls in base.__subclasses__():
        yield from _subclasses(cls)


@contextlib.contextmanager
def _own_defaults(
    parser: ArgumentParser,
    argv: Sequence[str],
    configs: Sequence[Mapping[str, Any]],
    bases: Sequence[type],
    classes: Mapping[str, type],
) -> Iterator[None]:
    """Let a class that is named have its own defaults, inside a `with` block.

    Of those of the class that stands there by default only what the parser spells out carries over.
    """
    before, own = {}, {}
    for action in parser._actions:
        default = action.default
        default = default.as_dict() if isinstance(default, Namespace) else default
        if not isinstance(default, Mapping) or "class_path" not in default:
            continue
        name = _class_named(action.dest, argv, configs)
        cls = None if name is None else _find(name, classes)
        there = _find(default["class_path"], classes)
        if isinstance(cls, type) and any(
            issubclass(cls, b) and issubclass(there, b) for b in bases
        ):
            valid = _parameters(cls)
            kept = {k: v for k, v in default.get("init_args", {}).items() if k in valid}
            path = f"{cls.__module__}.{cls.__qualname__}"
            before[action.dest] = default
            own[action.dest] = {"class_path": path, "init_args": kept}
    parser.set_defaults(own)
    try:
        yield
    finally:
        parser.set_defaults(before)


def _class_named(key: str, argv: Sequence[str], configs: Sequence[Mapping[str, Any]]) -> str | None:
    """Class that config files or the command line, which has the last word, give for a key."""
    given = [config.get(key) for config in configs]
    for i, word in enumerate(argv):
        option, equals, value = word.partition("=")
        if option in (f"--{key}", f"--{key}.class_path"):
            given.append(_value(value if equals else "".join(argv[i + 1 : i + 2])))
    specs = (value.get("class_path") if isinstance(value, dict) else value for value in given)
    names = [name for name in specs if isinstance(name, str)]
    return names[-1] if names else None


def _value(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return None


def config_files(argv: Sequence[str]) -> Iterator[Path]:
    """Files that the options --config of a command line name."""
    for i, word in enumerate(argv):
        if word.startswith("--config="):
            yield Path(word.partition("=")[2])
        elif word == "--config" and i + 1 < len(argv):
            yield Path(argv[i + 1])


def read_config(path: Path) -> Mapping[str, Any]:
    """Read a JSON or YAML file of keys and values."""
    if not path.is_file():
        usage_error(f"--config: the file {str(path)!r} does not exist.")
    text = path.read_text(encoding="utf-8")
    try:
        config = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (json.JSONDecodeError, yaml.YAMLError) as error:
        usage_error(f"--config: {path} cannot be read: {' '.join(str(error).split())}")
    if not isinstance(config, dict):
        usage_error(f"--config: {path} must hold keys and values, got {type(config).__name__}.")
    return config


@contextlib.contextmanager
def passing_file(config: Mapping[str, Any]) -> Iterator[Path]:
    """Passing file with a configuration."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "config.json")
        path.write_text(json.dumps(config), encoding="utf-8")
        yield path


def _check_mapping(
    config: Mapping[str, Any], keys: Sequence[str], classes: Mapping[str, type], prefix: str
) -> None:
    """Check a config's keys against the parser's, and what is inside class specifications."""
    valid = {key[len(prefix) :].partition(".")[0] for key in keys if key.startswith(prefix)}
    for key, value in config.items():
        if key not in valid:
            home = f" It is one of `reconic {_HOMES[key]}`." if key in _HOMES else ""
            near = home or suggest(str(key), valid)
            usage_error(f"there is no key {prefix + str(key)!r}.{near}")
        inside = f"{prefix}{key}."
        if any(k.startswith(inside) for k in keys):
            if not isinstance(value, dict):
                usage_error(f"'{prefix}{key}' must hold keys and values, got {value!r}.")
            _check_mapping(value, keys, classes, inside)
        else:
            _check_classes(value, classes, prefix + str(key))


def _check_classes(value: Any, classes: Mapping[str, type], where: str) -> None:
    """Check the keys of every {"class_path": …, "init_args": …} inside a value."""
    if isinstance(value, list):
        for i, item in enumerate(value):
            _check_classes(item, classes, f"{where}[{i}]")
    elif isinstance(value, dict):
        if "class_path" in value:
            _check_spec(value, classes, where)
        else:
            for key, item in value.items():
                _check_classes(item, classes, f"{where}.{key}")


def _check_spec(spec: Mapping[str, Any], classes: Mapping[str, type], where: str) -> None:
    for key in spec:
        if key not in ("class_path", "init_args", "dict_kwargs"):
            usage_error(
                f"there is no key '{where}.{key}'.{suggest(key, ['class_path', 'init_args'])}"
            )
    arguments = spec.get("init_args", {})
    if not isinstance(arguments, dict):
        usage_error(f"'{where}.init_args' must hold keys and values, got {arguments!r}.")
    cls = _find(str(spec["class_path"]), classes)
    valid = _parameters(cls)
    for key, value in arguments.items():
        if key not in valid:
            usage_error(
                f"there is no key '{where}.init_args.{key}': {cls.__name__} has no argument "
                f"{key!r}.{suggest(key, valid)}"
            )
        _check_classes(value, classes, f"{where}.init_args.{key}")


def _find(path: str, classes: Mapping[str, type]) -> type:
    module, _, name = path.rpartition(".")
    if not module:
        if name not in classes:
            usage_error(f"there is no class {name!r}.{suggest(name, classes)}")
        return classes[name]
    try:
        home = named_module(module)
    except ValueError as error:
        usage_error(f"there is no class {path!r}: {error}{suggest(name, classes)}")
    if not hasattr(home, name):
        usage_error(f"there is no class {path!r}.{suggest(name, [*classes, *vars(home)])}")
    return getattr(home, name)


def _parameters(cls: type) -> list[str]:
    return [
        name for name in inspect.signature(cls).parameters if name not in ("self", "args", "kwargs")
    ]


def _explain(message: str, keys: Sequence[str], classes: Mapping[str, type]) -> str:
    """One line from a message of the parser."""
    where = ".".join(re.findall(r'Parser key "([^"]+)"', message))
    if match := re.search(r"unrecognized arguments: (--?([^\s=]+)|\S+)", message):
        if match[2] is None:
            return f"there is no place for {match[1]!r}. Options start with --."
        near = suggest(f"--{match[2]}", [f"--{key}" for key in keys])
        return f"there is no option '--{match[2]}'.{near}"
    if match := re.search(r"Expected a dot import path string: (\S+)", message):
        if match[1] in classes:
            return f"{where}: {match[1]!r} is of another kind than is wanted here."
        return f"there is no class {match[1]!r}.{suggest(match[1], classes)}"
    if (match := _FOREIGN.search(message)) or (match := _FOREIGN_CALLABLE.search(message)):
        key, cls = match["key"], _find(match["cls"], classes)
        return f"{cls.__name__} has no argument {key!r}.{suggest(key, _parameters(cls))}"
    if match := re.search(r"following arguments are required: (.+)", message):
        return f"{where + ': ' if where else ''}required, but not given: {match[1]}."
    return _bad_value(where, message)


def _bad_value(where: str, message: str) -> str:
    """Line about a value of a wrong kind; types as people write them."""
    kept = [line.strip(" -") for line in message.splitlines() if not _NOISE.search(line)]
    inline = re.findall(r'Parser key "[^"]+":[ ]*(\S.*)', message)
    text = " ".join(" ".join([*inline, *kept]).split()) or " ".join(message.split())
    value = re.search(r"(?:Given value|Got value): (.+)", message)
    text = re.sub(r" ?Got value: .*", "", text)
    choices = re.findall(r"'([^']+)'", "".join(re.findall(r"Literal\[(.*?)\]", text)))
    text = re.sub(r"<class '([\w.]+)'>", r"\1", text)
    text = re.sub(r"(?:typing\.)?Literal\[(.*?)\]", r"one of \1", text).replace(
        "Expected a one", "Expected one"
    )
    text = (
        text.replace(" Expected ", " or ")
        .replace("Expected", "expected")
        .replace("a int", "an int")
        .replace(" or a tuple", "")  # of another length
        .replace("expected a tuple", "expected numbers with commas, such as 128,128")
    )
    ending = f", got {value[1]}.{suggest(value[1], choices)}" if value else ""
    return f"{where}: {text.rstrip('.')}{ending}" if where else f"{text}{ending}"


def usage_error(message: str) -> NoReturn:
    """End the command with a message and status 2."""
    raise argparse.ArgumentError(None, message)
