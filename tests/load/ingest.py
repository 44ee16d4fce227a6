"""What loading a large corpus costs: `python -m tests.load.ingest CORPORA [--documents 10000]`. Figures, no assertions.

CORPORA is a folder of Markdown documents; out of them the corpus is made (`tests.load.corpus`: Markdown, DOCX, PDF).
`assistant ingest` runs as people run it, a process of its own over an empty storage, with the bundled model and its own
Chroma server: the first time, again with nothing changed (three times), and after 1 % of the documents were changed.
How CPU and memory are measured, and how exactly, says `tests.load.processes`.

In between, in the same run and on the same files, the parts that no ingest can do without are measured alone: reading,
embedding, storing (`tests.load.bare`). The CPU time of our whole process tree is divided by the sum of theirs: once of
their work alone, so that our imports and the loading of the model count against us (with few documents they are most of
it), and once of their whole processes. Cutting, the word index and the catalog are overhead in both. With --plain the
stock LlamaIndex pipeline runs on the same files (`tests.load.plain_llama_index`).

Two runs on one machine differ by 5-15 % in wall time when others use it, in CPU time by about 5 %: compare ratios of
one run. The bare parts come after ours and find the files in the page cache.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

from tests.load import corpus, plain_llama_index
from tests.load.site import MODEL, Site, write_recipe

RERUN_SECONDS, CHANGED_SECONDS, TIMES_BARE = 3.0, 30.0, 1.2  # what we want


def run(site: Site, corpora: Path, documents: int, seed: int, is_plain: bool) -> None:
    results = site.results
    made = corpus.make(corpora, site.documents, documents, seed=seed)
    write_recipe(site.recipe, site.documents, corpus.DEPARTMENTS)
    results["documents"], results["cores"] = documents, os.cpu_count()
    results["first"] = site.ingest("first")
    results["bare"] = bare(site)
    if is_plain:
        results["plain"] = plain_llama_index.compare(site, made)
    results["unchanged"] = [site.ingest(f"unchanged-{number}") for number in range(3)]
    results["changes"] = dict(corpus.change(site.documents, 0.01, seed))
    results["changed"] = site.ingest("changed")
    results["ratio"] = ratios(results)


def bare(site: Site) -> dict[str, Any]:
    database, vectors = site.storage / "assistant.db", site.folder / "vectors.npy"
    parts = {
        "reading": (site.documents, site.recipe),
        "embedding": (database, MODEL, vectors),
        "storing": (database, vectors, site.folder / "bare-chroma"),
    }
    return {
        name: json.loads(site.command(f"bare-{name}", name, *arguments, module="tests.load.bare").output)
        for name, arguments in parts.items()
    }


def ratios(results: dict[str, Any]) -> dict[str, float]:
    ours = results["first"]["usage"]["cpu"]
    work = sum(part["cpu"] for part in results["bare"].values())
    whole = work + sum(part["start"] for part in results["bare"].values())
    return {"bare_cpu": work, "times_bare": ours / work, "bare_whole_cpu": whole, "times_bare_whole": ours / whole}


# --- printing


def show(results: dict[str, Any]) -> None:
    first, report = results["first"]["usage"], results["first"]["report"]
    wall = first["wall"]
    print(f"\n{results['documents']} documents, {report['chunks_added']} passages, {results['cores']} cores")
    print(f"failed {len(report['failed'])}, skipped {len(report['skipped'])}")
    print(f"\nFirst run      {wall:8.1f} s wall   {results['documents'] / wall:6.1f} documents a second")
    whole = report["seconds"]
    for stage, seconds in sorted(report["stages"].items(), key=lambda item: -item[1]):
        print(f"  {stage:12} {seconds:8.1f} s        {seconds / whole:6.1%} of the run's {whole:.1f} s")
    rest = whole - sum(report["stages"].values())
    print(f"  {'no stage':12} {rest:8.1f} s        {rest / whole:6.1%} (below 0: stages that ran side by side)")
    _show_cpu(first)
    _show_memory(results["first"])
    again = [run["usage"]["wall"] for run in results["unchanged"]]
    inside = statistics.median(run["report"]["seconds"] for run in results["unchanged"])
    print(
        f"\nUnchanged      {statistics.median(again):8.1f} s wall (of {min(again):.1f}-{max(again):.1f}, wanted ≤ ",
        end="",
    )
    print(f"{RERUN_SECONDS:.0f}); {inside:.1f} s without the program's start")
    changed = results["changed"]["usage"]["wall"]
    print(f"1 % changed    {changed:8.1f} s wall (wanted ≤ {CHANGED_SECONDS:.0f}); {_counts(results['changes'])}")
    _show_bare(results)
    if "plain" in results:
        plain_llama_index.show(results["plain"], first)


def _show_cpu(usage: dict[str, Any]) -> None:
    parts = ", ".join(f"{kind} {seconds:.1f}" for kind, seconds in usage["cpu_of"].items())
    print(f"CPU            {usage['cpu']:8.1f} s of {usage['processes']} processes: {parts}", end="")
    print(f" (sampled {usage['cpu_sampled']:.1f}, accounted by the system {usage['cpu_waited']:.1f})")


def _show_memory(run: dict[str, Any]) -> None:
    usage = run["usage"]
    parts = ", ".join(f"{kind} {size:.0f}" for kind, size in usage["peak_of"].items())
    print(f"Memory         {usage['peak_mb']:8.0f} MB at most (PSS of all processes; the most of each kind: {parts};")
    print(f"                        the main process's own RSS {usage['main_peak_rss_mb']:.0f})")
    curve = run["curve"]
    print("  after s      " + "".join(f"{moment.seconds:7.0f}" for moment in curve))
    print("  all, MB      " + "".join(f"{moment.tree_mb:7.0f}" for moment in curve))
    for kind in usage["peak_of"]:
        print(f"  {kind:8} MB  " + "".join(f"{moment.kinds_mb.get(kind, 0):7.0f}" for moment in curve))


def _show_bare(results: dict[str, Any]) -> None:
    ratio, ours = results["ratio"], results["first"]["usage"]["cpu"]
    print("\nThe bare parts alone, CPU seconds")
    for name, part in results["bare"].items():
        print(f"  {name:12} {part['cpu']:8.1f}   (wall {part['wall']:.1f}; imports and loading {part['start']:.1f})")
    print(f"  sum          {ratio['bare_cpu']:8.1f}   ours {ours:.1f} = {ratio['times_bare']:.2f} times", end="")
    print(f" (wanted ≤ {TIMES_BARE})")
    print(f"  with starts  {ratio['bare_whole_cpu']:8.1f}   ours {ratio['times_bare_whole']:.2f} times")


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {what}" for what, number in counts.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", type=Path, help="folder of Markdown documents")
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plain", action="store_true", help="also the stock LlamaIndex pipeline")
    parser.add_argument("--json", type=Path, help="write all figures there")
    parser.add_argument("--keep", type=Path, help="work in this new folder and leave it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.keep:
            options.keep.mkdir(parents=True)
        site = Site((options.keep or Path(folder)).resolve())
        run(site, options.corpora.resolve(), options.documents, options.seed, options.plain)
    show(site.results)
    if options.json:
        text = json.dumps(site.results, ensure_ascii=False, indent=1, default=vars)
        options.json.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
