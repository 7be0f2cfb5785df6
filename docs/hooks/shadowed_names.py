"""Tells Griffe that `reconic.solvers.cg` is the function, and not the file of the same name."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import griffe


class ShadowedNames(griffe.Extension):
    """Puts a name of `__all__` in the place of the submodule that defines it under its own name."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Look through all packages, once every module has been read."""
        for module, name, target in list(_exported(pkg)):  # all, while their paths still lead there
            inner = target.members.get(name) if isinstance(target, griffe.Module) else None
            if isinstance(inner, griffe.Class | griffe.Function):
                module.members[name] = griffe.Alias(name, inner, parent=module)


def _exported(module: griffe.Module) -> Iterator[tuple[griffe.Module, str, griffe.Object]]:
    """Modules, the names that they export, and what those lead to."""
    for name in filter(module.members.__contains__, map(str, module.exports or ())):
        member = module.members[name]
        with contextlib.suppress(griffe.AliasResolutionError):  # names of other projects
            yield module, name, member.final_target if isinstance(member, griffe.Alias) else member
    for child in module.members.values():
        if isinstance(child, griffe.Module):
            yield from _exported(child)
