"""The account's API keys, and whose they are."""

from __future__ import annotations

import secrets
from typing import Literal

import msgspec

from .messages import Caller
from .store import Store

__all__ = ["Keys"]

_ADMIN = {"id": "user_789", "name": "Ada Admin", "email": "ada@example.com", "role": "admin"}
_MEMBER = {"id": "user_790", "name": "Max Member", "email": "max@example.com", "role": "member"}


class Keys:
    """Keys by their text. A store without any gets an admin's, so that there is one to start."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._callers = {
            str(doc["key"]): msgspec.convert(doc, Caller) for doc in store.documents("keys")
        }
        if not self._callers:
            self.create(admin=True)

    @property
    def first(self) -> Caller:
        """The oldest key: an admin's server key."""
        return next(iter(self._callers.values()))

    def find(self, key: str) -> Caller | None:
        """Whose key this is."""
        return self._callers.get(key)

    def create(self, *, admin: bool = False, kind: Literal["server", "intake"] = "server") -> str:
        """A new key of an admin or of a member."""
        user = _ADMIN if admin else _MEMBER
        caller = Caller(f"kantos_{secrets.token_hex(16)}", kind, admin, user["id"])
        self._store.keep("users", caller.user_id, user)
        self._store.keep("keys", caller.key, msgspec.to_builtins(caller))
        self._callers[caller.key] = caller
        return caller.key
