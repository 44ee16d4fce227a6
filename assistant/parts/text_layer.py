"""Is the text layer of a page what a reader sees? Wrong encodings are put right, and nonsense is told from text.

Nonsense is found by pairs of letters: in real text at most a few of a hundred pairs are rare ones, in text whose
letters stand for others about half of them.
"""

from __future__ import annotations

import re
from functools import cache

# Pairs that make up 99 % of Russian and of English text (counted over 3.7 million pairs): a letter, then its followers.
_RUSSIAN = """
абвгдежзийклмнпрстуфхцчшщюя баеиклнорсухщъыя вавезиклмнопрстухшщыья гадеилнору давгдежиклмнопрстуыя
еабвгдежзийклмнопрстфхцчшщя жадеикмноу завгдеиклмноруы иабвгдежзийклмнопрстфхцчшщюя йдклнст кавежиклносртуц
лаежиклносучыьюя мабвеиклмнопсуыя нагдезикностуфцчыья обвгдежзийклмнопрстфхцчшщэя паеиклнопрстуцы
рабвгдежиклмнорстуфхшыья савдеиклмнопрстухчшыья тавдеиклмнопрсуфчыья уабвгдежзйклмнпрстхчшщю фаеилоруф хаеинор
цаеиуы чаеикноту шаеиклнорт щаеиуь ъе ыбвдейклмпрстхчш ьезкмнстцшюя эклнтф юбдтчщ ябвдежзлмнрстхцщю
"""
_ENGLISH = """
aabcdefghijklmnprstuvwxyz babeijlmnorsuy cacehiklopqrstuy dabdeghilmnoprsuvwy eabcdefghiklmnopqrstuvwxy faefilorstuy
gaeghilnorstuy haeilmnorstuy iabcdefgklmnopqrstuvxz jaeou kaehilnostu labcdefiklmopstuvy mabeilmopsuy nabcdefgiklmnostuvy
oabcdefghijklmnoprstuvwxyz padehilmoprstuy qlu rabcdefgiklmnoprstuvwy sacefhiklmnopqstuwy tacefghilmnoprstuwy
uabcdefgilmnoprstx vaeio waehinors xaceiptxy yacegilmnopst zaeio
"""
_ENOUGH_PAIRS = 60  # fewer say nothing
_SAMPLE = 100  # words that are looked at, all over the page
_RARE_SHARE = 0.3  # of the pairs
_BAD_GLYPHS = 0.1  # share of characters that no font should give
_MIXED_WORDS = 0.25  # share of words in two alphabets

_CYRILLIC_WORD = re.compile(r"[а-яё]{4,}")
_LATIN_WORD = re.compile(r"[a-z]{4,}")
_WORD = re.compile(r"[^\W\d_]{2,}")
_BAD = re.compile(r"[\x01\x03-\x08\x0b\x0e-\x1f\x7f-\x9f\ue000-\uf8ff\ufffd]")
_MIXED = re.compile(r"[^\W\d_]*(?:[A-Za-z][А-яЁё]|[А-яЁё][A-Za-z])[^\W\d_]*")
_HIGH = re.compile(r"[À-ÿ¨¸]+")  # where windows-1251 has its Cyrillic letters
_HIGH_WORD = re.compile(r"(?<![A-Za-z])[À-ÿ¨¸]{3,}(?![A-Za-z])")
_SECOND = "[\u0080-\u00bf" + bytes(range(0x80, 0xA0)).decode("cp1252", "ignore") + "]"
_TWICE = re.compile(rf"(?:[ÐÑ]{_SECOND}|â{_SECOND}{_SECOND}|Â{_SECOND})+")
_ENCODINGS = ("cp1251", "koi8-r", "cp866", "mac_cyrillic", "iso8859_5")


