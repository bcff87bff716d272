"""Records that look real, the same ones for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

__all__ = ["contacts"]

_FIRST = (  # noqa: SIM905
    "Ada Bruno Chloé Dmitri Elif François Grace Håkon Ines Jürgen Kenji Łucja Mateo Nour Óscar "
    "Priya Quentin Renée Søren Tomás Uma Võ Wanjiru Ximena Yusuf Zoë"
).split()
_LAST = (  # noqa: SIM905
    "Andersson Brontë Çelik Dvořák Eriksen Fernández García Hughes Ivanova Jansen Kowalski Liu "
    "Müller Nakamura O'Neill Petrović Quispe Rossi Šimić Tanaka Ueda Varga Weiß Xu Yılmaz Ziegler"
).split()
_STAGES = ("new", "contacted", "qualified", "lost")


def contacts(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Field values of `count` contacts, each with an e-mail address of its own."""
    draw = random.Random(seed)
    for number in range(1, count + 1):
        yield {
            "name": f"{draw.choice(_FIRST)} {draw.choice(_LAST)}",
            "email": f"contact{number}@example.com",
            "phone": f"+1 555 {draw.randrange(100, 1000)} {draw.randrange(10_000):04}",
            "status": draw.choice(_STAGES),
        }
