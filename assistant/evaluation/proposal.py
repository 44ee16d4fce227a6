"""What `assistant eval tune` found, as a table, and as a YAML fragment for a profile in configs/."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.errors import StorageError

if TYPE_CHECKING:
    from assistant.evaluation.tune import Tuning


def proposal(found: Tuning) -> str:
    """The settings that would change, with their figures in comments. Without a change the comments say so."""
    import yaml

    dev = found.changes[0]
    lines = [
        f"# Proposed by `assistant eval tune` on {date.today()}, on {', '.join(found.datasets)}; nothing was changed.",
        f"# nDCG@10, {found.train_questions} questions to choose on: {found.train[0]:.4f}, proposed {found.train[1]:.4f}",
        f"# {dev.questions} other questions: {dev.present:.4f}, proposed {dev.proposed:.4f}, difference "
        f"{dev.difference:+.4f}, 95 % {dev.interval[0]:+.4f} to {dev.interval[1]:+.4f}",
        f"# {_judgement(found)}",
    ]
    for name, (present, proposed) in found.values().items():
        lines.append(f"#   {name}: {present} → {proposed}")
    if found.proposed.cut:
        cut = found.proposed.cut
        lines.append(f"# In pipelines/*.yaml: chunk_size: {cut.chunk_size}, chunk_overlap: {cut.chunk_overlap}")
    tree = _tree(found)
    return "\n".join(lines) + "\n" + (yaml.safe_dump(tree, sort_keys=False, allow_unicode=True) if tree else "")


def write_proposal(found: Tuning, file: Path) -> Path:
    """Raises `StorageError`."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(proposal(found), "utf-8")
    except OSError as error:
        raise StorageError(f"the proposal can't be written to {file}: {error.strerror or error}") from error
    return file


def print_tuning(found: Tuning) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, soft_wrap=True)
    best: dict[str, tuple[str, float]] = {}
    for name, value, score in found.tried:
        if name not in best or score > best[name][1]:
            best[name] = (value, score)
    table = Table("setting", "present", "proposed", "best of those tried", box=None, header_style="bold")
    values = found.values()
    for name, (value, score) in best.items():
        present, proposed = values.get(name, (found.present_value(name), "-"))
        table.add_row(name, str(present), str(proposed), f"{value}: {score:.4f}")
    console.print(table)
    console.print(f"\nTo choose on: {found.train_questions} questions, {found.train[0]:.4f} → {found.train[1]:.4f}")
    table = Table(
        "the other questions", "n", "present", "proposed", "difference", "95 %", box=None, header_style="bold"
    )
    for one in found.changes:
        interval = f"{one.interval[0]:+.3f}, {one.interval[1]:+.3f}"
        figures = (f"{one.present:.4f}", f"{one.proposed:.4f}", f"{one.difference:+.4f}")
        table.add_row(one.name, str(one.questions), *figures, interval)
    console.print(table)
    console.print(_judgement(found))


def _judgement(found: Tuning) -> str:
    if not found.values():
        return "Nothing that was tried is better: keep the present settings."
    if found.is_better:
        return "Better beyond noise on the questions that it was not chosen on."
    return "Within noise on the questions that it was not chosen on: no reason to change."


def _tree(found: Tuning) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for name, (_, proposed) in found.values().items():
        if "/" in name:
            continue  # of the pipelines: said in the comment
        branch = tree.setdefault("retrieval", {})
        *path, last = name.split(".")
        for part in path:
            branch = branch.setdefault(part, {})
        branch[last] = proposed
    return tree
