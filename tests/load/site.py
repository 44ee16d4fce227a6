"""Where a load test works: a folder with documents, a recipe and a storage of its own, and commands measured in it."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.load.processes import Finished, measured, points

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "data" / "models" / "static-bilingual"
HOURS = 4 * 3600.0


@dataclass
class Site:
    """A folder with documents, recipe and storage, and what was measured there."""

    folder: Path
    results: dict[str, Any] = field(default_factory=dict)

    @property
    def documents(self) -> Path:
        return self.folder / "documents"

    @property
    def recipe(self) -> Path:
        return self.folder / "recipe.yaml"

    @property
    def storage(self) -> Path:
        return self.folder / "storage"

    def command(self, name: str, *arguments: object, module: str) -> Finished:
        """Run a module of this checkout in a process of its own and measure it."""
        command = [sys.executable, "-m", module, *map(str, arguments)]
        print(f"… {name}", file=sys.stderr, flush=True)
        done = measured(command, self.folder, environment=environment(self.storage), name=name, limit=HOURS)
        if done.code not in (0, 3):
            raise SystemExit(f"{name} ended with {done.code}:\n{done.errors[-3000:]}")
        return done

    def ingest(self, name: str) -> dict[str, Any]:
        done = self.command(name, "ingest", "--json", self.recipe, module="assistant")
        report = json.loads(done.output)
        report["failed"] = report["failed"][:20]
        return {"report": report, "usage": done.usage.as_json(), "curve": points(done.usage.curve)}


def environment(storage: Path) -> dict[str, str]:
    """Ours without a developer's own settings."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith("ASSISTANT_")}
    path = os.pathsep.join(filter(None, [str(ROOT), kept.get("PYTHONPATH", "")]))
    ours = {"ASSISTANT_STORAGE__PATH": str(storage), "ASSISTANT_CHROMA__PORT": "0", "PYTHONPATH": path}
    return {**kept, **ours}


def write_recipe(file: Path, documents: Path, departments: tuple[str, ...]) -> dict[str, Any]:
    """Readers and transformations of `pipelines/default.yaml`; a class for each department, the rest the company's."""
    shipped = yaml.safe_load((ROOT / "pipelines" / "default.yaml").read_text("utf-8"))
    recipe: dict[str, Any] = {
        "name": "load",
        "source": {"directory": str(documents)},
        "readers": shipped["readers"],
        "transformations": shipped["transformations"],
        "access": [{"match": f"/{name}/**", "department": name} for name in departments]
        + [{"match": "/**", "department": "company"}],
    }
    file.write_text(yaml.safe_dump(recipe, allow_unicode=True, sort_keys=False), "utf-8")
    return recipe
