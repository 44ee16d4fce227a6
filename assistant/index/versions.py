"""What a document's title, name and properties say of its edition: of which regulation it is, of which date or number.

Careful on purpose: two documents wrongly taken for versions of one hide the right answer, two versions that were not
recognised are only both shown. So a later date replaces nothing but regulations ("Положение о …", "… policy"); reports,
orders, minutes and contracts of one title stand side by side, unless they say "редакция", "ред. 3" or "v2" themselves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any, Literal

from assistant.index.dates import DATE, DATED, MONTH, YEAR, day_in_lines, iso_day, marked, plain

Kind = Literal["regulation", "record", "other"]

_NUMBER = r"(?:№|\bno\.|(?<!\w)n(?=\s*\d)|#)\s*([\w./-]*\d[\w./-]*)"
_EDITION = (
    r"(?<!\w)(?:[вс]\s+)?(?:новой\s+)?(?:редакц\w+|ред\b\.?|верси[яией]\w*|вер\b\.?|изменени\w+|изм\b\.?"
    r"|version|ver\b\.?|revision|rev\b\.?|edition|amended|updated|v\.?)"
)
_APPROVED = re.compile(rf"\bутв(?:\.|ержд\w*)\s*(?:[а-я]{{4,}}\w*\s+){{0,3}}(?:от\s+)?{DATE}(?:\s*{_NUMBER})?")
_REQUISITE = re.compile(rf"(?:\bот\s+)?{DATE}\s*{_NUMBER}|{_NUMBER}\s*от\s+{DATE}")
_EDITION_DATE = re.compile(
    rf"{_EDITION}\s*(?:(?:приказ|решени|распоряжени)\w*\s+)?(?:(?:от|с|of|from|on|dated)\s+)?{DATE}(?:\s*{_NUMBER})?"
)
_EDITION_NUMBER = re.compile(
    rf"{_EDITION}\s*(?:№|no\.)?\s*(\d+(?:\.\d+){{0,3}})(?![\w<])(?:\s*(?:года|год|г)\b\.?)?"
    r"|(?<!\w)(\d+)(?:-?[яеа]я?|st|nd|rd|th)?\s+(?:редакци\w+|верси[яией]\w*|edition|revision)"
)
_ANY_DATE = re.compile(rf"(?P<period>\b(?:за|на|for|period)\s+)?(?:\b(?:от|с|of|from|dated|effective)\s+)?{DATE}")
_LONE_YEAR = re.compile(rf"(?<![\d<./-])({YEAR})(?:\s*(?:года|год|г)\b\.?)?(?![\d./>-])")
_PERIOD = re.compile(
    rf"(?:\b(?:за|на|for|in|during|fy|квартал\w*|кв|полугоди\w*|q[1-4]|h[12]|год[аы]?)\b|(?<!\w){MONTH})[^,;()]{{0,25}}$"
)
# "Windows Server 2019" is another product, not another edition; so may be what has a foreign name ("принтер HP 2055").
_PRODUCT = re.compile(
    r"(?:\b(?:windows|server|office|excel|word|outlook|exchange|sharepoint|project|visio|studio|autocad|acrobat)"
    r"|[а-я].*\b[a-z][\w-]*)\s+$"
)
_COPY = re.compile(
    r"\((?:new|old|нов\w+|стар\w+|copy|копия|final|финал\w*|действующ\w+|актуальн\w+|\d\d?)\)"
    r"|^(?:копия|copy of)\s+|[\s-]+(?:копия|copy|final|финал\w*|new|old|нов(?:ая|ый|ое|ые)|стар(?:ая|ый|ое|ые))"
    r"(?:\s*\(?\d*\)?)?$"
)
_REGULATIONS = (
    *(
        "положени",
        "политик",
        "регламент",
        "инструкци",
        "правил",
        "порядок",
        "порядк",
        "стандарт",
        "методик",
        "руководств",
    ),
    *("кодекс", "процедур", "требовани", "памятк", "устав", "концепци"),
    *("policy", "policies", "regulation", "procedure", "rules", "standard", "guide", "handbook", "manual", "charter"),
)
_RECORDS = (
    *(
        "отчет",
        "протокол",
        "приказ",
        "распоряжени",
        "договор",
        "контракт",
        "акт",
        "счет",
        "накладн",
        "заявлени",
        "записк",
    ),
    *(
        "письм",
        "справк",
        "план",
        "бюджет",
        "смет",
        "график",
        "расписани",
        "прайс",
        "доверенност",
        "презентаци",
        "табел",
    ),
    *("ведомост", "реестр", "новост", "дайджест", "предложени", "заявк", "меню"),
    *(
        "report",
        "minutes",
        "order",
        "contract",
        "agreement",
        "invoice",
        "budget",
        "plan",
        "schedule",
        "price",
        "agenda",
    ),
    *("memo", "letter", "newsletter", "notes", "presentation", "summary", "offer"),
)
# A title of these and a word for its kind says nothing of its subject: many documents have it.
_VAGUE = (
    *("должностн", "типов", "общ", "рабоч", "кратк", "временн", "внутренн", "наш", "нов"),
    *("user", "quick", "start", "getting", "installation", "admin", "company", "our", "the", "general", "internal"),
)


@dataclass(frozen=True)
class Edition:
    """Which edition a document is. `day` is an ISO date or a year."""

    day: str = ""
    number: tuple[int, ...] = ()
    told: bool = False  # it calls the day that of an edition: "редакция от …", "version of …"
    by_file_name: bool = False  # the name alone says so, so that other documents' names must be the same


@dataclass(frozen=True)
class Name:
    """A title or file name taken apart: what stays the same from edition to edition, and the edition."""

    key: str
    edition: Edition
    full_day: str = ""  # a whole date in it, also one that tells a period


def series_key(title: str, number: str = "") -> str:
    """The title without what changes from one edition to the next, and the document's own number."""
    key = take_apart(title).key
    return f"{key} №{plain(number).lstrip('№ ')}" if number and "№" not in key else key


