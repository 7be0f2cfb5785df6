"""What source code says of functions and classes, read without importing it."""

from __future__ import annotations

import ast
import copy
import functools
import importlib.util
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Parameter", "Source", "kind_of", "load", "parameters"]

_ARGUMENT = re.compile(r"^(\w+)(?: \(.*?\))?:\s*(.*)$")


@dataclass(frozen=True)
class Parameter:
    """A parameter of a function or class, as its source has it.

    Attributes:
        name: Its name; that of a dataclass's field has the parameter's before it, with a dot.
        kind: Its annotation; empty without one.
        default: Its default as Python writes it; None where there is none.
        text: What the docstring says of it.
    """

    name: str
    kind: str
    default: str | None
    text: str


class Source:
    """A module's syntax tree, and what its names stand for.

    Args:
        name: Import path. Only the folder of its first part is searched for; nothing is imported.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        top, *rest = name.split(".")
        spec = importlib.util.find_spec(top)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(f"there is no module {top!r} to read the help from.")
        path = Path(spec.origin)
        if rest:
            home = path.parent.joinpath(*rest)
            path = home / "__init__.py" if home.is_dir() else home.with_suffix(".py")
        self.tree = ast.parse(path.read_text(encoding="utf-8"))

    def find(self, name: str, *, own: bool = False) -> tuple[Source, ast.AST] | None:
        """Definition or assigned value of a name, here or where it is imported from.

        Args:
            name: Name, with dots if it is one of an imported module.
            own: Whether to look in this package alone, which is quicker.
        """
        module, _, attribute = name.rpartition(".")
        if module:
            found = self._modules().get(module)
            return load(found).find(attribute) if found else None
        for node in self.tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
                return self, node
            if name in _targets(node):
                return self, node.value  # pyright: ignore[reportAttributeAccessIssue]
            if isinstance(node, ast.ImportFrom) and node.module:
                if own and node.module.partition(".")[0] != self.name.partition(".")[0]:
                    continue
                for alias in node.names:
                    if (alias.asname or alias.name) == name:
                        return load(node.module).find(alias.name)
        return None

    def literal(self, node: ast.AST) -> Any:
        """Value of a literal, or of a name that stands for one; ValueError for anything else."""
        if isinstance(node, ast.Name) and (found := self.find(node.id)):
            return found[0].literal(found[1])
        return ast.literal_eval(node)

    def _modules(self) -> dict[str, str]:
        imports = (n for n in self.tree.body if isinstance(n, ast.Import))
        return {alias.asname or alias.name: alias.name for n in imports for alias in n.names}


@functools.cache
def load(name: str) -> Source:
    """Source of a module, read once."""
    return Source(name)


def parameters(source: Source, node: ast.AST) -> Iterator[Parameter]:
    """Parameters of a function or of a class's `__init__`; those that are dataclasses by field."""
    function, texts = node, _texts(node)
    if isinstance(node, ast.ClassDef):
        if _is_dataclass(node):
            yield from _fields(node, texts)
            return
        function = next(n for n in node.body if getattr(n, "name", "") == "__init__")
        texts |= _texts(function)
    if not isinstance(function, ast.FunctionDef):
        return
    for argument, default in _signature(function.args):
        kind = kind_of(source, argument.annotation) if argument.annotation else ""
        nested = source.find(kind) if kind.isidentifier() else None
        if nested and isinstance(nested[1], ast.ClassDef) and _is_dataclass(nested[1]):
            for field in parameters(*nested):
                yield Parameter(f"{argument.arg}.{field.name}", *_rest(field))
        else:
            text = texts.get(argument.arg, "")
            yield Parameter(argument.arg, kind, default and _default(source, default), text)


def kind_of(source: Source, annotation: ast.expr) -> str:
    """Annotation in which names of literals are spelled out: they are what can be given."""

    class Spelling(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.AST:
            found = source.find(node.id, own=True)
            is_literal = found and ast.unparse(found[1]).startswith("Literal[")
            return found[1] if found and is_literal else node

    return ast.unparse(Spelling().visit(copy.deepcopy(annotation)))


def _default(source: Source, node: ast.expr) -> str:
    """Default, or what a name that stands for it was assigned."""
    found = source.find(node.id, own=True) if isinstance(node, ast.Name) else None
    return ast.unparse(found[1] if found else node)


def _rest(p: Parameter) -> tuple[str, str | None, str]:
    return p.kind, p.default, p.text


def _signature(arguments: ast.arguments) -> list[tuple[ast.arg, ast.expr | None]]:
    usual = [a for a in [*arguments.posonlyargs, *arguments.args] if a.arg not in ("self", "cls")]
    padding: list[ast.expr | None] = [None] * (len(usual) - len(arguments.defaults))
    keyword = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return [*zip(usual, [*padding, *arguments.defaults], strict=True), *keyword]


def _fields(node: ast.ClassDef, texts: dict[str, str]) -> Iterator[Parameter]:
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            name, default = item.target.id, item.value and ast.unparse(item.value)
            yield Parameter(name, ast.unparse(item.annotation), default, texts.get(name, ""))


def _is_dataclass(node: ast.ClassDef) -> bool:
    return any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list)


def _targets(node: ast.AST) -> list[str]:
    targets = getattr(node, "targets", [getattr(node, "target", None)])
    return [t.id for t in targets if isinstance(t, ast.Name)]


def _texts(node: ast.AST) -> dict[str, str]:
    """What the section "Args:" of a Google docstring says of each argument."""
    doc = ast.get_docstring(node) or ""  # pyright: ignore[reportArgumentType]
    section = re.search(r"^Args:\n(.*?)(?=^\S|\Z)", doc, re.MULTILINE | re.DOTALL)
    lines = (section[1] if section else "").splitlines()
    indent = min((len(s) - len(s.lstrip()) for s in lines if s.strip()), default=0)
    texts: dict[str, list[str]] = {}
    for line in lines:
        if match := _ARGUMENT.match(line[indent:]):
            texts[match[1]] = [match[2]]
        elif texts:
            texts[next(reversed(texts))].append(line.strip())
    return {name: " ".join(" ".join(words).split()) for name, words in texts.items()}
