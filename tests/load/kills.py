"""Does a killed ingest lose or double anything? `python -m tests.load.kills CORPORA [--kills 50] [--documents 400]`.

Two storages over one folder of made documents (Markdown, DOCX, PDF). One loads it once, undisturbed. The other is killed
with SIGKILL again and again, while the folder goes on changing: before each run a quarter of the documents changes
between two versions, some are deleted, put back, or moved to another department. The moment is taken at random from the
time that the run would take: start-up and the share of documents that are not yet as in the catalog, as measured in the
undisturbed run; a run that ends before its kill does not count and is repeated. Of ten kills seven hit the main process
alone, the rest also its reading workers, or these and the Chroma server.

At the end the folder is put back to the first version, one last run goes to its end, and both storages are compared:
every document's class and status, every passage's section, page, text and vector, the word index, the journal of vector
writes, and that Chroma holds no vector beside those. Exit code 1 on any difference. Vectors are to be equal to the last
bit, but for those of documents that were moved to another class: Chroma copies them, and normalises what it is given
once more, which may change the last bit (3e-8). Those are counted.

The commands run in forks of a process that has imported everything, with the hash embedding (another vector for every
other text): this saves 5 s a run. --model takes the bundled model instead.
Python's warning of leaked semaphores at the end is the killed runs' doing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.integration import company
from tests.load import corpus
from tests.load.killer import Killer, warm_up
from tests.load.site import MODEL, write_recipe

CHANGING = 0.25  # of the documents, before each run
VICTIMS = ("main",) * 7 + ("main and readers",) + ("main, readers and Chroma",) * 2
ROUNDING = 2.0**-22  # of a number below 1, after some copies


@dataclass
class Company:
    """The folder that changes: two versions of each document, of which the first one counts in the end."""

    folder: Path
    chance: random.Random
    first: dict[str, bytes] = field(default_factory=dict)
    second: dict[str, bytes] = field(default_factory=dict)

    def remember(self) -> None:
        for file in sorted(path for path in self.folder.rglob("*") if path.is_file()):
            path = file.relative_to(self.folder).as_posix()
            self.first[path] = file.read_bytes()
            self.second[path] = corpus.appended(file, "Вторая редакция, second version.")

    def change(self) -> None:
        """Put another version in place of a quarter of the documents; some go, come back, or stand elsewhere too."""
        paths = sorted(self.first)
        for path in self.chance.sample(paths, max(1, round(CHANGING * len(paths)))):
            file, elsewhere = self.folder / path, self.folder / _elsewhere(path)
            action = self.chance.random()
            if action < 0.08 and file.exists():
                file.unlink()
            elif action < 0.16 and file.exists() and not elsewhere.exists():
                elsewhere.parent.mkdir(parents=True, exist_ok=True)
                file.rename(elsewhere)
            else:
                elsewhere.unlink(missing_ok=True)
                now = file.read_bytes() if file.exists() else b""
                file.write_bytes(self.second[path] if now == self.first[path] else self.first[path])

    def put_back(self) -> None:
        for path, content in self.first.items():
            (self.folder / _elsewhere(path)).unlink(missing_ok=True)
            (self.folder / path).write_bytes(content)

    def waiting(self, storage: Path) -> float:
        """The share of documents that are not in the catalog as they are in the folder."""
        files = {path.relative_to(self.folder).as_posix(): path for path in self.folder.rglob("*") if path.is_file()}
        known: dict[str, str] = {}
        with suppress(sqlite3.Error):
            connection = sqlite3.connect(storage / "assistant.db")
            with suppress(sqlite3.Error):
                known = dict(connection.execute("SELECT path, sha256 FROM documents WHERE status = 'indexed'"))
            connection.close()
        same = sum(known.get(path) == hashlib.sha256(file.read_bytes()).hexdigest() for path, file in files.items())
        return 1 - same / max(1, len(files))


def _elsewhere(path: str) -> str:
    """Where a moved document stands: in the next department's folder, so in another access class."""
    department, _, rest = path.partition("/")
    place = corpus.DEPARTMENTS.index(department) + 1
    return f"{corpus.DEPARTMENTS[place % len(corpus.DEPARTMENTS)]}/moved from {department}/{rest}"


