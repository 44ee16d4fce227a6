"""`assistant models pull` against a real hub server, folders and servers: whole and right, or nothing that looks like it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assistant.errors import AssistantError, ConfigError, ModelUnavailable, NotFound
from assistant.evaluation.corpus import apart
from assistant.evaluation.datasets import read_dataset
from assistant.models.pull import choose, pull
from assistant.models.sources import RemoteFile
from assistant.parts import model_files
from assistant.parts.embeddings import EMBEDDINGS, identity
from assistant.settings import Embedding, Reranker
from assistant.wiring import build
from tests.integration import company
from tests.integration.test_reranking import write_cross_encoder
from tests.servers.hub import Hub, hub, sha_of
from tests.servers.webdav import PASSWORD, USER, webdav

NAME = "acme/tiny-encoder"
WEIGHTS = "model.safetensors"


def write_encoder(folder: Path, seed: int = 1) -> Path:
    """A real sentence-transformers model of two small layers, with what else lies in such repositories."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from transformers import XLMRobertaConfig, XLMRobertaModel

    base = write_cross_encoder(folder.with_name(f"{folder.name}-base"))
    torch.manual_seed(seed)
    config = XLMRobertaConfig.from_pretrained(base)
    XLMRobertaModel(config).save_pretrained(base)
    words = Transformer(str(base))
    words.max_seq_length = 64
    SentenceTransformer(modules=[words, Pooling(32), Normalize()], device="cpu").save_pretrained(str(folder))
    shutil.rmtree(base)
    for extra in (
        "onnx/model.onnx",
        "openvino/openvino_model.bin",
        "tf_model.h5",
        "flax_model.msgpack",
        ".gitattributes",
    ):
        (folder / extra).parent.mkdir(exist_ok=True)
        (folder / extra).write_bytes(b"of no use here")
    return folder


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("hub") / "encoder")


@pytest.fixture
def server(encoder: Path) -> Iterator[Hub]:
    with hub({NAME: encoder}) as running:
        yield running


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    return tmp_path / "storage"


def embedded(folder: Path | str) -> list[float]:
    return EMBEDDINGS.build("huggingface", model=str(folder), dtype="float32").get_query_embedding("отпуск")


def contents(folder: Path) -> dict[str, str]:
    """Of what makes the model."""
    found = model_files.files_of(folder)
    return {f.relative_to(folder).as_posix(): hashlib.sha256(f.read_bytes()).hexdigest() for f in found}


# --- the hub


def test_a_pulled_model_is_whole_and_lean_and_is_the_one_that_is_loaded(
    server: Hub, storage: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, tuple[int, int]] = {}
    pulled = pull(
        NAME, storage, origin=server.url, progress=lambda name, done, total: told.update({name: (done, total)})
    )
    folder = storage.resolve() / "models" / NAME
    assert (pulled.files.folder, pulled.files.problem, pulled.files.kind) == (folder, "", "embedding")
    assert pulled.revision == sha_of(encoder)
    there = {file.name for file in folder.rglob("*") if file.is_file()}
    assert {"modules.json", WEIGHTS, "tokenizer.json", "README.md"} <= there
    assert not there & {"model.onnx", "openvino_model.bin", "tf_model.h5", "flax_model.msgpack", ".gitattributes"}
    assert all(done == total for done, total in told.values())
    assert told[WEIGHTS][1] == (encoder / WEIGHTS).stat().st_size
    # found by its name, without the hub: the server is told to refuse, and is not even asked
    server.status = 500
    server.requests.clear()
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    with build(company.settings(storage, embedding=Embedding(model=NAME))) as assistant:
        assert assistant.embed_model().get_query_embedding("отпуск") == pytest.approx(embedded(encoder), abs=0.02)
        assert assistant.model_identity == identity("huggingface", str(folder))
    assert server.requests == []


