"""Titles, names and properties of Russian and English documents: which regulation, which edition, and what replaces what."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from assistant.access.principal import AccessClass
from assistant.index.catalog import INDEXED, Catalog
from assistant.index.dates import day_in_lines, iso_day
from assistant.index.succession import is_expired, later_editions, mark
from assistant.index.versions import document_day, edition_of, series_key, take_apart
from assistant.records.base import Base
from assistant.records.database import Database
from assistant.records.tables import ChunkColumns, DocumentRow

LEAVE = "положение об отпусках"
TODAY = date(2025, 6, 1)


@pytest.mark.parametrize(
    ("title", "key", "day", "number"),
    [
        ("Положение об отпусках (редакция от 12.03.2025)", LEAVE, "2025-03-12", ()),
        ("Положение об отпусках в ред. от 01.02.2024 г.", LEAVE, "2024-02-01", ()),
        ("Положение об отпусках (с изменениями от 1 марта 2025 года)", LEAVE, "2025-03-01", ()),
        ("Положение об отпусках в ред. приказа от 05.05.2024 № 8", LEAVE, "2024-05-05", ()),
        ("ПОЛОЖЕНИЕ ОБ ОТПУСКАХ от 01.02.2025 № 17", LEAVE, "2025-02-01", ()),
        ("Положение об отпусках (утв. приказом генерального директора от 01.02.2025 № 17)", LEAVE, "2025-02-01", ()),
        ("Положение «Об отпусках» от «12» марта 2025 г.", LEAVE, "2025-03-12", ()),
        ("Положение об отпусках, ред. 3", LEAVE, "", (3,)),
        ("Положение об отпусках. Версия 4", LEAVE, "", (4,)),
        ("Положение об отпусках, 2-я редакция", LEAVE, "", (2,)),
        ("Положение_об_отпусках_v2.1", LEAVE, "", (2, 1)),
        ("Положение_об_отпусках_v2_1_2025-03-12", LEAVE, "2025-03-12", (2, 1)),
        ("2025-03-12 Положение об отпусках", LEAVE, "2025-03-12", ()),
        ("Положение об отпусках 20250312", LEAVE, "2025-03-12", ()),
        ("Положение_об_отпусках_12_03_2025", LEAVE, "2025-03-12", ()),
        ("Положение об отпусках 12.03.25", LEAVE, "2025-03-12", ()),
        ("Положение об отпусках 2025", LEAVE, "2025", ()),
        ("Положение об отпусках (редакция 2025 г.)", LEAVE, "2025", ()),
        ("Положение об отпусках (new)", LEAVE, "", ()),
        ("Копия Положение об отпусках (2)", LEAVE, "", ()),
        ("Положение об отпусках — копия", LEAVE, "", ()),
        ("Leave Policy (version of March 12, 2025)", "leave policy", "2025-03-12", ()),
        ("Leave policy, effective 12 March 2025", "leave policy", "2025-03-12", ()),
        ("Leave policy v1.0", "leave policy", "", (1,)),
        ("Leave policy, revision 4", "leave policy", "", (4,)),
        ("Правила приёма на 2025 год", "правила приема на 2025 год", "", ()),
        ("Учётная политика 2024-2025", "учетная политика 2024-2025", "", ()),
        ("Регламент № 17-п выдачи пропусков", "регламент №17-п выдачи пропусков", "", ()),
        ("Приказ от 12.03.2025 № 17-п", "приказ №17-п 2025-03-12", "2025-03-12", ()),
        ("Приказ № 17-п от 12.03.2025", "приказ №17-п 2025-03-12", "2025-03-12", ()),
        ("Отчёт за 2024", "отчет за 2024", "", ()),
        ("Отчёт о продажах 2025", "отчет о продажах 2025", "", ()),
        ("Отчёт за I квартал 2025", "отчет за i квартал 2025", "", ()),
        ("Прайс-лист на 01.03.2025", "прайс-лист на 2025-03-01", "", ()),
        ("ГОСТ 2.105-2019", "гост 2.105-2019", "", ()),
        ("Инструкция по Windows 10", "инструкция по windows 10", "", ()),
        ("Порядок оформления новых сотрудников", "порядок оформления новых сотрудников", "", ()),
        ("Положение об отпусках 45.13.2025", "положение об отпусках 45.13.2025", "", ()),
        ("", "", "", ()),
    ],
)
def test_title_taken_apart(title: str, key: str, day: str, number: tuple[int, ...]) -> None:
    found = take_apart(title)
    assert (found.key, found.edition.day, found.edition.number) == (key, day, number)


def test_the_documents_own_number_is_part_of_its_series() -> None:
    assert series_key("Регламент доступа", "17-П") == series_key("РЕГЛАМЕНТ ДОСТУПА", "№ 17-п")
    assert series_key("Регламент доступа", "18") != series_key("Регламент доступа", "17")
    assert series_key("Регламент № 17 доступа", "17") == series_key("Регламент № 17 доступа")


@pytest.mark.parametrize(
    ("lines", "day"),
    [
        ("УТВЕРЖДЕНО\nприказом от 12 марта 2025 г. № 5", "2025-03-12"),
        ("**Дата введения:** «01» июня 2023 г.", "2023-06-01"),
        ("Версия 2 от 2024-03-01", "2024-03-01"),
        ("от 12.03.2025 № 17", "2025-03-12"),
        ("Effective date: 1 March 2024", "2024-03-01"),
        ("С 1 января 2020 года отпуск считают иначе", ""),
        ("Строка\n" * 20 + "Дата: 12.03.2025", ""),
    ],
)
def test_date_in_the_first_lines(lines: str, day: str) -> None:
    assert day_in_lines(lines) == day


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("2025-03-12", "2025-03-12"),
        ("2025-03-12T10:00:00Z", "2025-03-12"),
        (date(2025, 3, 12), "2025-03-12"),
        ("12 марта 2025 г.", "2025-03-12"),
        ("2025-13-40", ""),
        ("soon", ""),
        (None, ""),
        (2025, ""),
    ],
)
def test_date_of_the_metadata(value: object, day: str) -> None:
    assert iso_day(value) == day


def test_metadata_counts_before_names_and_its_own_words_before_metadata() -> None:
    details = {"date": "2024-01-01", "version": "v2.0"}
    assert edition_of("Порядок доступа", "Порядок доступа 2019-05-05.docx", details).day == "2024-01-01"
    assert edition_of("Порядок доступа, ред. от 01.06.2025", "x.docx", details).day == "2025-06-01"
    assert edition_of("Порядок доступа", "Порядок v7.docx", details).number == (2,)
    assert edition_of("Порядок доступа", "Порядок v7.docx", {}).number == (7,)
    assert edition_of("Порядок доступа", "x.docx", {}, "Утверждено 01.02.2023").day == "2023-02-01"


def test_date_to_be_shown() -> None:
    assert document_day("Отчёт от 12.03.2025", "r.pdf", {}) == "2025-03-12"
    assert document_day("Отчёт", "Отчёт 2025-03-12.pdf", {"date": "2024-01-01"}) == "2024-01-01"
    assert document_day("Политика 2025", "p.pdf", {}) is None
    assert document_day("VPN", "vpn.pdf", {}) is None


# --- what replaces what


class Company:
    """A catalog of documents with those titles, of the department hr: their ids are their numbers."""

    def __init__(self, *titles: str | tuple[str, dict[str, Any]]) -> None:
        database = Database("sqlite://")
        Base.metadata.create_all(database.engine)
        self.catalog = Catalog(database)
        for number, given in enumerate(titles):
            title, details = given if isinstance(given, tuple) else (given, {})
            self._add(str(number), title, dict(details))

    def _add(self, document: str, title: str, details: dict[str, Any]) -> None:
        class_id = self.catalog.class_id(AccessClass(details.pop("department", "hr"), details.pop("level", 1)))
        path, version = details.pop("path", f"{document}.docx"), details.pop("content", document)
        text = details.pop("text", "Text")
        row = DocumentRow(id=document, pipeline="p", source="", path=path, title=title, version=version, chunks=1)
        row.status, row.class_id, row.details, row.ocr_pages, row.series = INDEXED, class_id, details, 0, ""
        chunk: ChunkColumns = {
            "id": f"{document}-0",
            "document_id": document,
            "class_id": class_id,
            "position": 0,
            "page": None,
            "page_kind": "page",
            "section": "",
            "text": text,
        }
        self.catalog.commit_versions([(row, [chunk])])

    def replaced(self, today: date = TODAY) -> dict[int, int]:
        """Number of a document → number of the one that replaces it."""
        mark(self.catalog, today=today)
        return {int(key): int(one.superseded_by) for key, one in self.catalog.facts().items() if one.superseded_by}


def test_a_later_edition_replaces_the_one_before() -> None:
    titles = ("Положение об отпусках (ред. от 01.02.2024)", "Положение об отпусках (ред. от 12.03.2025)")
    assert Company(*titles).replaced() == {0: 1}
    assert Company(*reversed(titles)).replaced() == {1: 0}
    assert Company("Правила ИБ", *titles, "Положение об отпусках от 03.03.2023 № 5").replaced() == {3: 1, 1: 2}


@pytest.mark.parametrize(
    "titles",
    [
        ("Порядок доступа v1", "Порядок доступа v2"),
        ("Порядок доступа, ред. 9", "Порядок доступа, ред. 10"),
        ("Порядок доступа 2023", "Порядок доступа 2024-02-01"),
        ("Отчёт о рисках, версия 1", "Отчёт о рисках, версия 2"),
        ("Настройка принтера v1", "Настройка принтера v2"),
        (("Порядок доступа", {"date": "2023-01-01"}), ("ПОРЯДОК ДОСТУПА", {"date": "2024-01-01"})),
        (("Порядок доступа", {"valid_from": "2023-01-01"}), ("Порядок доступа", {"date": "2024-01-01"})),
        (("Порядок доступа", {"version": "1"}), ("Порядок доступа", {"version": "2"})),
        (("Памятка", {"path": "Памятка v1.docx"}), ("Памятка", {"path": "b/Памятка v2.docx"})),
        (("Leave policy", {"date": "2023-01-01"}), ("Leave policy", {"date": "2024-01-01"})),
        (("СТО", {"number": "5", "date": "2023-01-01"}), ("СТО", {"number": "5", "date": "2024-01-01"})),
    ],
)
def test_versions(titles: tuple[Any, Any]) -> None:
    assert Company(*titles).replaced() == {0: 1}


@pytest.mark.parametrize(
    "titles",
    [
        ("Приказ № 1 от 01.02.2024", "Приказ № 2 от 01.02.2025"),
        ("Приказ № 1 от 01.02.2024", "Приказ № 1 от 01.02.2025"),
        ("Отчёт за 2024", "Отчёт за 2025"),
        ("Отчёт о продажах 2024", "Отчёт о продажах 2025"),
        ("Отчёт о продажах 2024 v2", "Отчёт о продажах 2025 v1"),
        ("Протокол совещания 12.03.2024", "Протокол совещания 12.03.2025"),
        ("Правила приёма на 2024 год", "Правила приёма на 2025 год"),
        ("Порядок доступа", "Порядок доступа"),
        ("Порядок доступа", "Порядок доступа v2"),
        ("Порядок доступа v2", "Порядок доступа v2.0"),
        ("Порядок доступа 2025", "Порядок доступа 2025-03-01"),
        ("Порядок доступа v2 (ред. от 01.01.2024)", "Порядок доступа v1 (ред. от 01.01.2025)"),
        ("Регламент № 5 доступа v1", "Регламент № 6 доступа v2"),
        ("Windows Server 2016 installation guide", "Windows Server 2019 installation guide"),
        ("Инструкция к принтеру LaserJet 2015", "Инструкция к принтеру LaserJet 2035"),
        (("Счёт", {"date": "2024-01-01"}), ("Счёт", {"date": "2025-01-01"})),
        (("Коммерческое предложение", {"date": "2024-01-01"}), ("Коммерческое предложение", {"date": "2025-01-01"})),
        (("Должностная инструкция", {"date": "2024-01-01"}), ("Должностная инструкция", {"date": "2025-01-01"})),
        (("Введение", {"date": "2024-01-01"}), ("Введение", {"date": "2025-01-01"})),
        (("Введение", {"path": "Склад v1.docx"}), ("Введение", {"path": "Касса v2.docx"})),
        (("Инструкция пользователя", {"path": "CRM v1.pdf"}), ("Инструкция пользователя", {"path": "ERP v2.pdf"})),
        (("User guide", {"date": "2024-01-01"}), ("User guide", {"date": "2025-01-01"})),
        (("Порядок доступа v1", {"department": "hr"}), ("Порядок доступа v2", {"department": "it"})),
        (("Порядок доступа", {"number": "1", "date": "2024-01-01"}), ("Порядок доступа", {"date": "2025-01-01"})),
        (
            ("Порядок доступа", {"date": "2024-01-01", "content": "same"}),
            ("Порядок доступа", {"date": "2025-01-01", "content": "same"}),
        ),
    ],
)
def test_no_versions(titles: tuple[Any, Any]) -> None:
    assert Company(*titles).replaced() == {}


def test_one_that_is_not_yet_in_force_replaces_nothing() -> None:
    coming = ("Порядок доступа", {"version": "3", "valid_from": "2025-07-01"})
    company = Company(("Порядок доступа", {"version": "1"}), ("Порядок доступа", {"version": "2"}), coming)
    assert company.replaced() == {0: 1}
    assert company.replaced(date(2025, 7, 1)) == {0: 1, 1: 2}


def test_the_last_day_of_validity() -> None:
    assert is_expired({"valid_until": "2025-05-31"}, TODAY)
    assert not is_expired({"valid_until": "2025-06-01"}, TODAY)
    assert not is_expired({}, TODAY)


def test_the_first_lines_date_those_that_nothing_else_dates() -> None:
    approved = [{"text": f"Утверждено приказом от 0{number}.02.2024"} for number in (1, 2)]
    assert Company(*(("Порядок доступа", details) for details in approved)).replaced() == {0: 1}
    assert Company(*(("Протокол встречи", details) for details in approved)).replaced() == {}


def test_what_is_marked_changes_with_the_documents() -> None:
    company = Company("Порядок доступа v1", "Порядок доступа v2", "Отпуск")
    assert mark(company.catalog, today=TODAY) == 3
    assert mark(company.catalog, today=TODAY) == 0
    company.catalog.forget(["1"])
    assert mark(company.catalog, today=TODAY) == 1
    assert company.replaced() == {}


def test_of_two_files_of_one_edition_the_one_that_more_people_may_read_is_named() -> None:
    company = Company(
        "Порядок доступа v1", ("Порядок доступа v2", {"level": 3, "path": "1a.docx"}), "Порядок доступа v2"
    )
    assert company.replaced() == {0: 2}


def test_each_replaced_edition_knows_the_one_in_force() -> None:
    company = Company("Порядок доступа v1", "Порядок доступа v3", "Порядок доступа v2", "Отпуск")
    assert company.replaced() == {0: 2, 2: 1}
    later = later_editions(company.catalog, ["0", "1", "2", "3", "none"])
    assert {key: [one.id for one in chain] for key, chain in later.items()} == {"0": ["2", "1"], "2": ["1"]}
