"""How many forgeries get past `webhooks.unwrap`: signed bodies, changed at random.

A forgery is a body that is accepted and decodes to another event than the one that was signed.
Each body is signed under one of the accepted readings, then changed one to four times: bytes
flipped, cut, copied, moved, or replaced by pieces that matter to a reader of JSON.

    python benchmarks/webhook_forgery.py [mutations]
"""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import sys
import time
from typing import Any

from kantos_async import webhooks

SECRET = "whsec_benchmark"
DEFAULT = 1_000_000

EVENTS: list[dict[str, Any]] = [
    {
        "event": "record.created",
        "timestamp": "2024-01-15T10:30:00Z",
        "data": {
            "id": "rec_abc123",
            "object_id": "obj_contacts",
            "field_values": {
                "name": "Zoë 😀",
                "deal": 1234.5,
                "signature": "none",
                "10": [1, None],
            },
        },
    },
    {"event": "record.deleted", "timestamp": "2024-01-15T10:30:00Z", "data": {"id": "rec_1"}},
    {
        "timestamp": "2024-02-01T00:00:00Z",
        "event": "intake.received",
        "data": {"n": 1e21, "t": "\\"},
    },
]
# The same events as JSON.stringify writes them: an index among the keys comes first.
STRINGIFIED = [
    '{"event":"record.created","timestamp":"2024-01-15T10:30:00Z","data":{"id":"rec_abc123",'
    '"object_id":"obj_contacts","field_values":{"10":[1,null],"name":"Zoë 😀","deal":1234.5,'
    '"signature":"none"}}}',
    '{"event":"record.deleted","timestamp":"2024-01-15T10:30:00Z","data":{"id":"rec_1"}}',
    '{"timestamp":"2024-02-01T00:00:00Z","event":"intake.received","data":{"n":1e+21,"t":"\\\\"}}',
]
STYLES: list[dict[str, Any]] = [{"indent": 2}, {}, {"separators": (",", ":")}]
PIECES = [
    *(b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b" ", b"\n", b"0", b"1", b".", b"e", b"-"),
    *(b"\\u0022", b"\\ud800", b"NaN", b"null", b"\xff", b"\x00", b"1.0", b"1e2", b'"a":1,', b",1"),
    *(b'"event":"record.deleted",', b'"signature":', b',"signature":"sha256="', b'"data":{},'),
    *(b'"\\u0073ignature":', b'"id":"rec_2"'),
]


def sign(covered: bytes) -> str:
    return f"sha256={hmac.digest(SECRET.encode(), covered, hashlib.sha256).hex()}"


def signed_bodies() -> list[tuple[bytes, str | None]]:
    """Bodies under every accepted reading, with the signature that comes beside them, if any."""
    bodies: list[tuple[bytes, str | None]] = []
    for event, stringified in zip(EVENTS, STRINGIFIED, strict=True):
        for style in STYLES:
            raw = json.dumps(event, **style).encode()
            for covered in (raw, stringified.encode()):
                whole = {**event, "signature": sign(covered)}
                first = {"signature": sign(covered), **event}
                bodies += [(json.dumps(each, **style).encode(), None) for each in (whole, first)]
            bodies.append((raw, sign(raw)))
    return bodies


def mutate(body: bytes, rng: random.Random) -> bytes:
    """The body after one to four random changes."""
    changed = bytearray(body)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(changed) + 1)
        to = min(len(changed), at + rng.randint(1, 24))
        match rng.randrange(7):
            case 0 if at < len(changed):
                changed[at] ^= 1 << rng.randrange(8)
            case 1:
                del changed[at:to]
            case 2:
                changed[at:at] = changed[at:to]
            case 3:
                piece = bytes(changed[at:to])
                del changed[at:to]
                place = rng.randrange(len(changed) + 1)
                changed[place:place] = piece
            case 4:
                changed[at:at] = rng.choice(PIECES)
            case 5:
                # White space where JSON allows it: the one change that may be accepted.
                marks = [place for place, byte in enumerate(changed) if byte in b"{}[],:"]
                if marks:
                    at = rng.choice(marks) + rng.randrange(2)
                    changed[at:at] = rng.choice((b" ", b"\n", b"\t ", b"\r\n"))
            case _:
                changed[at:to] = rng.choice(PIECES)
    return bytes(changed)


def measure(mutations: int = DEFAULT, *, seed: int = 1) -> dict[str, Any]:
    """Try that many mutations; `forged` and `crashed` must both be 0."""
    rng = random.Random(seed)
    bodies = [(body, beside, _meaning(body, beside)) for body, beside in signed_bodies()]
    counts = {"mutations": mutations, "unchanged": 0, "accepted": 0, "forged": 0, "crashed": 0}
    started = time.perf_counter()
    for _ in range(mutations):
        body, beside, meaning = rng.choice(bodies)
        changed = mutate(body, rng)
        try:
            found = _meaning(changed, beside)
        except webhooks.WebhookSignatureError:
            continue
        except Exception:
            counts["crashed"] += 1
            continue
        counts["unchanged"] += changed == body
        counts["accepted"] += 1
        counts["forged"] += found != meaning
    return {**counts, "seconds": round(time.perf_counter() - started, 1)}


def _meaning(body: bytes, beside: str | None) -> str:
    # repr tells 1 from 1.0 and True, and shows the order of the members.
    event = webhooks.unwrap(body, SECRET, beside)
    return f"{type(event).__name__} {event.payload!r}"


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT), indent=2))
