"""Refuses what cannot be generated, with the keyword and its place."""

from __future__ import annotations

from typing import Any

from .forms import FORMS
from .spec import Place, Problem, Spec, SpecError
from .vocabulary import BESIDE_REF, LEAVES, VOCABULARY

__all__ = ["refuse_unknown"]


def refuse_unknown(spec: Spec) -> None:
    """Check the whole document against the vocabulary, and each part of it for its form.

    Raises:
        SpecError: with everything in it that would be lost.
    """
    walk = _Walk(spec)
    walk.visit(spec.raw, "document", Place())
    # What is asked of a form assumes that keywords and references are sound everywhere.
    problems = walk.problems or [
        problem
        for node, kind, place in walk.parts
        if kind in FORMS
        for problem in FORMS[kind](spec, node, place)
    ]
    if problems:
        raise SpecError(problems)


class _Walk:
    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.problems: list[Problem] = []
        self.parts: list[tuple[dict[str, Any], str, Place]] = []

    def report(self, what: str, place: Place) -> None:
        self.problems.append(Problem(what, place))

    def visit(self, node: Any, shape: str, place: Place) -> None:
        if shape in LEAVES:
            if not isinstance(node, LEAVES[shape]):
                self.report(f"a {shape} is expected here", place)
        elif shape.startswith("["):
            for index, item in enumerate(self.expected(list, node, place)):
                self.visit(item, shape[1:-1], place.at(index))
        elif shape.startswith("{"):
            for key, item in self.expected(dict, node, place).items():
                self.visit(item, shape[1:-1], _named(place.at(key), key, shape[1:-1]))
        elif isinstance(node, bool) and shape.startswith("schema"):
            if shape == "schema":
                self.report(f"`{str(node).lower()}`: a boolean schema is not supported", place)
        else:
            kind = shape.removesuffix(" or boolean")
            self.visit_kind(self.expected(dict, node, place), kind, place)

    def expected(self, kind: type[Any], node: Any, place: Place) -> Any:
        """The node, or an empty one in place of one of another kind, which is reported."""
        if isinstance(node, kind):
            return node
        self.report(f"a {'list' if kind is list else 'mapping'} is expected here", place)
        return kind()

    def visit_kind(self, node: dict[str, Any], kind: str, place: Place) -> None:
        if kind == "operation":
            place = place.named(f"operation {node.get('operationId')}")
        elif kind == "parameter" and "name" in node:
            place = place.named(f'parameter "{node["name"]}" of {place.owner}')
        # A path may not be a reference, since the parser does not follow it.
        if "$ref" in node and kind != "path":
            self.visit_reference(node, place)
            return
        self.parts.append((node, kind, place))
        for keyword, value in node.items():
            shape = VOCABULARY[kind].get(keyword)
            if shape is None:
                said = f"`{keyword}` is not supported in this {kind}"
                self.report(said, place.at(keyword))
            else:
                self.visit(value, shape, place.at(keyword))

    def visit_reference(self, node: dict[str, Any], place: Place) -> None:
        for keyword in sorted(node.keys() - BESIDE_REF):
            self.report(f"`{keyword}` beside `$ref` is not supported", place.at(keyword))
        try:
            self.spec.resolve(node)
        except KeyError as error:
            self.report(f"`$ref` to {error.args[0]} leads nowhere", place.at("$ref"))


def _named(place: Place, key: str, kind: str) -> Place:
    if kind == "schema":
        component = place.pointer == f"#/components/schemas/{key}"
        return place.named(f"schema {key}" if component else f'"{key}" of {place.owner}')
    if kind == "path":
        return place.named(f"path {key}")
    if kind == "parameter":
        return place.named("the components")
    return place
