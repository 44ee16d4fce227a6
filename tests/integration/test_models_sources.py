"""`assistant models pull` of weights that are pickles, from folders, and from servers as a pipeline's source."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from assistant.errors import AssistantError, ConfigError, ModelUnavailable
from assistant.models.pull import choose, pull
from assistant.models.sources import RemoteFile
from assistant.parts import model_files
from tests.integration import company
from tests.integration.tiny_models import NAME, WEIGHTS, contents, embedded
from tests.servers.hub import hub
from tests.servers.webdav import PASSWORD, USER, webdav


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    return tmp_path / "storage"


# --- pickles


def test_a_pickle_is_refused_or_rewritten(storage: Path, encoder: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    pickled = shutil.copytree(encoder, tmp_path / "pickled")
    tensors = load_file(pickled / WEIGHTS)
    (pickled / WEIGHTS).unlink()
    torch.save(tensors, pickled / "pytorch_model.bin")
    with hub({NAME: pickled}) as server:
        with pytest.raises(ConfigError, match=r"pytorch_model.bin is a pickle .*--convert"):
            pull(NAME, storage, origin=server.url)
        assert server.fetched() == []
        pulled = pull(NAME, storage, origin=server.url, convert=True)
    assert not list(pulled.files.folder.rglob("*.bin"))
    assert embedded(pulled.files.folder) == pytest.approx(embedded(encoder), abs=1e-6)
    with pytest.raises(ConfigError, match="pytorch_model.bin is a pickle, which is not loaded"):
        embedded(pickled)


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (os.environ["EVIL"],)


def test_a_pickle_that_runs_code_runs_nothing(
    storage: Path, encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setenv("EVIL", str(tmp_path / "was-run"))
    pickled = shutil.copytree(encoder, tmp_path / "pickled")
    (pickled / WEIGHTS).unlink()
    torch.save({"weight": Evil()}, pickled / "pytorch_model.bin")
    with pytest.raises(ModelUnavailable, match="holds more than weights"):
        pull(NAME, storage, origin=str(pickled), convert=True)
    assert not (tmp_path / "was-run").exists()
    assert model_files.find(NAME, storage) is None


def test_what_is_chosen() -> None:
    names = [
        "config.json",
        "model.safetensors",
        "pytorch_model.bin",
        "2_Dense/pytorch_model.bin",
        "vocab.txt",
        "LICENSE",
    ]
    names += ["onnx/config.json", "colbert_linear.pt", "training_args.bin", "modeling.py", ".cache/x.json"]
    files = [RemoteFile(name, size=number) for number, name in enumerate(names)]
    with pytest.raises(ConfigError, match=r"2_Dense/pytorch_model\.bin is a pickle"):
        choose(files, convert=False)
    chosen = [file.name for file in choose(files, convert=True)]
    assert chosen == ["config.json", "model.safetensors", "2_Dense/pytorch_model.bin", "vocab.txt", "LICENSE"]


# --- folders and servers


def test_from_a_folder_with_links_as_a_hub_cache_has(storage: Path, encoder: Path, tmp_path: Path) -> None:
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshot"
    shutil.copytree(encoder, blobs)
    for file in (path for path in blobs.rglob("*") if path.is_file()):
        link = snapshot / file.relative_to(blobs)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(file, link.parent))
    pulled = pull("bge-m3", storage, origin=str(snapshot))
    assert contents(pulled.files.folder)[WEIGHTS] == contents(encoder)[WEIGHTS]
    assert not any(path.is_symlink() for path in pulled.files.folder.rglob("*"))
    with pytest.raises(ConfigError, match="--revision is for a hub"):
        pull("bge-m3", storage, origin=str(snapshot), revision="v2")
    with pytest.raises(ConfigError, match="is no folder"):
        pull("bge-m3", storage, origin=str(tmp_path / "none"))
    with pytest.raises(ConfigError, match="it holds no weights"):
        pull("bge-m3", storage, origin=str(company.DOCS))


def test_a_folder_that_lacks_a_part_is_refused_and_the_older_model_stays(
    storage: Path, encoder: Path, tmp_path: Path
) -> None:
    pull(NAME, storage, origin=str(encoder))
    lacking = shutil.copytree(encoder, tmp_path / "lacking")
    weights = (lacking / WEIGHTS).read_bytes()
    (lacking / WEIGHTS).write_bytes(weights[:-100])
    with pytest.raises(ModelUnavailable, match=rf"{WEIGHTS} has {len(weights) - 100} bytes, not {len(weights)}"):
        pull(NAME, storage, origin=str(lacking))
    (lacking / WEIGHTS).write_bytes(weights)
    for name in ("tokenizer.json", "modules.json"):
        (lacking / name).rename(tmp_path / name)
        if name == "modules.json":
            (lacking / "config.json").unlink()
        with pytest.raises(ModelUnavailable, match="tokenizer's files are missing|config.json is missing"):
            pull(NAME, storage, origin=str(lacking))
        (tmp_path / name).rename(lacking / name)
    found = model_files.find(NAME, storage)
    assert found is not None
    assert contents(found.folder)[WEIGHTS] == contents(encoder)[WEIGHTS]


def test_from_a_server_as_a_pipelines_source(
    storage: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DAV_PASSWORD", "%D0%BF%D0%B0%D1%80%D0%BE%D0%BB%D1%8C-42")
    with webdav(encoder) as dav:
        url = dav.url.replace("://", f"://{USER}:${{DAV_PASSWORD}}@")
        pulled = pull(NAME, storage, origin=url)
        assert contents(pulled.files.folder)[WEIGHTS] == contents(encoder)[WEIGHTS]
        with pytest.raises(AssistantError, match="does not let this account in") as refused:
            pull("other", storage, origin=dav.url.replace("://", f"://{USER}:secret-words@"))
    assert "secret-words" not in str(refused.value)
    assert PASSWORD not in (pulled.files.folder / ".pulled.json").read_text("utf-8")
    origin = json.loads((pulled.files.folder / ".pulled.json").read_text("utf-8"))
    assert origin["source"].startswith("webdav://127.0.0.1")
