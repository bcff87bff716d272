"""Invented people, for demonstrations: `python -m kantos_async.cli.people [ROWS] > people.csv`.

The same seed gives the same bytes, everywhere and on any day. Nobody is real: addresses end in
the reserved `.example`, telephone numbers in a range set aside for fiction or in zeros.
"""

from __future__ import annotations

import csv
import random
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple, TextIO

__all__ = ["COLUMNS", "people", "write_csv"]

COLUMNS: tuple[str, ...] = (
    "name",
    "email",
    "phone",
    "company",
    "status",
    "deal_value",
    "signed_on",
    "vip",
    "notes",
)


class Country(NamedTuple):
    """Names as they are written there, each with its form for an e-mail address."""

    first: tuple[str, ...]
    last: tuple[str, ...]
    #: `#` stands for a digit.
    phone: str
    family_first: bool = False


def _names(words: str) -> tuple[str, ...]:
    return tuple(words.split())


COUNTRIES = (
    Country(
        _names("Olivia Amelia George Harry Ava Noah Priya Callum Siân:sian Niamh:niamh Zoë:zoe"),
        _names("Smith Jones O'Brien:obrien Taylor Patel Evans Wright Khan Fitz-Gerald Llewellyn"),
        "+44 20 7946 0###",
    ),
    Country(
        _names("Emma Liam Sophia Mason Harper Ethan José:jose Renée:renee Aaliyah DeShawn:deshawn"),
        _names("Johnson Williams García:garcia Núñez:nunez Miller Nguyen Davis McKay Peña:pena"),
        "+1 202 555 01##",
    ),
    Country(
        _names("Jürgen:juergen Käthe:kaethe Lena Björn:bjoern Anja Götz:goetz Sören:soeren Maja"),
        _names("Müller:mueller Weiß:weiss Schröder:schroeder Großmann:grossmann Vogt Lang"),
        "+49 30 23125 ###",
    ),
    Country(
        _names("Chloé:chloe François:francois Hélène:helene Loïc:loic Inès:ines Benoît:benoit"),
        _names("Lefèvre:lefevre Dupont Bézier:bezier L'Hôte:lhote Garçon:garcon Moreau Cœur:coeur"),
        "+33 1 99 00 ## ##",
    ),
    Country(
        _names("Łukasz:lukasz Zofia Małgorzata:malgorzata Paweł:pawel Jagoda Święto:swieto"),
        _names("Wiśniewski:wisniewski Dąbrowska:dabrowska Żak:zak Kowalczyk Gołąb:golab"),
        "+48 22 000 0###",
    ),
    Country(
        _names("Åsa:asa Göran:goran Linnéa:linnea Øyvind:oyvind Søren:soren Ingrid Þóra:thora"),
        _names("Lindström:lindstrom Ångström:angstrom Bjørnsen:bjornsen Åkesson:akesson Holm"),
        "+46 8 465 004 ##",
    ),
    Country(
        _names("Ελένη:eleni Γιώργος:giorgos Μαρία:maria Νίκος:nikos Σοφία:sofia"),
        _names("Παπαδόπουλος:papadopoulos Αντωνίου:antoniou Βλάχος:vlachos"),
        "+30 21 0000 ####",
    ),
    Country(
        _names("Анна:anna Дмитро:dmytro Олена:olena Юрій:yurii Соломія:solomiia"),
        _names("Шевченко:shevchenko Коваленко:kovalenko Бойко:boiko Ткачук:tkachuk"),
        "+380 44 000 ####",
    ),
    Country(
        _names("太郎:taro 花子:hanako 健:ken さくら:sakura 蓮:ren"),
        _names("佐藤:sato 鈴木:suzuki 高橋:takahashi 渡辺:watanabe"),
        "+81 3 0000 ####",
        family_first=True,
    ),
    Country(
        _names("伟:wei 芳:fang 秀英:xiuying 娜:na 强:qiang"),
        _names("王:wang 李:li 张:zhang 刘:liu 陈:chen"),
        "+86 10 0000 ####",
        family_first=True,
    ),
    Country(
        _names("محمد:mohamed فاطمة:fatima يوسف:youssef ليلى:layla"),
        _names("حداد:haddad خوري:khoury منصور:mansour"),
        "+961 1 000 ###",
    ),
    Country(
        _names("Ayşe:ayse Çağrı:cagri İbrahim:ibrahim Gül:gul Ömer:omer"),
        _names("Yılmaz:yilmaz Öztürk:ozturk Şahin:sahin Çelik:celik"),
        "+90 212 000 ## ##",
    ),
)

