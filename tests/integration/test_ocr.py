"""OCR on small pictures: turned ones, the cache, missing language data, and lines put together again."""

from __future__ import annotations

import json
import stat
import time
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from assistant.errors import DocumentError
from assistant.parts.readers import ReadContext
from assistant.parts.readers.ocr import language_data, recognise_picture
from assistant.parts.readers.ocr_layout import Word, layout, words_of
from assistant.settings import Ocr
from tests.conftest import need

FONT = Path("/usr/share/fonts/truetype/dejavu/DejaVuSerif.ttf")
LINES = [
    "Выберите пункт меню «Настройки» и нажмите кнопку.",
    "Сервер Exchange доступен с 9:00 до 18:00 по будням,",
    "кроме праздничных дней. Приказ № 15 от 12.05.2024.",
    "The help desk answers within three working days.",
    "Отдел кадров хранит личные карточки сотрудников.",
    "Бухгалтерия оплачивает счета до конца квартала.",
]


def picture(lines: list[str], size: int = 30) -> Image.Image:
    need(FONT.is_file(), "the font DejaVu Serif (apt-get install fonts-dejavu-core)")
    try:
        language_data(Ocr())
    except DocumentError as missing:
        need(False, str(missing))
    page = Image.new("L", (1100, 200 + 50 * len(lines)), 255)
    draw = ImageDraw.Draw(page)
    font = ImageFont.truetype(str(FONT), size)
    for number, line in enumerate(lines):
        draw.text((80, 80 + 50 * number), line, fill=0, font=font)
    return page


@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_russian_and_english_in_every_orientation(angle: int) -> None:
    found = recognise_picture(picture(LINES).rotate(angle, expand=True), ReadContext())
    words = found.text.split()
    assert found.confidence > 80
    assert [word for line in LINES for word in line.split() if word not in words] == []


def test_a_picture_without_text_gives_none() -> None:
    picture([])
    found = recognise_picture(Image.new("L", (800, 600), 255), ReadContext())
    assert (found.text, found.confidence) == ("", 0.0)
    noise = Image.effect_noise((600, 400), 120)
    assert recognise_picture(noise, ReadContext()).text == ""


@pytest.mark.parametrize("size", [(1, 1), (3, 3), (5000, 3), (2, 900), (40, 40)])
def test_odd_sizes_do_not_break_the_engine(size: tuple[int, int]) -> None:
    picture([])
    for shade in (0, 255):
        assert recognise_picture(Image.new("L", size, shade), ReadContext()).text == ""
    assert len(recognise_picture(Image.effect_noise(size, 100), ReadContext()).text) < 20


def test_a_page_is_recognised_once(tmp_path: Path) -> None:
    page, context = picture(LINES), ReadContext(cache=tmp_path / "ocr")
    start = time.perf_counter()
    first = recognise_picture(page, context)
    slow = time.perf_counter() - start
    (file,) = (tmp_path / "ocr").rglob("*.json")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not list((tmp_path / "ocr").rglob("*.tmp"))
    start = time.perf_counter()
    assert recognise_picture(page, context) == first
    assert time.perf_counter() - start < slow / 5
    kept = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps({**kept, "text": "из кеша"}), "utf-8")
    assert recognise_picture(page, context).text == "из кеша"
    for damage in (b"", b"{", b"[]", b"\xff\xfe", b'{"text": "x"}'):
        file.write_bytes(damage)
        assert recognise_picture(page, context) == first
    other = ReadContext(cache=context.cache, ocr=Ocr(languages=["eng"]))
    assert recognise_picture(page, other).text != first.text  # other languages: another entry
    assert len(list((tmp_path / "ocr").rglob("*.json"))) == 2


def test_missing_language_data_is_named() -> None:
    picture([])
    with pytest.raises(DocumentError, match=r"data for fin, chi_sim: install tesseract-ocr-fin tesseract-ocr-chi-sim"):
        language_data(Ocr(languages=["fin", "eng", "chi_sim"]))


def test_a_folder_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DocumentError, match="ingest.ocr.data"):
        language_data(Ocr(data=tmp_path))
    for name in ("rus", "eng"):
        (tmp_path / f"{name}.traineddata").touch()
    assert language_data(Ocr(data=tmp_path)) == tmp_path
    monkeypatch.setenv("TESSDATA_PREFIX", str(tmp_path))
    assert language_data(Ocr()) == tmp_path


def line(
    text: str, number: int, *, right: int = 1000, paragraph: tuple[int, int] = (1, 1), gaps: int = 10
) -> list[Word]:
    """Words of a line that ends at `right`."""
    words, left = [], 100
    parts = text.split(" ")
    for place, part in enumerate(parts):
        end = right if place == len(parts) - 1 else left + 10 * len(part)
        words.append(Word(part, 90.0, left, 40 * number, end, 40 * number + 20, paragraph, number))
        left = end + gaps
    return words


def test_lines_of_a_paragraph_are_joined_and_cut_words_made_whole() -> None:
    words = line("Отдел кадров прове-", 1) + line("ряет договоры и какой-", 2) + line("то журнал.", 3, right=400)
    assert layout(words) == "Отдел кадров проверяет договоры и какой-то журнал."
    words = line("it is a well-", 1) + line("known docu-", 2) + line("ment", 3, right=300)
    assert layout(words) == "it is a well-known document"
    words = line("социально-экономический и социально-", 1) + line("экономический", 2, right=300)
    assert layout(words) == "социально-экономический и социально-экономический"


def test_items_and_rows_keep_their_lines() -> None:
    words = (
        line("Перечень документов для приёма:", 1) + line("1. паспорт", 2) + line("2) справка", 3) + line("— фото", 4)
    )
    assert layout(words).split("\n") == ["Перечень документов для приёма:", "1. паспорт", "2) справка", "— фото"]
    rows = line("Бумага 5 100.00", 1, gaps=150) + line("Тонер 2 950.00", 2, gaps=150)
    assert layout(rows) == "Бумага   5   100.00\nТонер   2   950.00"
    assert layout(line("# 5 пункт", 1)) == "\\# 5 пункт"


def test_a_sentence_goes_on_in_the_next_column() -> None:
    words = line("Журнал хранит", 1) + line("архивариус в", 2) + line("шкафу. Ключ", 3, paragraph=(2, 1))
    assert layout(words) == "Журнал хранит архивариус в\n\nшкафу. Ключ".replace("\n\n", " ")
    words = line("Журнал хранит архивариус.", 1) + line("Ключ у него.", 2, paragraph=(2, 1))
    assert layout(words) == "Журнал хранит архивариус.\n\nКлюч у него."


def test_specks_are_dropped() -> None:
    table = "\n".join(
        [
            "4\t1\t1\t1\t1\t0\t0\t0\t90\t20\t-1\t",
            "5\t1\t1\t1\t1\t1\t0\t0\t40\t20\t95.5\tСлово",
            "5\t1\t1\t1\t1\t2\t50\t0\t4\t4\t17.1\t°",
            "5\t1\t1\t1\t1\t3\t60\t0\t4\t4\t96\t—",
            "5\t1\t1\t1\t1\t4\t60\t0\t4\t4\t96\t ",
            "",
        ]
    )
    assert [(word.text, word.confidence, word.right) for word in words_of(table)] == [
        ("Слово", 95.5, 40),
        ("—", 96.0, 64),
    ]
