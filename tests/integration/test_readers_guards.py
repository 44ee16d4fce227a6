"""Archives made to fill memory, and other files that are refused before anything parses them."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from assistant.errors import DocumentError
from assistant.ingest.pipeline import ReaderChoice
from assistant.ingest.reading import ReadTask, read_all
from assistant.parts.readers.guards import check_size
from assistant.settings import Ingest, IngestLimits
from tests.unit import office_files


def refused(folder: Path, raw: bytes, **limits: int) -> str:
    (folder / "a.docx").write_bytes(raw)
    with pytest.raises(DocumentError) as error:
        check_size(folder / "a.docx", IngestLimits(**limits))
    return str(error.value)


def test_sizes(tmp_path: Path) -> None:
    assert refused(tmp_path, b"") == "the file is empty"
    assert refused(tmp_path, b"x" * (2 << 20), file_mb=1) == "it is larger than 1 MB (ingest.limits.file_mb)"


def test_archives_whatever_their_name(tmp_path: Path) -> None:
    many = office_files.archive({f"{number}.xml": b"" for number in range(30)})
    assert "more than 20 files (ingest.limits.archive_files)" in refused(tmp_path, many, archive_files=20)
    large = office_files.archive({"a": bytes(1 << 20), "b": bytes(1 << 20)})
    assert "more than 1 MB (ingest.limits.unpacked_mb)" in refused(tmp_path, large, unpacked_mb=1)
    assert "hundreds of times its size" in refused(tmp_path, office_files.archive({"a": bytes(11 << 20)}))
    (tmp_path / "a.txt").write_bytes(office_files.archive({"a": bytes(9 << 20)}))  # templates hold long runs of nothing
    check_size(tmp_path / "a.txt", IngestLimits())


def test_an_encrypted_archive(tmp_path: Path) -> None:
    raw = bytearray(office_files.archive({"word/document.xml": "x"}))
    raw[6] |= 1
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    assert refused(tmp_path, bytes(raw)) == "it needs a password (ingest.passwords)"


def lying_bomb() -> bytes:
    """An archive whose directory says that its 600 MB are one."""
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as made:
        made.writestr("[Content_Types].xml", "<Types/>")
        with made.open("word/document.xml", "w", force_zip64=False) as entry:
            entry.write(b"<w:document>")
            for _ in range(600):
                entry.write(b"<w:p/>  " * (1 << 17))
    data = bytearray(raw.getvalue())
    at = data.rindex(b"PK\x01\x02")
    data[at + 24 : at + 28] = (1 << 20).to_bytes(4, "little")
    return bytes(data)


def test_hostile_files_cost_only_themselves(tmp_path: Path) -> None:
    good = office_files.xlsx({"Оклады": [["Грейд"], ["G1"]]})
    hostile = {
        "bomb.docx": lying_bomb(),
        "random.docx": bytes((number * number * 31 + 7) % 251 for number in range(50_000)),
        "cut.docx": good[: len(good) // 2],
        "line.csv": b"word," * (8 << 20),
        "deep.docx": office_files.archive({"word/document.xml": "<w:p>" * 200_000}),
        "laughs.odp": office_files.archive(
            {
                "mimetype": "application/vnd.oasis.opendocument.presentation",
                "content.xml": '<!DOCTYPE x [<!ENTITY a "ha">'
                + "".join(f'<!ENTITY a{n} "{f"&a{n - 1 if n else str()};" * 10}">' for n in range(12))
                + "]><x>&a11;</x>",
            }
        ),
    }
    readers = {".csv": "csv"}
    for name, raw in {**hostile, "good.xlsx": good}.items():
        (tmp_path / name).write_bytes(raw)
    tasks = [
        ReadTask(name, tmp_path / name, ReaderChoice(readers.get(Path(name).suffix, "office")))
        for name in [*hostile, "good.xlsx"]
    ]
    results = {result.key: result for result in read_all(tasks, settings=Ingest(workers=1))}
    assert set(results) == {*hostile, "good.xlsx"}
    assert {name for name, result in results.items() if result.error is None} == {"good.xlsx"}
    assert "G1" in results["good.xlsx"].pages[0].text
    assert all("Traceback" not in (result.error or "") for result in results.values())
