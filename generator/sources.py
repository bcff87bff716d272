"""The package as written: its modules, and where the names in them come from."""

from __future__ import annotations

import ast
import builtins
from functools import cache
from pathlib import Path

import attrs

__all__ = ["Class", "Function", "Package", "Source", "names_in"]

Function = ast.FunctionDef | ast.AsyncFunctionDef


def names_in(node: ast.AST | None) -> list[str]:
    """The names that an expression refers to, builtins apart."""
    if node is None:
        return []
    names = [item.id for item in ast.walk(node) if isinstance(item, ast.Name)]
    return [name for name in names if not hasattr(builtins, name)]


@attrs.frozen(eq=False)
class Source:
    """A module; `name` is its place in the package, such as `resources.records`."""

    name: str
    tree: ast.Module
    is_package: bool

    @property
    def classes(self) -> dict[str, ast.ClassDef]:
        """The classes defined here."""
        return {node.name: node for node in self.tree.body if isinstance(node, ast.ClassDef)}

    def import_of(self, name: str) -> str:
        """The statement that imports a name, as this module knows it, one folder further down."""
        for node in ast.walk(self.tree):
            if not isinstance(node, ast.Import | ast.ImportFrom):
                continue
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return self._moved(node, alias)
        return f"from ..{self.name} import {name}"

    def origin_of(self, name: str) -> tuple[str, str] | None:
        """The module of the package that a name is imported from, and what it is called there."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom) and node.level:
                for alias in node.names:
                    if (alias.asname or alias.name) == name:
                        return self._module(node), alias.name
        return None

    def _moved(self, node: ast.Import | ast.ImportFrom, alias: ast.alias) -> str:
        if isinstance(node, ast.Import):
            return ast.unparse(ast.Import([alias]))
        if node.level:
            return ast.unparse(ast.ImportFrom(self._module(node), [alias], 2))
        return ast.unparse(ast.ImportFrom(node.module, [alias], 0))

    def _module(self, node: ast.ImportFrom) -> str:
        parts = self.name.split(".")
        above = parts[: len(parts) - node.level + self.is_package]
        return ".".join([*above, *filter(None, [node.module])])


@attrs.frozen(eq=False)
class Class:
    """A class, with what it inherits within the package."""

    source: Source
    node: ast.ClassDef
    #: Functions by name (overloads share one), each with the module that it was written in.
    functions: dict[str, list[tuple[Source, Function]]]

    @property
    def name(self) -> str:
        """Its name."""
        return self.node.name

    @property
    def is_async(self) -> bool:
        """Whether it can only be used in an event loop."""
        return not self.functions.keys().isdisjoint(
            {"__await__", "__aiter__", "__anext__", "__aenter__"}
        ) or any(
            isinstance(function, ast.AsyncFunctionDef)
            for written in self.functions.values()
            for _, function in written
        )

    @property
    def attributes(self) -> dict[str, ast.expr]:
        """Public attributes and their types: declared in the class, or in its constructor."""
        written = [function for _, function in self.functions.get("__init__", [])]
        return {
            name: node.annotation
            for block in (self.node, *written)
            for node in block.body
            if isinstance(node, ast.AnnAssign)
            and not (name := ast.unparse(node.target).removeprefix("self.")).startswith("_")
        }


class Package:
    """Reads modules and finds classes."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.module = cache(self._read)

    def _read(self, name: str) -> Source:
        path = self._root.joinpath(*name.split("."))
        is_package = path.is_dir()
        path = path / "__init__.py" if is_package else path.with_suffix(".py")
        return Source(name, ast.parse(path.read_text(encoding="utf-8")), is_package)

    def find(self, source: Source, name: str) -> Class | None:
        """The class that a name stands for in a module; None when it is none of the package's."""
        if name in source.classes:
            node = source.classes[name]
            return Class(source, node, self._functions(source, node))
        origin = source.origin_of(name)
        return None if origin is None else self.find(self.module(origin[0]), origin[1])

    def _functions(
        self, source: Source, node: ast.ClassDef
    ) -> dict[str, list[tuple[Source, Function]]]:
        functions: dict[str, list[tuple[Source, Function]]] = {}
        for base in reversed(node.bases):
            if isinstance(base, ast.Name) and (parent := self.find(source, base.id)) is not None:
                functions |= parent.functions
        own: dict[str, list[tuple[Source, Function]]] = {}
        for item in node.body:
            if isinstance(item, Function):
                own.setdefault(item.name, []).append((source, item))
        return functions | own
