"""Makes a page of the API for each public package, of the names in its `__all__`."""

from __future__ import annotations

import ast
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

SOURCE = Path(__file__).parents[2] / "src" / "reconic"
_INTERNAL = {"cli", "compat"}  # a program; a folder of packages


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add `api/PACKAGE.md` to the pages."""
    for name, path in public_modules().items():
        files.append(File.generated(config, f"api/{name}.md", content=page(name, path)))
    return files


def public_modules() -> dict[str, Path]:
    """Files of the public modules, by their names without `reconic.`."""
    folders = [*SOURCE.glob("*/__init__.py"), *SOURCE.glob("compat/*/__init__.py")]
    modules = [p for p in SOURCE.glob("*.py") if not p.name.startswith("_")]
    named = {_name(p.parent): p for p in folders} | {_name(p.with_suffix("")): p for p in modules}
    return {n: p for n, p in sorted(named.items()) if n not in _INTERNAL and n[0] != "_"}


def page(name: str, path: Path) -> str:
    """Markdown of a module's page; mkdocstrings fills it."""
    members = "".join(f"\n        - {member}" for member in public_names(path))
    return f"# reconic.{name}\n\n::: reconic.{name}\n    options:\n      members:{members}\n"


def public_names(path: Path) -> list[str]:
    """The `__all__` of a module, read without importing it."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return ast.literal_eval(node.value)
    raise ValueError(f"{path}: a public module must have `__all__`, got none. Add it.")


def _name(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE).parts)
