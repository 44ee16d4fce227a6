"""The cache of recognised pages: what is used stays, what is not goes, and nothing in it can stop an ingest."""

from __future__ import annotations

import os
from pathlib import Path

from assistant.parts import ocr_cache

DIGESTS = [f"{number:02x}{'0' * 62}" for number in range(20)]


def filled(cache: Path, characters: int = 100_000) -> list[Path]:
    """Twenty pages of some 100 kB, the first used longest ago."""
    files = [ocr_cache.file_of(cache, digest) for digest in DIGESTS]
    for age, file in enumerate(files):
        ocr_cache.put(file, {"text": "x" * characters})
        os.utime(file, (1_000_000 + age, 1_000_000 + age))
    return files


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    files = filled(tmp_path)
    assert ocr_cache.get(files[0]) == {"text": "x" * 100_000}, "it is used, and the last one to go"
    ocr_cache.trim(tmp_path, 1)
    left = [number for number, file in enumerate(files) if file.exists()]
    assert left == [0, *range(11, 20)], "ten files of 100 kB in blocks of 4 KiB are all that fit into 1 MB"
    ocr_cache.trim(tmp_path, 1)
    assert [number for number, file in enumerate(files) if file.exists()] == left


def test_small_files_count_as_what_they_take_on_the_disk(tmp_path: Path) -> None:
    (tmp_path / "aa").mkdir()
    for number in range(300):
        (tmp_path / "aa" / f"{number}.json").write_bytes(b"{}")
    ocr_cache.trim(tmp_path, 1)
    assert len(list((tmp_path / "aa").iterdir())) == 256


def test_a_cache_that_is_away_or_odd(tmp_path: Path) -> None:
    ocr_cache.trim(tmp_path / "none", 1)
    (tmp_path / "file").write_bytes(b"x" * 3_000_000)
    (tmp_path / "00").mkdir()
    (tmp_path / "00" / "folder").mkdir()
    ocr_cache.trim(tmp_path, 1)
    assert (tmp_path / "file").exists(), "not ours"
    assert ocr_cache.get(tmp_path / "00" / "folder") is None
