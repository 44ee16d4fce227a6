"""`assistant models pull` against a real hub server, folders and servers: whole and right, or nothing that looks like it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assistant.errors import ConfigError, ModelUnavailable, NotFound
from assistant.evaluation.corpus import apart
from assistant.evaluation.datasets import read_dataset
from assistant.models.pull import pull
from assistant.parts import model_files
from assistant.parts.embeddings import identity
from assistant.settings import Embedding, Reranker
from assistant.wiring import build
from tests.integration import company
from tests.integration.tiny_models import NAME, WEIGHTS, contents, embedded, write_encoder
from tests.servers.hub import Hub, hub, sha_of


@pytest.fixture
def server(encoder: Path) -> Iterator[Hub]:
    with hub({NAME: encoder}) as running:
        yield running


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    return tmp_path / "storage"


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
