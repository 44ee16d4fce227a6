"""Cutting Markdown at its headings, and the door to LlamaIndex's transformations."""

from __future__ import annotations

import pytest
from llama_index.core.schema import Document

from assistant.errors import ConfigError
from assistant.parts.markdown import first_heading, plain_heading
from assistant.parts.node_parsers import (
    MarkdownSections,
    build_transformation,
    transformation_names,
)


def sections(*pages: str, title: str = "") -> list[tuple[str, str]]:
    """Of the pages of one document: they share its id."""
    documents = [
        Document(id_="one", text=page, metadata={"title": title, "page_label": str(n)}) for n, page in enumerate(pages)
    ]
    return [(node.metadata["section"], node.get_content()) for node in MarkdownSections()(documents)]


def test_each_section_has_its_text_and_the_path_of_its_headings() -> None:
    text = (
        "Вступление\n\n# Отпуск\n\nОбщее\n\n## Срок\n\n28 дней\n\n### Для мам\n\n31 день\n\n## Перенос\n\nПо заявлению"
    )
    assert sections(text) == [
        ("", "Вступление"),
        ("Отпуск", "Общее"),
        ("Отпуск › Срок", "28 дней"),
        ("Отпуск › Срок › Для мам", "31 день"),
        ("Отпуск › Перенос", "По заявлению"),
    ]


def test_a_heading_without_text_makes_no_node_but_stays_in_the_path() -> None:
    assert sections("# Отпуск\n## Срок\n\n28 дней\n# Пусто\n") == [("Отпуск › Срок", "28 дней")]


def test_a_heading_that_leads_nowhere_is_its_own_text() -> None:
    found = sections(
        "# Вопросы\n\n## Обед с 12 до 13 часов\n\n## Где столовая\n\nНа первом этаже\n\n## Пропуск у охраны"
    )
    assert found == [
        ("Вопросы › Обед с 12 до 13 часов", "Обед с 12 до 13 часов"),
        ("Вопросы › Где столовая", "На первом этаже"),
        ("Вопросы › Пропуск у охраны", "Пропуск у охраны"),
    ]


def test_a_title_is_not_taken_from_code() -> None:
    assert first_heading("```sh\n# apt update\n```\n\n## Установка") == "Установка"
    assert first_heading("```inline```\n# Установка") == "Установка"


def test_a_paragraph_is_no_heading_and_a_long_path_is_shortened() -> None:
    long = "слово " * 60
    assert sections(f"# А\n\n## {long}\n\nТекст") == [("А", f"## {long}\n\nТекст")]
    deep = sections(f"# {'а' * 150}\n\n## {'б' * 150}\n\nТекст")
    assert deep == [("б" * 150, "Текст")]


def test_documents_do_not_share_a_path() -> None:
    documents = [Document(id_="a", text="# Отпуск\n\nобщее"), Document(id_="b", text="без заголовка")]
    assert [node.metadata["section"] for node in MarkdownSections()(documents)] == ["Отпуск", ""]


def test_the_path_goes_on_from_page_to_page() -> None:
    found = sections("# Отпуск\n\nобщее\n\n## Срок", "28 дней", "ещё\n\n## Перенос\n\nзаявление")
    assert found == [
        ("Отпуск", "общее"),
        ("Отпуск › Срок", "28 дней"),
        ("Отпуск › Срок", "ещё"),
        ("Отпуск › Перенос", "заявление"),
    ]


def test_a_skipped_level_and_its_return() -> None:
    assert sections("# А\n### Б\nраз\n## В\nдва\n# Г\nтри") == [("А › Б", "раз"), ("А › В", "два"), ("Г", "три")]


def test_the_documents_title_is_not_repeated_in_the_path() -> None:
    assert sections("# Отпуск\n\nобщее\n\n## Срок\n\n28", title="Отпуск") == [("", "общее"), ("Срок", "28")]


@pytest.mark.parametrize("fence", ["```", "```bash", "  ```"])
def test_a_hash_inside_a_code_fence_is_no_heading(fence: str) -> None:
    code = f"{fence}\n# install\napt-get install vpn\n```"
    assert sections(f"# Установка\n\n{code}\n\n# Далее\n\nтекст") == [("Установка", code.strip()), ("Далее", "текст")]


@pytest.mark.parametrize("line", ["#тег", "####### семь", "текст # не заголовок", "\\# экранировано", "#"])
def test_what_only_looks_like_a_heading(line: str) -> None:
    assert sections(f"# А\n\n{line}") == [("А", line)]


def test_nothing_of_the_text_is_lost_or_doubled() -> None:
    text = "а\n# Б\nв\n\n| г | д |\n|---|---|\n| е | ж |\n\n## З\n- и\n- к\n"
    kept = "\n".join(body for _, body in sections(text))
    lines = [line for line in text.split("\n") if line and not line.startswith("#")]
    assert [line for line in kept.split("\n") if line] == lines


def test_metadata_and_its_exclusions_reach_each_node() -> None:
    document = Document(
        text="# А\n\nб\n\n# В\n\nг",
        metadata={"page_label": "7"},
        excluded_embed_metadata_keys=["page_label"],
        excluded_llm_metadata_keys=["page_label"],
    )
    nodes = MarkdownSections()([document])
    assert [node.metadata["page_label"] for node in nodes] == ["7", "7"]
    assert all(node.excluded_embed_metadata_keys == ["page_label"] for node in nodes)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# Положение об отпусках\n\nтекст", "Положение об отпусках"),
        ("## Раздел\n\n# Главное\n\n# Второе", "Главное"),
        ("текст\n\n## Только раздел", "Только раздел"),
        ("# **Важно:** [правила](http://x/y) `vpn` #", "Важно: правила vpn"),
        ("просто текст", None),
        ("строка\n" * 60 + "# Слишком далеко", None),
    ],
)
def test_the_title_is_the_first_heading_of_the_highest_level(text: str, title: str | None) -> None:
    assert first_heading(text) == title


def test_a_heading_without_its_marks() -> None:
    assert plain_heading(r"_1\. ![знак](a.png) Общие__ положения_") == "1. знак Общие положения"


def test_names_are_ours_and_theirs() -> None:
    names = transformation_names()
    assert {"MarkdownSections", "SentenceSplitter", "TokenTextSplitter"} <= set(names)
    assert "NodeParser" not in names
    assert names == sorted(names)


def test_the_configured_tokenizer_wins_over_the_models() -> None:
    mine = build_transformation("SentenceSplitter", {"chunk_size": 50, "chunk_overlap": 0}, str.split)
    text = "раз два три. " * 40
    words = [len(node.get_content().split()) for node in mine([Document(text=text)])]
    assert sum(words) == 120
    assert max(words) <= 50
    assert len(words) == 3


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("SentenceSpliter", {}, "did you mean SentenceSplitter?"),
        ("SentenceSplitter", {"size": 5}, "SentenceSplitter has no argument 'size'"),
        ("MarkdownSections", {"levels": 2}, "MarkdownSections has no argument 'levels'"),
        ("SentenceSplitter", {"chunk_overlap": "x"}, "SentenceSplitter"),
        ("subprocess.Popen", {"args": "id"}, "only classes below llama_index."),
        ("llama_index.core.schema.TransformComponent", {}, "abstract class"),
        ("llama_index.core.schema.Document", {}, "is not a TransformComponent"),
    ],
)
def test_a_wrong_transformation_is_a_sentence(name: str, arguments: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        build_transformation(name, arguments, None)
    assert said in str(refused.value)
