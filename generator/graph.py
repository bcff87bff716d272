"""Which class needs which, where each is used, and which module it therefore goes to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from openapi_python_client.parser import GeneratorData
from openapi_python_client.parser.openapi import EndpointCollection
from openapi_python_client.parser.properties.protocol import PropertyProtocol

from .names import class_name
from .spec import Spec
from .types import Types

__all__ = ["COMMON", "Graph", "TaggedUnion"]

#: The module of the classes that belong to no tag alone.
COMMON = "common"


@dataclass
class TaggedUnion:
    """How the members of a union are told apart."""

    name: str
    tag: str
    members: dict[str, str]

    @property
    def unknown(self) -> str:
        """The class of the members that the document does not know."""
        return f"Unknown{self.name}"


class Graph:
    """The classes as a graph."""

    def __init__(self, spec: Spec, data: GeneratorData, types: Types) -> None:
        self.types = types
        self.unions = _unions(spec)
        uses = {tag: self.uses(of_tag) for tag, of_tag in data.endpoint_collections_by_tag.items()}
        answers = set[str]().union(*(answers for answers, _ in uses.values()))
        requests = set[str]().union(*(requests for _, requests in uses.values()))
        # Where absent and null differ: in what is sent, and in nothing else.
        self.request_only = requests - answers
        by_tag = {str(tag): answers | requests for tag, (answers, requests) in uses.items()}
        unused = {name for name in types.components if self.is_class(name)} - answers - requests
        by_tag[COMMON] = self.reachable(unused)
        #: The classes of each module, in the order in which they can be defined.
        self.modules: dict[str, list[str]] = {}
        for name in self.order(sorted(set[str]().union(*by_tag.values()), key=self.rank)):
            tags = [tag for tag, names in by_tag.items() if name in names]
            self.modules.setdefault(tags[0] if len(tags) == 1 else COMMON, []).append(name)

    def uses(self, of_tag: EndpointCollection) -> tuple[set[str], set[str]]:
        """The classes that answers hold, and those that requests hold below their body."""
        answers: list[PropertyProtocol] = []
        requests: list[PropertyProtocol] = []
        for endpoint in of_tag.endpoints:
            answers += [response.prop for response in endpoint.responses]
            requests += [prop for _, prop in endpoint.iter_all_parameters()]
            for body in endpoint.bodies:
                members = self.types.body_members(body.prop)
                requests += [body.prop] if members is None else members
        # An argument writes an enum without a name of its own out as `Literal`.
        unnamed = self.types.enums.keys() - self.types.components.keys()
        return self.reachable(self.named(answers)), self.reachable(self.named(requests) - unnamed)

    def named(self, props: Iterable[PropertyProtocol]) -> set[str]:
        """The classes that types name."""
        return {name for prop in props for name in self.types.classes(prop)}

    def reachable(self, names: Iterable[str]) -> set[str]:
        """These classes, and those that they lead to."""
        found: set[str] = set()
        queue = list(names)
        while queue:
            name = queue.pop()
            if name not in found:
                found.add(name)
                queue += self.needs(name)
                if name in self.unions:
                    queue += self.unions[name].members.values()
        return found

    def is_class(self, component: str) -> bool:
        """Whether a component becomes a class; a free-form object does not."""
        model = self.types.models.get(component)
        return self.types.is_model(model) if model else component in self.types.enums

    def needs(self, name: str) -> list[str]:
        """The classes that a class names: its bases, then those of its members."""
        if name in self.unions or name not in self.types.models:
            return []
        members = self.types.members_of(self.types.models[name])
        inner = [other for prop in members for other in self.types.classes(prop)]
        return [*self.bases(name), *inner]

    def bases(self, name: str) -> list[str]:
        """The unions that a class is a member of."""
        return [base for base, union in self.unions.items() if name in union.members.values()]

    def rank(self, name: str) -> tuple[int, str]:
        """The order of the document; classes without a name there come last."""
        order = list(self.types.components)
        return (order.index(name) if name in order else len(order), name)

    def order(self, names: Iterable[str]) -> list[str]:
        """Each class after those that it needs, as far as cycles allow."""
        placed: list[str] = []
        entered: set[str] = set()

        def place(name: str) -> None:
            if name not in entered:
                entered.add(name)
                for needed in self.needs(name):
                    place(needed)
                placed.append(name)

        for name in names:
            place(name)
        return placed


def _unions(spec: Spec) -> dict[str, TaggedUnion]:
    return {
        class_name(name): TaggedUnion(
            class_name(name),
            schema["discriminator"]["propertyName"],
            {
                tag: class_name(ref.rpartition("/")[2])
                for tag, ref in schema["discriminator"]["mapping"].items()
            },
        )
        for name, schema in spec.schemas.items()
        if "discriminator" in schema
    }