def garbled(text: str) -> bool:
    """True if what a page's text layer says is not what stands on the page; too little text is never garbled."""
    solid = len(text) - text.count(" ") - text.count("\n") - text.count("\r")
    if solid < 5:
        return False
    if len(_BAD.findall(text)) > _BAD_GLYPHS * solid:
        return True
    lower = text.lower()
    if max(_rare_share(lower, _CYRILLIC_WORD, _RUSSIAN), _rare_share(lower, _LATIN_WORD, _ENGLISH)) > _RARE_SHARE:
        return True
    if not text.isascii() and _HIGH_WORD.search(text):
        return sum(map(len, _HIGH_WORD.findall(text))) > _MIXED_WORDS * solid
    mixed = len(_MIXED.findall(text))
    return mixed > 5 and mixed > _MIXED_WORDS * len(_WORD.findall(text))


def unscrambled(text: str) -> tuple[str, int]:
    """Text whose Cyrillic letters were read in a wrong encoding ("Ïðèêàç", "Ð¾Ð¿"), put right, and how many words."""
    if text.isascii():
        return text, 0
    words = 0
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if "Ð" in line and (fixed := _TWICE.sub(_decoded_once, line)) != line:
            lines[number] = fixed
            words += len(_WORD.findall(fixed))
        elif (found := _HIGH_WORD.findall(line)) and not _western(line):
            lines[number] = _HIGH.sub(_as_cyrillic, line).replace("¹", "№")
            words += len(found)
    if words:
        return "\n".join(lines), words
    return _other_cyrillic(text)


def _western(line: str) -> bool:
    """Accents inside Latin words: a language of its own, not a wrong encoding."""
    return len(re.findall(r"[A-Za-z][À-ÿ]|[À-ÿ][a-z]", line)) > len(_HIGH_WORD.findall(line))


def _as_cyrillic(found: re.Match[str]) -> str:
    return found[0].encode("latin-1").decode("cp1251")


def _decoded_once(found: re.Match[str]) -> str:
    raw = b""
    for letter in found[0]:
        try:
            raw += letter.encode("cp1252")
        except UnicodeEncodeError:
            raw += letter.encode("latin-1", "ignore")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return found[0]


def _other_cyrillic(text: str) -> tuple[str, int]:
    """One Cyrillic encoding read as another ("оПХЙЮГ"): taken back where that gives real words."""
    if _rare_share(text.lower(), _CYRILLIC_WORD, _RUSSIAN) <= _RARE_SHARE:
        return text, 0
    ways = [(wrong, right) for right in _ENCODINGS for wrong in _ENCODINGS if wrong != right]
    fixed = next((fixed for way in ways if _natural(fixed := _recoded(text, *way))), text)
    return fixed, len(_CYRILLIC_WORD.findall(fixed.lower())) if fixed != text else 0


def _recoded(text: str, wrong: str, right: str) -> str:
    """Letters that the encoding lacks stay as they are."""
    try:
        return re.sub(r"[^\x00-\x7f«»–—№…]+", lambda run: run[0].encode(wrong).decode(right), text)
    except UnicodeError:
        return text


def _natural(text: str) -> bool:
    """Real pairs of letters, and capitals only at the beginning of words."""
    pairs = _CYRILLIC_WORD.findall(text.lower())
    inside = len(re.findall(r"[а-яё][А-ЯЁ]", text))
    real = len("".join(pairs)) > _ENOUGH_PAIRS and _rare_share(text.lower(), _CYRILLIC_WORD, _RUSSIAN) < _RARE_SHARE / 4
    return real and inside <= len(re.findall(r"[а-яё]{2}", text)) / 20


@cache
def _pairs(table: str) -> frozenset[str]:
    return frozenset(row[0] + follower for row in table.split() for follower in row[1:])


def _rare_share(lower: str, words: re.Pattern[str], table: str) -> float:
    """Share of rare pairs of letters, 0 if there are too few pairs to say."""
    usual = _pairs(table)
    pairs = rare = 0
    found = words.findall(lower)
    for word in found[:: 1 + len(found) // _SAMPLE]:
        word = word.replace("ё", "е")
        for first, second in zip(word, word[1:], strict=False):
            pairs += 1
            rare += first + second not in usual
    return rare / pairs if pairs >= _ENOUGH_PAIRS else 0.0