def test_a_model_that_is_not_here_is_not_looked_for_elsewhere(
    server: Hub, storage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in a process that has pulled before: only the pull itself was online."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import OfflineModeIsEnabled

    pull(NAME, storage, origin=server.url)
    server.requests.clear()
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    settings = company.settings(storage, embedding=Embedding(model="acme/other"))
    with build(settings) as assistant, pytest.raises(ConfigError, match="run `assistant models pull acme/other`"):
        assistant.embed_model()
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)  # as in a process where it was set before the import
    with pytest.raises(OfflineModeIsEnabled):
        HfApi(endpoint=server.url).model_info(NAME)
    assert server.requests == []
    pull(NAME, storage, origin=server.url)
    assert server.requests


def test_a_broken_connection_is_gone_on_with_where_it_broke(server: Hub, storage: Path, encoder: Path) -> None:
    server.cut = {WEIGHTS: [5_000, 7_000]}
    pulled = pull(NAME, storage, origin=server.url)
    ranges = [asked for name, asked in server.fetched() if name == WEIGHTS]
    assert ranges == ["", "bytes=5000-", "bytes=12000-"]
    assert contents(pulled.files.folder)[WEIGHTS] == contents(encoder)[WEIGHTS]


def test_a_server_without_ranges_sends_it_once_more(server: Hub, storage: Path, encoder: Path) -> None:
    server.cut, server.knows_ranges = {WEIGHTS: [5_000]}, False
    pulled = pull(NAME, storage, origin=server.url)
    assert contents(pulled.files.folder)[WEIGHTS] == contents(encoder)[WEIGHTS]


def test_a_killed_pull_leaves_nothing_that_looks_complete_and_the_next_one_goes_on(
    server: Hub, storage: Path, encoder: Path, tmp_path: Path
) -> None:
    server.cut, server.gate = {WEIGHTS: [20_000]}, threading.Event()
    command = [sys.executable, "-m", "assistant", "models", "pull", NAME, "--from", server.url]
    environment = os.environ | {"ASSISTANT_STORAGE__PATH": str(storage)}
    process = subprocess.Popen(
        command, env=environment, cwd=company.ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    part = storage / "models/.partial/acme--tiny-encoder" / f"{WEIGHTS}.part"
    while not (part.is_file() and part.stat().st_size == 20_000):
        assert process.poll() is None, process.communicate()
        threading.Event().wait(0.02)
    process.kill()
    process.communicate()
    server.gate.set()
    assert model_files.find(NAME, storage) is None
    server.fetched()
    pulled = pull(NAME, storage, origin=server.url)
    assert server.fetched() == [(WEIGHTS, "bytes=20000-")]
    assert contents(pulled.files.folder)[WEIGHTS] == contents(encoder)[WEIGHTS]
    assert not list((storage / "models/.partial").glob("*/*"))


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (lambda right: right[:-1] + bytes([right[-1] ^ 1]), "its hash differs"),
        (lambda right: right + b"more", "bytes, not"),
    ],
    ids=["hash", "size"],
)
@pytest.mark.parametrize("name", [WEIGHTS, "modules.json"])
def test_other_content_than_was_announced_is_not_kept(
    server: Hub, storage: Path, encoder: Path, wrong: Any, reason: str, name: str
) -> None:
    server.wrong = {name: wrong((encoder / name).read_bytes())}
    with pytest.raises(ModelUnavailable, match=f"{name} from {server.url} is not what it should be .*{reason}"):
        pull(NAME, storage, origin=server.url)
    assert model_files.find(NAME, storage) is None
    server.wrong = {}
    assert pull(NAME, storage, origin=server.url).files.problem == ""


def test_a_listed_file_that_the_hub_does_not_have(server: Hub, storage: Path) -> None:
    server.extra = [{"type": "file", "path": "added_tokens.json", "size": 3, "oid": "0" * 40}]
    with pytest.raises(ModelUnavailable, match=f"{server.url} answered 404 for '{NAME}'"):
        pull(NAME, storage, origin=server.url)
    assert model_files.find(NAME, storage) is None


@pytest.mark.parametrize(
    "path", ["../../evil.json", "/etc/evil.json", "a/../../../evil.json", "..\\evil.json", "a//b.json"]
)
def test_a_listed_name_that_leads_out_is_refused(server: Hub, storage: Path, path: str) -> None:
    server.extra = [{"type": "file", "path": path, "size": 3, "oid": "0" * 40}]
    with pytest.raises(ConfigError, match="leads out of the model's folder"):
        pull(NAME, storage, origin=server.url)
    assert not [asked for asked in server.fetched() if "evil" in asked[0]]


