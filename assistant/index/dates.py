"""Dates in Russian and English text: found, and written as ISO."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import date

_MONTHS_RU = ("январ", "феврал", "март", "апрел", "ма", "июн", "июл", "август", "сентябр", "октябр", "ноябр", "декабр")
_MONTHS_EN = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MONTH = (
    r"(?:январ[яь]|феврал[яь]|марта?|апрел[яь]|ма[яй]|июн[яь]|июл[яь]|августа?|сентябр[яь]|октябр[яь]|ноябр[яь]|декабр[яь]"
    r"|jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)"
)
YEAR = r"(?:19|20)\d\d"
_DATES = (
    re.compile(rf"(?<!\d)(?P<y>{YEAR})[-./](?P<m>\d\d)[-./](?P<d>\d\d)(?![\d.]*\d)"),
    re.compile(rf"(?<![\d.])(?P<d>\d\d?)[-./](?P<m>\d\d?)[-./](?P<y>{YEAR})(?!\d|\.\d)"),
    re.compile(r"(?<![\d.])(?P<d>\d\d)\.(?P<m>\d\d)\.(?P<y>\d\d)(?![.\d])"),
    re.compile(rf"(?<!\w)(?P<d>\d\d?)[ -](?P<n>{MONTH})\.?,?[ -](?P<y>{YEAR})(?!\d)"),
    re.compile(rf"(?<!\w)(?P<n>{MONTH})\.?\s(?P<d>\d\d?)(?:st|nd|rd|th)?,?\s(?P<y>{YEAR})(?!\d)"),
    re.compile(r"(?<!\d)(?P<y>20[0-4]\d)(?P<m>[01]\d)(?P<d>[0-3]\d)(?!\d)"),
)
DATE = r"<(\d{4}-\d\d-\d\d)>(?:\s*(?:года|г)\b\.?)?"  # as `marked` writes it
DATED = re.compile(rf"{YEAR}|\d\d\.\d\d\.\d\d")
_JOINED_DATE = re.compile(rf"(?<![\d.])(?:{YEAR}_\d\d_\d\d|\d\d?_\d\d?_{YEAR})(?!\d)")
_JOINED_NUMBER = re.compile(r"(?<![^\W_])(v\d+)_(\d{1,2})(?![\d._])")
_SIGNS = str.maketrans({**dict.fromkeys("«»“”„\"'`*", ""), **dict.fromkeys("‐‑‒–—―−", "-"), "ё": "е"})
_SAYS_DATE = re.compile(
    r"утвержд|утв\.|редакци|ред\.|верси|дата|введен|действует|вступает|^\W*от\s|приказ"
    r"|approved|effective|revis|version|date|updated|issued|in force"
)


def iso_day(value: object) -> str:
    """A date of the metadata as ISO, or an empty string when it is none."""
    text = str(value or "")
    match = re.match(r"\d{4}-\d\d-\d\d", text) or re.search(DATE, marked(plain(text)))
    if match is None:
        return ""
    day = match[1] if match.re.groups else match[0]
    try:
        return date.fromisoformat(day).isoformat()
    except ValueError:
        return ""


def day_in_lines(text: str) -> str:
    """The date in the first lines that say they tell one: "Утверждено приказом от …", "Version of …"."""
    for line in plain(text[:1500], keep_lines=True).split("\n")[:12]:
        if _SAYS_DATE.search(line) and (match := re.search(DATE, marked(line))):
            return match[1]
    return ""


def plain(text: str, *, keep_lines: bool = False) -> str:
    """Lower case, е for ё, one kind of dash, no quotes; file names' underscores are spaces, or dots in dates."""
    text = unicodedata.normalize("NFC", text).lower().translate(_SIGNS)
    if "_" in text:
        text = _JOINED_DATE.sub(lambda match: match[0].replace("_", "."), text)
        text = _JOINED_NUMBER.sub(r"\1.\2", text).replace("_", " ")
    return "\n".join(" ".join(line.split()) for line in text.split("\n")) if keep_lines else " ".join(text.split())


def marked(text: str) -> str:
    """Every date as <2025-03-12>; what only looks like one stays."""

    if not DATED.search(text):
        return text

    def iso(match: re.Match[str]) -> str:
        groups = match.groupdict()
        year = int(groups["y"]) + (2000 if len(groups["y"]) == 2 else 0)
        try:
            found = date(year, _month(groups), int(groups["d"]))
        except ValueError:
            return match[0]
        return f"<{found.isoformat()}>"

    for pattern in _DATES:
        if not pattern.search(text):
            continue
        parts = re.split(r"(<\d{4}-\d\d-\d\d>)", text)
        text = "".join(part if part.startswith("<") else pattern.sub(iso, part) for part in parts)
    return text


def _month(groups: Mapping[str, str]) -> int:
    if "m" in groups:
        return int(groups["m"])
    names = _MONTHS_EN if groups["n"][0] in "abcdefghijklmnopqrstuvwxyz" else _MONTHS_RU
    found = [number for number, name in enumerate(names, start=1) if groups["n"].startswith(name)]
    return found[0] if found else 0
