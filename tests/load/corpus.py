"""A large made corpus out of a folder of real Markdown documents: `python -m tests.load.corpus CORPORA TARGET`.

Every document is put together from sections of the real ones in its language, most of them of one; numbers, dates and
names are other ones, some words are replaced, and a summary of its own stands at its beginning: so no two are alike,
while words, lengths and headings stay those of real documents. Markdown, DOCX and PDF (60, 20 and 20 %) in nested
folders of five departments. The same arguments make the same bytes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import re
import shutil
import time
import zipfile
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.load.formats import WRITERS, Block, pdf, word_paragraph, zipped

FORMATS = {".md": 0.6, ".docx": 0.2, ".pdf": 0.2}
DEPARTMENTS = ("company", "finance", "hr", "it", "sales")
FOLDERS = ("policies", "manuals", "orders", "Инструкции", "Приказы", "projects/alpha", "projects/Бета", "archive/2023")
NAMES = {
    "ru": ("Ольга Кузнецова", "Игорь Соколов", "Мария Орлова", "Тимур Ахметов", "Анна Белова", "Павел Громов"),
    "en": ("Alice Morgan", "Peter Novak", "Jane Carter", "Omar Haddad", "Laura Stein", "David Price"),
}
SUMMARY = {
    "ru": "Кратко: {} и {}, а также {}, {} и {}; отдельно — {} и {}. Отвечает {}, договор № {}.",
    "en": "In short: {} and {}, then {}, {} and {}; apart from these {} and {}. Responsible: {}, contract No. {}.",
}
NUMBERED = {"ru": "{} № {} от {:02}.{:02}.{}", "en": "{} No. {} of {:02}.{:02}.{}"}


@dataclass(frozen=True)
class Section:
    heading: str
    blocks: list[Block]
    size: int


@dataclass(frozen=True)
class Source:
    """A real document, cut at its headings."""

    title: str
    lang: str
    sections: list[Section]


@dataclass(frozen=True)
class Made:
    """A made document; `sentence` is in it and in no other."""

    path: str
    lang: str
    sentence: str


def make(corpora: Path, target: Path, documents: int, *, seed: int = 1, processes: int | None = None) -> list[Made]:
    """Write so many documents into the folder, which must be empty or new."""
    target.mkdir(parents=True, exist_ok=True)
    if any(target.iterdir()):
        raise SystemExit(f"{target} is not empty")
    processes = processes or os.cpu_count() or 1
    write = partial(_write, target, seed)
    with multiprocessing.get_context("spawn").Pool(processes, _load, (corpora,)) as pool:
        return pool.map(write, range(documents), chunksize=25)


_sources: dict[str, list[Source]] = {}  # in each process, by language
_words: dict[str, list[str]] = {}


def _load(corpora: Path) -> None:
    sources = read_sources(corpora)
    for lang in {source.lang for source in sources}:
        _sources[lang] = [source for source in sources if source.lang == lang]
        pattern = r"\b[а-яё]{7,}\b" if lang == "ru" else r"\b[a-z]{6,}\b"
        text = " ".join(block.text for s in _sources[lang] for part in s.sections for block in part.blocks)
        counts = Counter(re.findall(pattern, text))
        _words[lang] = sorted(word for word, count in counts.items() if count > 1)


def read_sources(corpora: Path) -> list[Source]:
    """The real documents that have text enough. Exits when there are none."""
    files = sorted(corpora.rglob("*.md"))
    found = [source for file in files if (source := _parsed(file.read_text("utf-8", "replace"), file.stem))]
    if not found:
        raise SystemExit(f"{corpora} has no Markdown documents")
    return found


def _parsed(text: str, name: str) -> Source | None:
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.S)
    text = re.sub(r"<[^<>\n]*>|!\[[^\]]*\]\([^)]*\)|\[!\w+[^\]]*\]|^> ?|[*`]+", "", text, flags=re.M)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    sections, title = [], ""
    for part in re.split(r"^(?=#{1,6} )", text, flags=re.M):
        heading, _, body = part.partition("\n") if part.startswith("#") else ("", "", part)
        heading = heading.lstrip("#").strip()
        title = title or heading
        blocks = [block for group in re.split(r"\n\s*\n", body) if (block := _block(group.strip()))]
        size = sum(len(block.text) + len("".join(block.items)) for block in blocks)
        if size > 80:
            sections.append(Section(heading or title or name, blocks, size))
    letters = Counter("ru" if "а" <= letter <= "я" else "en" for letter in text.lower() if letter.isalpha())
    lang = "ru" if letters["ru"] > letters["en"] / 2 else "en"
    return Source(title or name, lang, sections) if sections else None


def _block(group: str) -> Block | None:
    if len(group) < 3 or not re.search(r"[^\W\d_]{3}", group):
        return None
    lines = [line.strip() for line in group.splitlines()]
    if lines[0].startswith("|"):
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
        rows = [row for row in rows if set("".join(row)) - set("-: ") and len(row) == len(rows[0])]
        return Block("table", rows=rows) if len(rows) > 1 else None
    if all(re.match(r"([-+]|\d+[.)]) ", line) for line in lines):
        return Block("list", items=[re.sub(r"^([-+]|\d+[.)]) +", "", line) for line in lines])
    return Block("text", " ".join(lines)[:3000])


def _write(target: Path, seed: int, number: int) -> Made:
    chance = random.Random(f"{seed}-{number}")
    extension = chance.choices(list(FORMATS), list(FORMATS.values()))[0]
    lang = chance.choice(sorted(_sources))
    blocks, sentence = compose(chance, number, lang, _sources[lang], _words[lang])
    folder = f"{chance.choice(DEPARTMENTS)}/{chance.choice(FOLDERS)}/{number % 7}"
    name = re.sub(r"[^\w -]", "", blocks[0].text)[:60].strip()
    path = f"{folder}/{number:05} {name}{extension}"
    file = target / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(WRITERS[extension](blocks))
    return Made(path, lang, sentence)


def compose(
    chance: random.Random, number: int, lang: str, sources: list[Source], words: list[str]
) -> tuple[list[Block], str]:
    """The blocks of one document of 1 to 8 thousand letters, rarely more, and the sentence that only it has."""
    main = chance.choice(sources)
    sections = list(main.sections)
    chance.shuffle(sections)
    wanted = min(16_000, int(chance.lognormvariate(8.0, 0.55)))
    taken: list[Section] = []
    while sum(section.size for section in taken) < wanted and len(taken) < 30:
        is_own = sections and chance.random() < 0.7
        taken.append(sections.pop() if is_own else chance.choice(chance.choice(sources).sections))
    date = chance.randint(1, 28), chance.randint(1, 12), chance.randint(2015, 2025)
    title = NUMBERED[lang].format(main.title[:90], f"{number}-{chance.randint(10, 99)}", *date)
    contract = f"{chance.randint(10, 99)}-{number:05}"
    sentence = SUMMARY[lang].format(*chance.sample(words, 7), chance.choice(NAMES[lang]), contract)
    blocks = [Block("heading", title, 1), Block("text", sentence)]
    left = 2 * wanted  # a single section can be as long as a book
    for section in taken:
        blocks.append(Block("heading", _mutated(section.heading[:120], chance, words), 2))
        for block in section.blocks:
            left -= len(block.text) + len("".join(block.items))
            if left > 0 or len(blocks) < 4:
                blocks.append(_mutated_block(block, chance, words))
    return blocks, sentence


def _mutated_block(block: Block, chance: random.Random, words: list[str]) -> Block:
    items = [_mutated(item, chance, words) for item in block.items]
    rows = [[_mutated(cell, chance, words) for cell in row] for row in block.rows]
    return Block(block.kind, _mutated(block.text, chance, words), block.level, items, rows)


def _mutated(text: str, chance: random.Random, words: list[str]) -> str:
    """Every other number is another one of its length, and every thirtieth word another word."""

    def number(found: re.Match[str]) -> str:
        digits = found[0]
        return str(chance.randrange(10 ** (len(digits) - 1), 10 ** len(digits))) if chance.random() < 0.5 else digits

    def word(found: re.Match[str]) -> str:
        return chance.choice(words) if chance.random() < 1 / 30 else found[0]

    return re.sub(r"\b[^\W\d_]{5,}\b", word, re.sub(r"\d{1,9}", number, text))


# --- a day later


def change(folder: Path, share: float, seed: int) -> Counter[str]:
    """Edit so large a share of the documents: 70 % get another text, 10 % each are deleted, added and renamed."""
    chance = random.Random(seed)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    done: Counter[str] = Counter()
    for number, file in enumerate(chance.sample(files, max(1, round(share * len(files))))):
        action = "edited" if number % 10 < 7 else ("deleted", "added", "renamed")[number % 10 - 7]
        done[action] += 1
        text = f"Изменение {seed}-{number}: новый порядок действует с {chance.randint(1, 28)} марта; see item {number}."
        if action == "deleted":
            file.unlink()
        elif action == "renamed":
            file.rename(file.with_name(f"renamed {seed} {file.name}"))
        else:
            target = file if action == "edited" else file.with_name(f"added {seed} {file.name}")
            target.write_bytes(appended(file, text))
    return done


def appended(file: Path, text: str) -> bytes:
    """The document with one more paragraph."""
    if file.suffix == ".md":
        return file.read_bytes() + f"\n{text}\n".encode()
    if file.suffix == ".docx":
        with zipfile.ZipFile(file) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        end = b"<w:sectPr/></w:body>"
        parts["word/document.xml"] = parts["word/document.xml"].replace(end, word_paragraph(text).encode() + end)
        return zipped(parts)
    import pypdfium2

    with pypdfium2.PdfDocument(file) as document:
        lines = [line for page in document for line in page.get_textpage().get_text_bounded().splitlines()]
    return pdf([Block("heading", lines[0], 1), *(Block("text", line) for line in lines[1:]), Block("text", text)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", type=Path, help="folder of Markdown documents, searched in its folders too")
    parser.add_argument("target", type=Path, help="folder to fill; emptied first with --again")
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--again", action="store_true")
    options = parser.parse_args()
    if options.again:
        shutil.rmtree(options.target, ignore_errors=True)
    start = time.perf_counter()
    made = make(options.corpora, options.target, options.documents, seed=options.seed)
    kinds = Counter(Path(document.path).suffix for document in made)
    size = sum(path.stat().st_size for path in options.target.rglob("*") if path.is_file())
    listed = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    print(f"{len(made)} documents ({listed}), {size / 1e6:.1f} MB, in {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
