"""Help of commands, read from their source: it needs neither an engine nor time to import one."""

from __future__ import annotations

import argparse
import ast
import re
from dataclasses import dataclass, field
from typing import Any

from reconic.cli.examples import EXAMPLES
from reconic.cli.source import Parameter, Source, kind_of, load, parameters

__all__ = ["command_help", "command_parser"]

_CLASSES = """A class is given as {"class_path": NAME, "init_args": {...}} in a file, or as
--recon NAME --recon.ARGUMENT VALUE; --recon.help NAME explains the arguments of one."""
_SHOWN = {"?": "[{}]", "+": "{0} [{0} ...]"}  # positional arguments by their nargs
_KINDS = [
    (r" \| None\b", ""),
    (r"Optional\[(.*)\]$", r"\1"),
    (r"Union\[(.*)\]$", r"\1"),
    (r"Callable\[\[.*?\]+, (\w+)\]", r"\1"),
    (r"Literal\[([^\]]*)\]", lambda match: "{" + re.sub(r"[' ]", "", match[1]) + "}"),
]


@dataclass
class _Options:
    """What a function tells its parser."""

    description: str = ""
    usage: str | None = None
    groups: dict[str, list[Parameter]] = field(default_factory=dict)
    positional: list[Parameter] = field(default_factory=list)
    defaults: dict[str, Any] = field(default_factory=dict)

    def add(self, group: str, parameter: Parameter, positional: bool = False) -> None:
        home = self.positional if positional else self.groups.setdefault(group, [])
        home.append(parameter)


def command_help(command: str) -> str:
    """Help of `reconic COMMAND`, with an example.

    Args:
        command: Name of the command.
    """
    text = command_parser(command).format_help().rstrip()
    return f"{text}\n\nexample:\n  {EXAMPLES[command]}"


def command_parser(command: str) -> argparse.ArgumentParser:
    """Options of `reconic COMMAND`, from the calls by which its `run` makes its parser.

    Args:
        command: Name of the command.
    """
    options = _Options()
    module = load(f"reconic.cli.{command.replace('-', '_')}")
    _read(module, "run", options)
    return _parser(f"reconic {command}", options)


def _read(source: Source, function: str, options: _Options) -> None:
    """Collect what a function, and the parser makers that it calls, add to the parser."""
    found = source.find(function)
    if found is None:
        return
    home, node = found
    for item in sorted(ast.walk(node), key=lambda n: getattr(n, "lineno", 0)):
        if isinstance(item, ast.Assign) and isinstance(item.targets[0], ast.Attribute):
            name = item.targets[0].attr
            if name in ("usage", "description"):
                setattr(options, name, home.literal(item.value))
        elif isinstance(item, ast.Call):
            _read_call(home, item, options)


def _read_call(source: Source, call: ast.Call, options: _Options) -> None:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)
    keywords = {k.arg: k.value for k in call.keywords if k.arg}
    if name == "make_parser":
        options.description = source.literal(call.args[1])
        if "config" not in keywords:
            options.add("", Parameter("config", "FILE", None, "JSON or YAML file of any keys."))
    elif name == "ArgumentParser" and "description" in keywords:
        options.description = source.literal(keywords["description"])
    elif name == "add_argument":
        options.add("", *_argument(source, source.literal(call.args[0]), keywords))
    elif name in ("add_function_arguments", "add_class_arguments"):
        _read_signature(source, call, keywords, options)
    elif name == "add_subclass_arguments":
        found = source.find(ast.unparse(call.args[0]))
        text = (ast.get_docstring(found[1]) if found else None) or ""  # pyright: ignore
        key = source.literal(call.args[1])
        options.add("", Parameter(key, ast.unparse(call.args[0]), None, text.partition("\n")[0]))
    elif name == "set_defaults":
        options.defaults |= source.literal(call.args[0])
    elif name.endswith("_parser") or name == "add_processes":
        _read(source, name, options)


def _argument(source: Source, flag: str, keywords: dict[str, ast.expr]) -> tuple[Parameter, bool]:
    """Option of `add_argument`, and whether it is positional."""
    choices = source.literal(keywords["choices"]) if "choices" in keywords else None
    kind = "FILE" if flag == "--config" else ""
    if "nargs" in keywords:
        kind = source.literal(keywords["nargs"])
    elif choices:
        kind = "{" + ",".join(choices) + "}"
    elif "type" in keywords:
        kind = kind_of(source, keywords["type"])
    default = ast.unparse(keywords["default"]) if "default" in keywords else None
    text = " ".join(source.literal(keywords["help"]).split())
    return Parameter(flag.lstrip("-"), kind, default, text), not flag.startswith("-")


def _read_signature(
    source: Source, call: ast.Call, keywords: dict[str, ast.expr], options: _Options
) -> None:
    target = ast.unparse(call.args[0])
    found = source.find(target)
    prefix = source.literal(call.args[1]) if len(call.args) > 1 else ""
    skip = source.literal(keywords["skip"]) if "skip" in keywords else set()
    for p in parameters(*found) if found else ():
        if p.name.partition(".")[0] not in skip:
            name = f"{prefix}.{p.name}" if prefix else p.name
            text = p.text if target.islower() or prefix == "data" else _first_sentence(p.text)
            positional = "as_positional" in keywords and p.default is None
            options.add(prefix, Parameter(name, p.kind, p.default, text), positional)


def _first_sentence(text: str) -> str:
    """Beginning of a text of another package, to its first stop."""
    return re.split(r"(?<!\(ie:)(?<=[.:])\s", text, maxsplit=1)[0]


def _parser(prog: str, options: _Options) -> argparse.ArgumentParser:
    epilog = _CLASSES if any("class_path" in str(v) for v in options.defaults.values()) else None
    parser = argparse.ArgumentParser(
        prog=prog, description=options.description, epilog=epilog, add_help=False
    )
    words = [_SHOWN.get(p.kind, "{}").format(p.name) for p in options.positional]
    parser.usage = options.usage or " ".join([prog, *words, "[options]"])
    for p in options.positional:
        parser.add_argument(p.name, metavar=p.name, choices=_choices(p.kind), help=_escaped(p.text))
    first = parser.add_argument_group("options")
    first.add_argument("--help", action="help", help="Show this, without loading an engine.")
    for group, members in options.groups.items():
        home = parser.add_argument_group(group) if group else first
        for p in members:
            home.add_argument(
                f"--{p.name}",
                metavar=_kind(p.kind),
                choices=_choices(p.kind),
                help=_explained(p, options),
            )
    return parser


def _kind(annotation: str) -> str:
    """Annotation as people write it: no None, choices in braces, a class for what makes one."""
    for pattern, shown in _KINDS:
        annotation = re.sub(pattern, shown, annotation)
    return _escaped(annotation).strip()


def _choices(annotation: str) -> list[str] | None:
    """What can be given, where that is a list in braces."""
    kind = _kind(annotation)
    return kind[1:-1].split(",") if re.fullmatch(r"\{.*\}", kind) else None


def _explained(p: Parameter, options: _Options) -> str:
    default = _spelled(options.defaults[p.name]) if p.name in options.defaults else p.default
    if default and default.startswith("'"):
        default = default.strip("'")
    ending = f" (default: {default})" if default not in (None, "None", "") else ""
    return _escaped(f"{p.text}{ending}")


def _spelled(value: Any) -> str:
    """Default as a short text: a class by its name."""
    if isinstance(value, dict) and "class_path" in value:
        return value["class_path"].rpartition(".")[2]
    return str(value)


def _escaped(text: str) -> str:
    return text.replace("%", "%%").replace("``", "")