def stem_of(path: str) -> str:
    return PurePosixPath(path).stem


@lru_cache(maxsize=50_000)
def take_apart(text: str) -> Name:
    """Splits a title or a file's name into key and edition."""
    text = plain(text)
    if not any(sign.isdigit() for sign in text):
        return Name(_words(_without_copy(text)), Edition())
    text = marked(text)
    record = kind_of(text) == "record"
    found: dict[str, str] = {}

    def note(name: str, value: str) -> str:
        found.setdefault(name, value)
        return " "

    def requisite(match: re.Match[str]) -> str:
        day, number = match[1] or match[4], match[2] or match[3]
        note("day", day)
        return f" №{number.rstrip('.')} {day} " if record else " "  # a regulation's is of the order that approved it

    def day_or_period(match: re.Match[str]) -> str:
        """What a record is of, and a period, stay in the key: they tell it from the others."""
        if match["period"]:
            return match[0]
        note("day", match[2])
        return f" {match[2]} " if record else " "

    def year(match: re.Match[str]) -> str:
        return match[0] if record or _is_part_of_name(match) else note("year", match[1])

    if "<" in text:
        text = _APPROVED.sub(lambda match: note("day", match[1]), text)
        text = _EDITION_DATE.sub(lambda match: note("edition day", match[1]), text)
        text = _REQUISITE.sub(requisite, text)
    text = _EDITION_NUMBER.sub(lambda match: note("number", match[1] or match[2]), text)
    if "<" in text:
        text = _ANY_DATE.sub(day_or_period, text)
    if DATED.search(text):
        text = _LONE_YEAR.sub(year, text)
    text = re.sub(_NUMBER, lambda match: f" №{match[1].rstrip('.-')} ", _without_copy(text))
    number = found.get("number", "")
    if re.fullmatch(YEAR, number):  # "редакция 2025"
        found.setdefault("edition day", number)
        number = ""
    edition = Edition(
        day=found.get("edition day") or found.get("day") or found.get("year", ""),
        number=version_number(number),
        told="edition day" in found,
    )
    return Name(_words(text), edition, found.get("edition day") or found.get("day", ""))


def edition_of(title: str, path: str, details: Mapping[str, Any], first_lines: str = "") -> Edition:
    """A document's edition, from the best that is known: its own words, its properties, its name, its first lines."""
    by_title, by_file = take_apart(title).edition, take_apart(stem_of(path)).edition
    stated = iso_day(details.get("date")) or iso_day(details.get("valid_from"))
    days = [
        (by_title.day if by_title.told else "", True, False),
        (stated, False, False),
        (by_title.day, False, False),
        (by_file.day, by_file.told, True),
        (day_in_lines(first_lines), False, False),
    ]
    day, told, day_by_file = next((found for found in days if found[0]), ("", False, False))
    number = version_number(str(details.get("version") or "")) or by_title.number
    by_file_name = day_by_file or (not number and bool(by_file.number))
    return Edition(day, number or by_file.number, told, by_file_name)


def document_day(title: str, path: str, details: Mapping[str, Any]) -> str | None:
    """The whole date (ISO) that a document is of, to be shown beside it; None when it tells none."""
    name = take_apart(title)
    told = name.full_day if name.edition.told and len(name.full_day) == 10 else ""
    stated = iso_day(details.get("date")) or iso_day(details.get("valid_from"))
    day = told or stated or name.full_day or take_apart(stem_of(path)).full_day
    return day if len(day) == 10 else None


def kind_of(key: str) -> Kind:
    """By the word that the title turns on: the first one in Russian, the last one in English."""
    words = re.findall(r"[a-zа-я-]+", plain(key))
    if words and not re.search(r"[а-я]", " ".join(words)):
        words.reverse()
    for word in words:
        if word.startswith(_RECORDS):
            return "record"
        if word.startswith(_REGULATIONS):
            return "regulation"
    return "other"


def names_subject(key: str) -> bool:
    """Whether a title says what its document is about, beside the word for its kind ("Должностная инструкция" does not)."""
    words = re.findall(r"[a-zа-я]{2,}", key)
    return any(not word.startswith((*_REGULATIONS, *_RECORDS, *_VAGUE)) for word in words)


def version_number(text: str) -> tuple[int, ...]:
    """`2.1` of "v2.1", "ред. 2.1" or "2.1"; trailing zeros say nothing."""
    match = re.search(r"\d+(?:\.\d+){0,3}", text)
    numbers = [int(part) for part in match[0].split(".")] if match else []
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _without_copy(text: str) -> str:
    changes = 1
    while changes:  # "(копия) (2)"
        text, changes = _COPY.subn(" ", text.strip())
    return text


def _words(text: str) -> str:
    return " ".join(re.findall(r"№?\w+(?:[./-]\w+)*", text))


def _is_part_of_name(year: re.Match[str]) -> bool:
    """Whether it tells a period or a product."""
    before = year.string[: year.start()]
    return bool(_PERIOD.search(before) or _PRODUCT.search(before))
