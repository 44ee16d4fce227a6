"""Text of unknown encoding: Unicode in all its forms, then the Cyrillic code pages weighed by how Russian they read."""

from __future__ import annotations

import codecs
import re
import unicodedata

from assistant.errors import DocumentError

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CODE_PAGES = ("cp1251", "koi8_r", "cp866", "mac_cyrillic", "cp1252")
_SAMPLE = 20_000  # characters that a code page is judged by
_COMMON = {letter: -2.0 - place / 8 for place, letter in enumerate("оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъёіїєў")}
_SIGNS = frozenset("«»—–„“”‘’…№§°±·•\u00a0\u00ad€©®™×½¼²³")
_LAYOUT = "\t\n\r\f\v\x1a\x1b"  # control characters that texts have
_STRANGE = -9.0  # a character that such a text does not have
_SIGN = -7.0
_READABLE = -7.2  # the least mean weight of a text in one of the code pages


def decode(raw: bytes) -> str:
    """Text of unknown encoding. Raises `DocumentError` for binary data."""
    if not raw.strip():
        raise DocumentError("the file is empty")
    text = _unicode(raw)
    if text is None and b"\0" not in raw:
        text = _code_page(raw)
    if text is None or _is_binary(text):
        raise DocumentError("it is not text (binary data, or an unknown encoding)")
    return text


def _unicode(raw: bytes) -> str | None:
    marked = next((encoding for mark, encoding in _BOMS if raw.startswith(mark)), None)
    for encoding in [marked] if marked else [*_wide(raw), "utf-8"]:  # UTF-16 of Russian can be valid UTF-8
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return _nearly_utf8(raw)


def _wide(raw: bytes) -> list[str]:
    """UTF-32 and UTF-16 without a mark: every fourth or second byte of a text in one alphabet is the same."""
    found = []
    if len(raw) % 4 == 0 and raw.count(b"\0\0") >= len(raw) // 5:
        found += ["utf-32-le", "utf-32-be"]
    sample = raw[: _SAMPLE - _SAMPLE % 2]
    for encoding, high in (("utf-16-le", sample[1::2]), ("utf-16-be", sample[0::2])):
        if len(raw) % 2 == 0 and sum(high.count(byte) for byte in (0, 4, 0x20)) >= 0.9 * len(high):
            found.append(encoding)
    return [encoding for encoding in found if not _is_binary(raw.decode(encoding, "replace")[:_SAMPLE])]


def _nearly_utf8(raw: bytes) -> str | None:
    """UTF-8 with a few damaged bytes, as in a file cut off inside a letter."""
    if b"\0" in raw:
        return None
    sample = raw[: 20 * _SAMPLE].decode("utf-8", "replace")
    letters = sum(ord(sign) > 127 for sign in sample)
    damaged = sample.count("\ufffd")
    return raw.decode("utf-8", "replace") if letters >= 20 and damaged <= letters / 50 else None


def _code_page(raw: bytes) -> str | None:
    """The code page in which the text reads best; a text in none of them is left to charset-normalizer."""
    sample = b"\n".join(re.findall(rb"[^\n]*[\x80-\xff][^\n]*", raw[: 20 * _SAMPLE]))[:_SAMPLE]
    weights = {encoding: _weight(sample.decode(encoding, "replace")) for encoding in _CODE_PAGES}
    best = max(weights, key=lambda encoding: weights[encoding])
    if weights[best] >= _READABLE:
        return raw.decode(best, "replace")
    from charset_normalizer import from_bytes

    guess = from_bytes(raw[: 50 * _SAMPLE]).best()
    return raw.decode(guess.encoding, "replace") if guess else None


def _weight(text: str) -> float:
    """How well the text reads, by its characters beyond ASCII: common Russian letters, capitals first in a word."""
    total, count = 0.0, 0
    for before, sign in zip(" " + text, text, strict=False):
        if ord(sign) < 128:
            continue
        count += 1
        total += _weight_of(sign, before)
    return total / count if count else _STRANGE


def _weight_of(sign: str, before: str) -> float:
    if sign in _SIGNS:
        return _SIGN
    common = _COMMON.get(sign.lower())
    latin_before = before.isalpha() and before.lower() not in _COMMON
    if common is not None:
        if latin_before or (sign.isupper() and before.islower()):
            return _STRANGE
        return common - (1.0 if sign.isupper() else 0.0)
    if "LATIN" in unicodedata.name(sign, ""):
        return -4.0 if (before.isascii() and before.isalpha()) or before in " \n(\"'-" else _STRANGE
    return _STRANGE


def _is_binary(text: str) -> bool:
    """Whether it holds NUL, or many control characters and signs that no alphabet has."""
    sample = text[:_SAMPLE]
    strange = sum(unicodedata.category(sign) in ("Cc", "Cn") and sign not in _LAYOUT for sign in sample)
    return "\0" in text or strange + sample.count("\ufffd") > len(sample) / 50
