"""From a method and a path to the endpoint that answers."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import unquote

from .automations import Automations
from .messages import Reply, Request
from .objects import Objects
from .people import People
from .problems import Problem
from .records import Records

__all__ = ["Routes"]

_Handler = Callable[..., Reply]


class Routes:
    """Every endpoint below `/api`; `*` stands for an id."""

    def __init__(
        self, records: Records, objects: Objects, automations: Automations, people: People
    ) -> None:
        self._routes: dict[str, dict[str, _Handler]] = {
            "crm/records/query": {"GET": records.query},
            "crm/record": {"POST": records.create},
            "crm/record/*": {
                "GET": records.get,
                "PATCH": records.update,
                "DELETE": records.delete,
            },
            "crm/objects": {"GET": objects.list, "POST": objects.create},
            "crm/objects/*": {"GET": objects.get},
            "crm/objects/*/fields": {"POST": objects.add_field},
            # From here on: inferred, shown on no page of the documentation.
            "crm/users": {"GET": people.users},
            "crm/users/*": {"GET": people.user},
            "crm/automations": {"GET": automations.list, "POST": automations.create},
            "crm/automations/*": {
                "GET": automations.get,
                "PATCH": automations.update,
                "DELETE": automations.delete,
            },
            "crm/automations/*/runs": {"GET": automations.runs},
            "intake/ingest": {"POST": people.ingest},
        }

    def answer(self, request: Request) -> Reply:
        """Call the endpoint.

        Raises:
            Problem: 404 or 405 where there is none, and whatever the endpoint refuses.
        """
        root, _, path = request.path.removeprefix("/").partition("/")
        methods, arguments = self._find(path) if root == "api" else (None, [])
        if methods is None:
            raise Problem(404, "There is no such endpoint", {"path": request.path})
        if request.caller.kind == "intake" and not path.startswith("intake/"):
            raise Problem(403, "An intake key may only send intake")
        handler = methods.get(request.method)
        if handler is None:
            allowed = (("Allow", ", ".join(methods)),)
            raise Problem(405, f"{request.method} is not allowed here", headers=allowed)
        return handler(request, *arguments)

    def _find(self, path: str) -> tuple[dict[str, _Handler] | None, list[str]]:
        if (methods := self._routes.get(path)) is not None:
            return methods, []
        parts = path.split("/")
        if len(parts) < 3 or not parts[2]:
            return None, []
        try:
            argument = unquote(parts[2], errors="strict")
        except ValueError:
            raise Problem(404, "The path is not UTF-8") from None
        parts[2] = "*"
        return self._routes.get("/".join(parts)), [argument]
