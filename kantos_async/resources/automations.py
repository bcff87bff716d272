"""`k.automations`: the inferred endpoints, and the documented way to start one from outside."""

from __future__ import annotations

from types import NoneType
from typing import Any

from ..api.automations import Automations as Inferred
from ..api.models.automations import Automation
from ..errors import UnknownOutcomeError
from ..transport.call import Call, segment
from ..transport.session import Session

__all__ = ["Automations"]

#: Where automations are started from outside, by the API's base URL. Elsewhere, as with the
#: sandbox, it is one host for both.
_HOSTS = {"https://kantos.ai/api": "https://app.kantos.ai/api"}


class Automations(Inferred):
    """The automations of a Kantos account.

    A preview: all but `trigger` goes by endpoints that are inferred, not documented.
    """

    __slots__ = ()
    _session: Session

    async def enable(self, automation_id: str) -> Automation:
        """Let an automation run: `update` with `active=True`; see there for what may be raised."""
        return await self.update(automation_id, active=True)

    async def disable(self, automation_id: str) -> Automation:
        """Stop an automation: `update` with `active=False`; see there for what may be raised."""
        return await self.update(automation_id, active=False)

    async def trigger(self, automation_id: str, payload: Any) -> None:
        """Start an automation that a webhook starts.

        Endpoint: `POST https://app.kantos.ai/api/webhooks/automation/{automation_id}` (documented).
        It is on another host than the API, gets no key, and costs nothing of its quota. With a
        `base_url` of your own the request goes below that.

        Args:
            automation_id: the automation's id.
            payload: any JSON; in the automation it is `{{webhook.body}}`.

        Raises:
            NotFoundError: 404. There is no such automation.
            APIError: it was refused with another status.
            APIConnectionError: No answer came, and it was surely not started.
            UnknownOutcomeError: It may have been started; it was not sent again.
        """
        session = self._session
        base_url = session.wire.base_url
        path = f"/webhooks/automation/{segment(automation_id)}"
        try:
            await session.elsewhere(_HOSTS.get(base_url, base_url)).send(
                Call("POST", path, NoneType, body=payload)
            )
        except UnknownOutcomeError as error:
            error.hint = "If it was, `runs` shows it."
            raise