COMPANIES = (
    ("Nordlicht Solar GmbH", "nordlicht"),
    ("Café Zürich & Söhne", "cafe-zuerich"),
    ("Smith, Patel and Partners", "smithpatel"),
    ('The "Good" Bakery Ltd.', "goodbakery"),
    ("Łódź Logistics sp. z o.o.", "lodz-logistics"),
    ("三河商事株式会社", "mikawa"),
    ("Hernández Óptica S.A.", "hernandez-optica"),
    ("Fjord & Fjell AS", "fjordfjell"),
    ("Ελαιώνας Α.Ε.", "elaionas"),
    ("Blue Heron Analytics, Inc.", "blueheron"),
    ("Çınar Tekstil", "cinar"),
    ("Acme", "acme"),
)

STATUSES = ("new", "contacted", "qualified", "lost")
STATUS_WEIGHTS = (50, 25, 18, 7)

NOTES = (
    "",
    "",
    "Met at the fair in Köln.",
    "Prefers e-mail; never call before 10:00.",
    'Said: "send the offer again, please".',
    "Budget is €12,000, decision in March.",
    "Two lines:\nfirst the pilot, then the rollout.",
    "次回は東京で会う。",
    "Très intéressée — rappeler après les congés 🌴",
    "Ask for 100 % of the discount; O'Neill agreed.",
)

LAST_DAY = date(2025, 12, 31)


def people(rows: int, seed: int = 1) -> Iterator[dict[str, str]]:
    """Yield `rows` people as the cells of a CSV file; no two share an e-mail address."""
    chance = random.Random(seed)
    for number in range(1, rows + 1):
        country = chance.choice(COUNTRIES)
        first, first_ascii = _spellings(chance.choice(country.first))
        last, last_ascii = _spellings(chance.choice(country.last))
        company, domain = chance.choice(COMPANIES)
        signed = LAST_DAY - timedelta(days=chance.randrange(3 * 365))
        status = chance.choices(STATUSES, STATUS_WEIGHTS)[0]
        yield {
            "name": f"{last} {first}" if country.family_first else f"{first} {last}",
            "email": f"{first_ascii}.{last_ascii}.{number}@{domain}.example",
            "phone": "".join(str(chance.randrange(10)) if c == "#" else c for c in country.phone),
            "company": company,
            "status": status,
            "deal_value": f"{chance.lognormvariate(8.5, 1.2):.2f}",
            "signed_on": signed.isoformat() if status == "qualified" else "",
            "vip": "true" if chance.random() < 0.05 else "false",
            "notes": chance.choice(NOTES),
        }


def write_csv(file: TextIO, rows: int, seed: int = 1) -> None:
    """Write `rows` people with a header line; open the file with `newline=""` and UTF-8."""
    writer = csv.DictWriter(file, COLUMNS)
    writer.writeheader()
    writer.writerows(people(rows, seed))


def _spellings(word: str) -> tuple[str, str]:
    native, _, plain = word.partition(":")
    return native, plain or native.lower()


if __name__ == "__main__":
    with open(sys.stdout.fileno(), "w", encoding="utf-8", newline="", closefd=False) as output:
        write_csv(output, int(sys.argv[1]) if len(sys.argv) > 1 else 2_000)
