"""A sandbox in a process of its own, and what it saw afterwards."""

from __future__ import annotations

import json
import sys
import threading
import time
from subprocess import PIPE, Popen

import msgspec

from kantos_async.sandbox import Faults, Sandbox

OTHERS = "/api/crm/objects"  # what the other program on the key asks for


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a sandbox is started with, as JSON on its command line."""

    limit: int = 0  # 0: no quota
    window: float = 5.0
    windows: str = "aligned"
    clock_offset: float = 0.0
    #: Requests of the first window that an earlier process spends, at `spend_at` (Unix time).
    spent: int = 0
    spend_at: float = 0.0
    #: Requests a second by another program on the key.
    others: float = 0.0
    #: The part of all requests that are carried out and then not answered.
    drop_after: float = 0.0
    #: Contacts to begin with.
    records: int = 0
    #: The object whose records are of interest afterwards.
    object_id: str = "obj_companies"


class Seen(msgspec.Struct, frozen=True):
    """What the server knows afterwards."""

    #: Server's time, path, and whether the quota refused it.
    requests: list[tuple[float, str, bool]]
    #: The `name` of each record.
    names: list[str]


class Account:
    """A running sandbox process."""

    def __init__(self, settings: Settings) -> None:
        command = [
            sys.executable,
            "-m",
            "benchmarks.account",
            msgspec.json.encode(settings).decode(),
        ]
        self._process = Popen(command, stdin=PIPE, stdout=PIPE)
        assert self._process.stdout is not None
        #: Base URL, key, and the id of a record that is there.
        self.url, self.key, self.record_id = json.loads(self._process.stdout.readline())

    def finish(self) -> Seen:
        """Stop it, and hear what it saw."""
        answer, _ = self._process.communicate(timeout=30)
        return msgspec.json.decode(answer, type=Seen)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


def _ask(sandbox: Sandbox) -> None:
    sandbox.core.exchange("GET", OTHERS, {"X-Api-Key": sandbox.api_key}, connected=True)


def _earlier(sandbox: Sandbox, settings: Settings) -> None:
    time.sleep(max(0.0, settings.spend_at - time.time()))
    for _ in range(settings.spent):
        _ask(sandbox)


def _others(sandbox: Sandbox, rate: float) -> None:
    while True:
        time.sleep(1 / rate)
        _ask(sandbox)


def _run(settings: Settings) -> None:
    with Sandbox(
        limit=settings.limit or None,
        window=settings.window,
        windows="first" if settings.windows == "first" else "aligned",
        clock_offset=settings.clock_offset,
        seed_records=settings.records,
        faults=Faults(drop_after=settings.drop_after, seed=1),
    ) as sandbox:
        for job, argument, wanted in (
            (_earlier, settings, settings.spent),
            (_others, settings.others, settings.others),
        ):
            if wanted:
                threading.Thread(target=job, args=(sandbox, argument), daemon=True).start()
        (record_id,) = sandbox.insert("obj_deals", [{"name": "the one that is read"}])
        print(json.dumps([sandbox.url, sandbox.api_key, record_id]), flush=True)
        sys.stdin.read()
        requests = [(entry.time, entry.path, entry.fate == "quota") for entry in sandbox.log]
        names = [row["field_values"]["name"] for row in sandbox.records(settings.object_id)]
        sys.stdout.buffer.write(msgspec.json.encode(Seen(requests, names)))


if __name__ == "__main__":
    _run(msgspec.json.decode(sys.argv[1], type=Settings))