def kill_again_and_again(killer: Killer, folder: Company, kills: int, seconds: float, idle: float) -> Counter[str]:
    """`seconds` and `idle` are what a whole run and one without work take; prints a line for each kill."""
    chance, stages, runs = folder.chance, Counter[str](), 0
    while stages.total() < kills:
        runs += 1
        if runs > 3 * kills + 10:
            raise SystemExit(f"of {runs} runs only {stages.total()} could be killed: they end too early")
        if runs > 1:  # the first one loads everything
            folder.change()
        expected = idle + (seconds - idle) * folder.waiting(killer.storage)
        moment, victim = chance.uniform(0.0, expected), chance.choice(VICTIMS)
        killed, after, stage = killer.run(moment=moment, victim=victim)
        if killed:
            stages[stage] += 1
            print(f"{stages.total():4} killed after {after:5.1f} of {expected:5.1f} s, {victim}: {stage}", flush=True)
    print(f"{runs} runs, {runs - kills} of them ended before their kill")
    return stages


def differences(storages: list[Path], model: str) -> list[str]:
    """What two storages hold differently, one line a document; also what does not agree within one of them."""
    from assistant.settings import Embedding
    from assistant.wiring import build

    chosen = Embedding(model=str(MODEL)) if model else Embedding(provider="hash")
    found = []
    for storage in storages:
        with build(company.settings(storage, embedding=chosen)) as assistant:
            try:
                found.append(company.snapshot(assistant))
            except AssertionError as error:
                return [f"{storage.name} disagrees with itself: {str(error)[:2000]}"]
            left = {write for write in assistant.catalog.writes() if not assistant.catalog.passages_of(write.document)}
            if left:
                return [f"{storage.name}: {len(left)} vector writes without passages: {sorted(map(str, left))[:3]}"]
    counts = [(len(one["documents"]), len(one["keyword"])) for one in found]
    print(f"documents and passages: undisturbed {counts[0]}, killed {counts[1]}")
    whole, killed = (company.comparable(one) for one in found)
    unlike = [key for key in sorted(whole.keys() | killed.keys()) if whole.get(key) != killed.get(key)]
    rounded = [key for key in unlike if _is_rounded(whole.get(key), killed.get(key))]
    print(f"documents with vectors that differ in the last bit only: {len(rounded)}")
    return [f"differs: {key}" for key in unlike if key not in rounded]


def _is_rounded(one: Any, other: Any) -> bool:
    """Whether nothing but the last bits of vectors differs."""
    if one is None or other is None or one[:3] != other[:3] or len(one[3]) != len(other[3]):
        return False
    return all(
        (*a, len(left)) == (*b, len(right)) and max(abs(x - y) for x, y in zip(left, right, strict=True)) <= ROUNDING
        for (*a, left), (*b, right) in zip(one[3], other[3], strict=True)
    )


def run(root: Path, corpora: Path, documents: int, kills: int, seed: int, model: str) -> int:
    folder = Company(root / "documents", random.Random(seed))
    corpus.make(corpora, folder.folder, documents, seed=seed)
    folder.remember()
    recipe = root / "recipe.yaml"
    write_recipe(recipe, folder.folder, corpus.DEPARTMENTS)
    warm_up()
    whole = Killer(root / "undisturbed", recipe, model)
    _, seconds, _ = whole.run()
    _, idle, _ = whole.run()
    print(f"{documents} documents, undisturbed {seconds:.1f} s, again without a change {idle:.1f} s; seed {seed}")
    start = time.perf_counter()
    killer = Killer(root / "killed", recipe, model)
    stages = kill_again_and_again(killer, folder, kills, seconds, idle)
    folder.put_back()
    _, last, _ = killer.run()
    report = json.loads((root / "output.txt").read_text("utf-8"))
    print(f"the last run took {last:.1f} s ({report['seconds']} s in its stages: {report['stages']})")
    print(f"all of them {time.perf_counter() - start:.0f} s")
    print("kills by stage: " + ", ".join(f"{stage} {number}" for stage, number in stages.most_common()))
    problems = [f"still running: {name}" for name in killer.left_over()]
    problems += differences([whole.storage, killer.storage], model)
    for problem in problems[:20]:
        print(problem)
    print(f"{len(problems)} differences" if problems else "No difference: nothing was lost, nothing is there twice.")
    return 1 if problems else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", type=Path, help="folder of Markdown documents")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--documents", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model", action="store_true", help="the bundled embedding model")
    parser.add_argument("--keep", type=Path, help="work in this new folder and leave it")
    options = parser.parse_args()
    root = options.keep or Path(tempfile.mkdtemp())
    root.mkdir(parents=True, exist_ok=bool(not options.keep))
    try:
        model = "bundled" if options.model else ""
        return run(root.resolve(), options.corpora.resolve(), options.documents, options.kills, options.seed, model)
    finally:
        if not options.keep:
            shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
