"""Files of a conversation: nothing in them draws, links or runs, and what Word can't hold is left out."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from docx import Document

from assistant.access.principal import AccessClass
from assistant.ask.events import Notice, Scores, Source, Span
from assistant.conversations.views import ConversationView, MessageView, OpenConversation, SourceView
from assistant.index.catalog import Passage
from assistant.ui.export import docx, export_texts, file_name, markdown

NOW = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
EVIL = '<img src="http://evil.example/x"> ![p](http://evil.example/p) [go](javascript:alert(1)) \x0b\x00'


def opened(title: str = "Отпуск", **changes: object) -> OpenConversation:
    passage = Passage("d-1-0", "d", "hr/leave.md", f"Отпуск {EVIL}", "", "3", 0, EVIL, 0, AccessClass("hr", 1))
    given = {
        "question": f"Сколько? {EVIL}",
        "answer": f"Двадцать восемь [1].\n\n{EVIL}",
        "status": "finished",
        "sources": (
            SourceView(1, Source(1, passage, 1.0, Scores()), is_given=True, is_cited=True, is_changed=True),
            SourceView(2, None, is_given=True, is_cited=True),
            SourceView(3, None, is_given=True, is_cited=False),
        ),
        "notices": (Notice("answer_cut", "http://10.0.0.5:11434 and /srv/paths"),),
    } | changes
    message = MessageView(
        id="m",
        position=1,
        key=None,
        searched="",
        language="ru",
        error="",
        model="m",
        is_grounded=True,
        is_withheld=True,
        asked_at=NOW,
        finished_at=NOW,
        **given,  # type: ignore[arg-type]
    )
    return OpenConversation(ConversationView("c", title, NOW, NOW), (message,))


def test_the_headings_are_there_in_both_languages() -> None:
    assert set(export_texts("ru")) == set(export_texts("en"))


def test_markdown_draws_and_links_nothing() -> None:
    text = markdown(opened(), "ru")
    assert "<img" not in text
    assert "![p]" not in text
    assert "](http" not in text
    assert "](javascript" not in text
    assert "стр. 3" in text
    assert "10.0.0.5" not in text
    assert "документ с тех пор обновили" in text


MARKED = """Порядок **важен** [1].

3. Заявление
4. Подпись

- Срок
  - 14 дней

| Кто | Дней |
|---|---|
| Все | 28 |
| <b>Север</b> | [ссылка](http://evil.example) |

```
a | b
```"""


def test_word_has_lists_and_tables() -> None:
    document = Document(io.BytesIO(docx(opened(answer=MARKED, sources=()), "ru")))
    found = [(one.style.name, one.text) for one in document.paragraphs if one.style is not None]
    for style, text in (
        ("Normal", "Порядок важен [1]."),
        ("List Continue", "3. Заявление"),
        ("List Continue", "4. Подпись"),
        ("List Bullet", "Срок"),
        ("List Bullet 2", "14 дней"),
        ("Normal", "a | b"),
    ):
        assert (style, text) in found
    bold = [run.text for one in document.paragraphs for run in one.runs if run.bold]
    assert "важен" in bold
    cells = [[cell.text for cell in row.cells] for row in document.tables[0].rows]
    assert cells == [["Кто", "Дней"], ["Все", "28"], ["<b>Север</b>", "[ссылка](http://evil.example)"]]


def test_nothing_that_was_said_is_lost_in_word() -> None:
    document = Document(io.BytesIO(docx(opened(), "ru")))
    said = [one.text for one in document.paragraphs]
    kept = EVIL.replace("\x0b", "").replace("\x00", "").strip()
    assert said.count(kept) == 2, "the answer and the passage"
    assert "Двадцать восемь [1]." in said


@pytest.mark.parametrize("language", ["ru", "en"])
def test_what_is_withheld_is_named_only_by_its_number(language: str) -> None:
    withheld = export_texts(language)["withheld"]
    word = "\n".join(one.text for one in Document(io.BytesIO(docx(opened(), language))).paragraphs)
    for text in (word, markdown(opened(), language).replace("\\", "")):
        assert text.count(withheld) == 1, "what was not cited is not listed"
        assert f"[2] {withheld}" in text


def test_what_to_check_and_where_to_look_is_said() -> None:
    answer = "Отпуск длится год. Двадцать восемь дней [1]."
    unchecked = opened(answer=answer, unsupported=(Span(0, 18),))
    assert "проверьте: Отпуск длится год." in markdown(unchecked, "ru").replace("\\", "")
    (message,) = unchecked.messages
    source = replace(message.sources[0], is_given=False, is_cited=False, is_nearest=True)
    without = opened(answer="В документах нет ответа на этот вопрос.", sources=(source,))
    for text in (
        markdown(without, "en"),
        "\n".join(one.text for one in Document(io.BytesIO(docx(without, "en"))).paragraphs),
    ):
        assert "Nearest in the documents: Отпуск" in text.replace("\\", "")


@pytest.mark.parametrize("status", ["stopped", "failed", "answering"])
def test_an_answer_that_did_not_come_says_so(status: str) -> None:
    for language in ("ru", "en"):
        said = export_texts(language)[status]
        assert said in markdown(opened(status=status, answer="", sources=()), language).replace("\\", "")
        assert said in [
            one.text for one in Document(io.BytesIO(docx(opened(status=status, answer=""), language))).paragraphs
        ]


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Как настроить VPN?", "Как настроить VPN.md"),
        ("../../etc/passwd", "etc passwd.md"),
        ("a/b\\c:d\n*", "a b c d.md"),
        ("", "Разговор.md"),
        ("...", "Разговор.md"),
    ],
)
def test_the_file_is_named_by_the_title(title: str, name: str) -> None:
    assert file_name(opened(title), "ru", "md") == name