def test_revisions(storage: Path, encoder: Path, tmp_path: Path) -> None:
    other = write_encoder(tmp_path / "other", seed=2)
    with hub({NAME: encoder, f"{NAME}@v2": other}) as server:
        first = pull(NAME, storage, origin=server.url).files.folder
        before = identity("huggingface", str(first))
        second = pull(NAME, storage, origin=server.url, revision="v2")
        assert (second.files.folder, second.revision) == (first, sha_of(other))
        assert contents(first)[WEIGHTS] == contents(other)[WEIGHTS]
        assert identity("huggingface", str(first)) != before
        pull(NAME, storage, origin=server.url, revision=sha_of(encoder))
        assert identity("huggingface", str(first)) == before
        with pytest.raises(NotFound, match=f"has no revision 'v3' of '{NAME}'"):
            pull(NAME, storage, origin=server.url, revision="v3")
        # what is left of one revision does not get into another
        server.cut = {WEIGHTS: [10, 0, 0, 0, 0, 0, 0]}
        with pytest.raises(ModelUnavailable, match="can't be reached"):
            pull(NAME, storage, origin=server.url)
        server.cut = {}
        assert (
            contents(pull(NAME, storage, origin=server.url, revision="v2").files.folder)[WEIGHTS]
            == (contents(other)[WEIGHTS])
        )


def test_trouble_is_a_sentence(server: Hub, storage: Path) -> None:
    with pytest.raises(NotFound, match=f"{server.url} has no model 'acme/none'"):
        pull("acme/none", storage, origin=server.url)
    server.status = 503
    with pytest.raises(ModelUnavailable, match="answered 503"):
        pull(NAME, storage, origin=server.url)
    with pytest.raises(ModelUnavailable, match="can't be reached .*--from FOLDER"):
        pull(NAME, storage, origin="http://127.0.0.1:9")
    for name in ("../x", "/etc/x", "a/b/c", "", ".hidden", "a/..", "https://x/y"):
        with pytest.raises(ConfigError, match="is no model's name"):
            pull(name, storage, origin=server.url)
    assert not storage.joinpath("models/acme").exists()


def test_the_accounts_own_token_is_not_for_a_mirror(
    server: Hub, storage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    (tmp_path / "token").write_text("hf_of_this_account")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    pull(NAME, storage, origin=server.url)
    assert set(server.tokens) == {""}
    server.tokens.clear()
    monkeypatch.setenv("HF_TOKEN", "given")
    pull(NAME, storage, origin=server.url, revision="main")
    assert set(server.tokens) == {"Bearer given"}


def test_an_evaluations_own_storage_uses_the_companys_models(storage: Path, encoder: Path, tmp_path: Path) -> None:
    folder = pull(NAME, storage, origin=str(encoder)).files.folder
    (tmp_path / "set").mkdir()
    (tmp_path / "set/corpus.jsonl").write_text('{"id": "a", "title": "t", "text": "x", "lang": "en"}\n', "utf-8")
    (tmp_path / "set/questions.jsonl").write_text(
        '{"id": "1", "question": "x", "lang": "en", "gold": ["a"]}\n', "utf-8"
    )
    settings = company.settings(storage, embedding=Embedding(model=NAME), reranker=Reranker(model="acme/other"))
    made = apart(settings, read_dataset(tmp_path / "set"))
    assert (made.embedding.model, made.reranker.model) == (str(folder), "acme/other")
    assert made.storage.path != storage


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


def test_two_pulls_of_one_model_do_not_mix(server: Hub, storage: Path) -> None:
    server.cut, server.gate = {WEIGHTS: [1_000]}, threading.Event()
    first = threading.Thread(target=pull, args=(NAME, storage), kwargs={"origin": server.url})
    first.start()
    while not any(WEIGHTS in path for _, path, _ in server.requests):
        threading.Event().wait(0.02)
    with pytest.raises(ConfigError, match="is being pulled by another process"):
        pull(NAME, storage, origin=server.url)
    server.gate.set()
    first.join(60)
    assert model_files.find(NAME, storage) is not None
