"""What is found and lost of real office files, beside the stock LlamaIndex pipeline:
`python -m tests.load.plain_files FOLDER [--kinds docx,eml] [--json FILE]`.

FOLDER holds files and a `manifest.jsonl` (a line a file: `file`, `kind`, `lang`, perhaps `expected`, the path of its text).
`assistant ingest` and the plain pipeline (`tests.load.plain_llama_index` says what it needs) load all of them, and each
file is then one of these:

- good: in the index; its text has at least 70 % of the expected words, where those are known
- part: fewer of them
- garbage: in the index, but no text: bytes of the format, control characters, or a Russian file with hardly any Cyrillic
- named: not in the index, and the reason was said
- silent: not in the index, and nobody was told

Expected texts are mostly another parser's output, so 70 % is a rough line. A protected or damaged file can at best be
named. OCR takes most of the time; without Tesseract scans are named. `tests.load.files` measures our readers alone.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sqlite3
import tempfile
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

from tests.load import plain_llama_index
from tests.load.site import Site, write_recipe

VERDICTS = ("good", "part", "garbage", "named", "silent")
ENOUGH = 0.7


def run(site: Site, files: Path, kinds: set[str]) -> dict[str, Any]:
    lines = (files / "manifest.jsonl").read_text("utf-8").splitlines()
    manifest = [entry for line in lines if (entry := json.loads(line)) and (not kinds or entry["kind"] in kinds)]
    for entry in manifest:
        target = site.documents / entry["file"]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(files / entry["file"], target)
    write_recipe(site.recipe, site.documents, ())
    ours = site.ingest("ours")
    probes = site.folder / "probes.json"
    probes.write_text("{}", "utf-8")
    plain = plain_llama_index.index(site, probes)
    said = json.loads((site.folder / "plain.json").read_text("utf-8"))
    texts = {"ours": _our_texts(site), "plain": said["texts"]}
    reasons = {"ours": _our_reasons(site, ours["report"]), "plain": said["failures"]}
    judged = [
        {
            "file": entry["file"],
            "kind": entry["kind"],
            **{who: _verdict(files, entry, texts[who].get(entry["file"], ""), reasons[who]) for who in texts},
            "reason": reasons["ours"].get(entry["file"], ""),
        }
        for entry in manifest
    ]
    return {"files": judged, "ours": ours["usage"], "plain": plain}


def _our_texts(site: Site) -> dict[str, str]:
    rows = _query(
        site,
        "SELECT documents.path, documents.title, chunks.section, chunks.text FROM chunks"
        " JOIN documents ON documents.id = chunks.document_id ORDER BY chunks.document_id, chunks.position",
    )
    texts: dict[str, str] = {}
    for path, title, section, text in rows:
        texts[path] = f"{texts.get(path, title)}\n{section}\n{text}"
    return texts


def _our_reasons(site: Site, report: dict[str, Any]) -> dict[str, str]:
    named = dict(_query(site, "SELECT path, error FROM documents WHERE error IS NOT NULL"))
    return {**dict.fromkeys(report["skipped"], "no reader for its extension"), **named}


def _query(site: Site, query: str) -> list[Any]:
    connection = sqlite3.connect(site.storage / "assistant.db")
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def _verdict(files: Path, entry: dict[str, Any], text: str, reasons: dict[str, str]) -> str:
    if not text.strip():
        return "named" if entry["file"] in reasons else "silent"
    if _is_garbage(text, entry.get("lang", "")):
        return "garbage"
    if not entry.get("expected"):
        return "good"
    expected = _words((files / entry["expected"]).read_text("utf-8", "replace"))
    if not expected:
        return "good"
    return "good" if (expected & _words(text)).total() >= ENOUGH * expected.total() else "part"


def _is_garbage(text: str, lang: str) -> bool:
    """Raw bytes of a format taken for text, or text in a wrong encoding."""
    if text.lstrip().startswith(("%PDF-", "PK\x03\x04", "{\\rtf")):
        return True
    strange = sum(map(_is_strange, text))
    letters = [letter for letter in text if letter.isalpha()]
    cyrillic = sum("Ѐ" <= letter <= "ӿ" for letter in letters)
    return strange > 0.05 * len(text) or (lang == "ru" and cyrillic < 0.3 * len(letters))


def _is_strange(letter: str) -> bool:
    if letter == "\N{REPLACEMENT CHARACTER}":
        return True
    return unicodedata.category(letter) in ("Cc", "Co", "Cn") and letter not in "\n\r\t\f"


def _words(text: str) -> Counter[str]:
    text = re.sub(r"<!--.*?-->", " ", text, flags=re.S)
    return Counter(re.findall(r"[^\W_]{3,}", unicodedata.normalize("NFKC", text).lower()))


def show(results: dict[str, Any]) -> None:
    judged = results["files"]
    kinds = Counter(entry["kind"] for entry in judged)
    print(f"\n{len(judged)} files. Ours | plain LlamaIndex")
    if not results["plain"]["has_readers"]:
        print("without llama-index-readers-file the plain pipeline has no readers: only .md and .txt were given to it")
    header = " ".join(f"{name:>8}" for name in VERDICTS)
    print(f"{'kind':8}{'files':>6}   {header} | {header}")
    for kind, number in [*kinds.most_common(), ("all", len(judged))]:
        chosen = [entry for entry in judged if kind in (entry["kind"], "all")]
        shown = []
        for who in ("ours", "plain"):
            counts = Counter(entry[who] for entry in chosen)
            shown.append(" ".join(f"{counts[name] or '.':>8}" for name in VERDICTS))
        print(f"{kind:8}{number:6}   {' | '.join(shown)}")
    for verdict in ("silent", "garbage", "part"):
        for entry in judged:
            if entry["ours"] == verdict:
                print(f"ours, {verdict}: {entry['file']}")
    ours, plain = results["ours"], results["plain"]["usage"]
    print(f"ours {ours['wall']:.0f} s wall, {ours['cpu']:.0f} s CPU; plain {plain['wall']:.0f} and {plain['cpu']:.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kinds", default="", help="only these, with commas between")
    parser.add_argument("--json", type=Path, help="write all verdicts there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = run(Site(Path(folder)), options.folder.resolve(), set(filter(None, options.kinds.split(","))))
    show(results)
    if options.json:
        options.json.write_text(json.dumps(results, ensure_ascii=False, indent=1, default=vars), "utf-8")


if __name__ == "__main__":
    main()
