"""The same client for blocking code: scripts, notebooks, worker threads.

    from kantos_async import Kantos

    with Kantos() as k:
        for lead in k.records.query("obj_contacts", {"status": "new"}):
            ...

One thread runs the async client's event loop; every class here hands its calls to the class of
the same name there. There is no second implementation.
"""

from .client import Kantos

__all__ = ["Kantos"]
