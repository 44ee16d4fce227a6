"""A cited PDF over HTTP: the picture of its page with the passage marked, for those who may read it and nobody else."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from tests.conftest import need
from tests.integration import company
from tests.integration.app_routes import steady_headers
from tests.integration.web_site import Web, problem, site
from tests.truth.documents import FONTS, fonts_are_here, scanned

pytestmark = pytest.mark.server
# Page by page; each department has one, and the managers of hr.
PDFS = {
    "hr/ru.pdf": ["Оформление отпуска начинается с заявления сотрудника.", "Остаток отпуска считает кадровая служба."],
    "hr/managers/grades.pdf": ["Оклад девятого разряда начинается с четырёхсот тысяч."],
    "sales/offer.pdf": ["Коммерческое предложение действует тридцать дней."],
    "safety.pdf": ["Каску на площадке носят все.", "Страховку проверяет мастер.", "Журнал хранится в прорабской."],
}
READERS = {
    "hr/ru.pdf": {"hr"},
    "hr/managers/grades.pdf": set(),
    "sales/offer.pdf": {"sales"},
    "safety.pdf": {"staff", "hr", "sales", "admin"},
    "it/VPN.pdf": {"staff", "hr", "sales", "admin"},
}
WHO = [None, "staff", "hr", "sales", "admin"]


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    need(fonts_are_here(), "the DejaVu fonts (apt-get install fonts-dejavu-core)")
    place = tmp_path_factory.mktemp("pages")
    with site(place) as found:
        pdfmetrics.registerFont(TTFont("DejaVuSerif", str(FONTS / "DejaVuSerif.ttf")))
        for path, pages in PDFS.items():
            write(found.docs / path, pages)
        report = found.assistant.ingest(company.recipe(place / "company.yaml", found.docs))
        assert not report.failed
        yield found


def write(file: Path, pages: list[str]) -> None:
    canvas = Canvas(str(file))
    for text in pages:
        canvas.setFont("DejaVuSerif", 12)
        canvas.drawString(72, 700, text)
        canvas.drawString(72, 300, "Северный ветер, внутренний документ, для служебного пользования.")
        canvas.showPage()
    canvas.save()


class Elements(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def of(self, tag: str, kind: str = "") -> list[dict[str, str | None]]:
        return [a for name, a in self.found if name == tag and (not kind or kind in (a.get("class") or "").split())]

    def links(self) -> list[str]:
        return [a["href"] or "" for a in self.of("a")]


def chunk(web: Web, path: str, words: str) -> str:
    passages = web.assistant.catalog.passages_of(web.document(path))
    return next(passage.chunk for passage in passages if words in passage.text)


def shown(client: httpx.Client, address: str, **parameters: str) -> Elements:
    answer = client.get(address, params=parameters)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "private, no-store"
    return Elements(answer.text)


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("path", READERS)
def test_view_picture_and_original_are_for_its_readers_only(web: Web, path: str, who: str | None) -> None:
    """Person × document × everything that shows it."""
    document = web.document(path)
    passage = web.assistant.catalog.passages_of(document)[0]
    ways = ["", f"?chunk={passage.chunk}", "?page=1", "?view=text", "/pages/1", "/pages/999", "/original"]
    with web.client(who) as client:
        for way in ways:
            answer = client.get(f"/documents/{document}{way}")
            if who is None:
                assert problem(answer, 401)
            elif who not in READERS[path]:
                unknown = client.get(f"/documents/{'0' * 20}{way}")
                assert problem(answer, 404) == problem(unknown, 404), way
                assert steady_headers(answer) == steady_headers(unknown)
                assert passage.text[:20] not in answer.text
            else:
                assert answer.status_code == (404 if way == "/pages/999" else 200), way
                assert answer.headers.get("cache-control", "private, no-store") == "private, no-store"


def test_the_cited_page_is_shown_with_its_passage_marked(web: Web) -> None:
    document, cited = web.document("safety.pdf"), chunk(web, "safety.pdf", "Страховку")
    with web.client("staff", headers={"accept-language": "en"}) as client:
        page = shown(client, f"/documents/{document}", chunk=cited)
        picture = client.get(f"/documents/{document}/pages/2")
    (image,) = page.of("img")
    assert image["src"] == f"/documents/{document}/pages/2"
    assert image["alt"] == "Page 2 of “safety” as a picture; its text is below"
    assert (picture.headers["content-type"], picture.content[8:12]) == ("image/webp", b"WEBP")
    first, *_ = page.of("div", "box")
    assert (first["id"], first["tabindex"]) == ("found", "-1")
    assert "Страховку проверяет мастер" in (first["aria-label"] or "")
    top = float(re.search(r"top:([\d.]+)%", first["style"] or "")[1])  # type: ignore[index]
    assert abs(top - 100 * (842 - 711) / 842) < 1.5
    assert f"/documents/{document}?chunk={cited}&page=1#sheet" in page.links()
    assert f"/documents/{document}?chunk={cited}&page=3#sheet" in page.links()
    assert f"/documents/{document}/original#page=2" in page.links()
    (marked,) = page.of("div", "marked")
    assert "id" not in marked, "the box is what the address means"


def test_from_page_to_page_and_back_to_the_passage(web: Web) -> None:
    document, cited = web.document("safety.pdf"), chunk(web, "safety.pdf", "Каску")
    with web.client("staff") as client:
        other = shown(client, f"/documents/{document}", chunk=cited, page="3")
        last = shown(client, f"/documents/{document}", page="3")
        start = shown(client, f"/documents/{document}")
        problem(client.get(f"/documents/{document}?page=4"), 404)
        problem(client.get(f"/documents/{document}?page=x"), 422)
        problem(client.get(f"/documents/{document}/pages/0"), 404)
    assert not other.of("div", "box")
    assert f"/documents/{document}?chunk={cited}&page=1#found" in other.links()
    assert not any("page=4" in link for link in last.links())
    assert start.of("img")[0]["src"] == f"/documents/{document}/pages/1"


def test_a_pdf_is_shown_as_text_on_request(web: Web) -> None:
    document, cited = web.document("safety.pdf"), chunk(web, "safety.pdf", "Страховку")
    with web.client("staff") as client:
        text = shown(client, f"/documents/{document}", chunk=cited, view="text")
    assert not text.of("img")
    (marked,) = text.of("div", "marked")
    assert (marked["id"], marked["tabindex"]) == ("found", "-1")
    assert f"/documents/{document}?chunk={cited}#found" in text.links()


def test_another_file_in_its_place_is_not_shown(web: Web) -> None:
    """Its text is, and a sentence says why; the pictures are gone with the loaded version."""
    file, document = web.docs / "hr" / "ru.pdf", web.document("hr/ru.pdf")
    cited, content = chunk(web, "hr/ru.pdf", "Остаток"), file.read_bytes()
    with web.client("hr", headers={"accept-language": "en"}) as client:
        try:
            write(file, ["Тайна другого отдела."] * 2)
            other = client.get(f"/documents/{document}", params={"chunk": cited})
            assert problem(client.get(f"/documents/{document}/pages/1"), 404)
            file.unlink()
            gone = client.get(f"/documents/{document}", params={"chunk": cited})
            assert problem(client.get(f"/documents/{document}/pages/1"), 404)
        finally:
            file.write_bytes(content)
        assert client.get(f"/documents/{document}/pages/1").status_code == 200
    for answer in (other, gone):
        assert answer.status_code == 200
        assert "was moved, changed or deleted after it was loaded" in answer.text
        assert "Тайна" not in answer.text
        elements = Elements(answer.text)
        assert not elements.of("img")
        assert elements.of("div", "marked")[0]["id"] == "found"


def test_a_pdf_that_cannot_be_drawn_is_shown_as_its_text(web: Web) -> None:
    """Loaded by the parser that saves damaged files: PDFium refuses this one."""
    document, file = web.document("sales/offer.pdf"), web.docs / "sales" / "offer.pdf"
    row, content = web.assistant.catalog.document(document), file.read_bytes()
    kept = row.sha256
    try:
        file.write_bytes(content.replace(b"/Root", b"/Rxxt"))
        row.sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
        web.assistant.catalog.save(row)
        with web.client("sales", headers={"accept-language": "en"}) as client:
            answer = client.get(f"/documents/{document}")
            assert problem(client.get(f"/documents/{document}/pages/1"), 422)
    finally:
        file.write_bytes(content)
        row.sha256 = kept
        web.assistant.catalog.save(row)
    assert "The page could not be drawn" in answer.text
    assert "Коммерческое предложение" in answer.text


def test_other_formats_have_no_pages(web: Web) -> None:
    document = web.document("it/passwords.docx")
    with web.client("staff") as client:
        problem(client.get(f"/documents/{document}/pages/1"), 404)
        assert not shown(client, f"/documents/{document}").of("img")


def test_a_scan_says_that_it_is_one(web: Web, tmp_path: Path) -> None:
    file, document = web.docs / "safety.pdf", web.document("safety.pdf")
    row, content = web.assistant.catalog.document(document), file.read_bytes()
    kept = row.sha256
    try:
        file.write_bytes(scanned(tmp_path, "scan", "ru", 2, dpi=72).file.read_bytes())
        row.sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
        web.assistant.catalog.save(row)
        with web.client("staff", headers={"accept-language": "en"}) as client:
            cited = chunk(web, "safety.pdf", "Страховку")
            answer = client.get(f"/documents/{document}", params={"chunk": cited})
    finally:
        file.write_bytes(content)
        row.sha256 = kept
        web.assistant.catalog.save(row)
    assert "The page is a scan without a text layer" in answer.text
    elements = Elements(answer.text)
    assert len(elements.of("img")) == 1
    assert elements.of("div", "marked")[0]["id"] == "found"
