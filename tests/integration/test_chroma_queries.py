"""Our own queries to Chroma: the answers of its client, over connections that may have died, and after collections did."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from chromadb.errors import InternalError

from assistant.parts.chroma_http import ChromaQueries, path_of, request_of
from tests.integration.company import Site

pytestmark = pytest.mark.server
VECTOR = [0.5, -0.25, 0.125, *([0.0] * 253)]


@pytest.fixture
def collections(site: Site) -> list[Any]:
    return list(site.assistant.chroma.client().list_collections())


@pytest.fixture
def queries(site: Site) -> ChromaQueries:
    return ChromaQueries(site.assistant.chroma.client()._server)  # type: ignore[attr-defined]


def expected(collection: Any, k: int) -> list[tuple[str, float]]:  # noqa: ANN401
    found = collection.query(query_embeddings=[VECTOR], n_results=k, include=["distances"])
    return [
        (key, pytest.approx(1 - far, abs=1e-6)) for key, far in zip(found["ids"][0], found["distances"][0], strict=True)
    ]


def test_answers_are_those_of_the_client(collections: list[Any], queries: ChromaQueries) -> None:
    """Also of more collections than requests are under way."""
    assert len(collections) > 2
    paths = [path_of(collection) for collection in collections] * 5
    for k in (1, 50):
        found = queries.nearest(paths, request_of(VECTOR, k))
        assert found == {path_of(collection): expected(collection, k) for collection in collections}


def test_connections_that_the_server_closed_are_made_anew(collections: list[Any], queries: ChromaQueries) -> None:
    paths = [path_of(collection) for collection in collections]
    found = queries.nearest(paths, request_of(VECTOR, 3))
    assert queries._idle
    for connection in queries._idle:
        connection.sock.shutdown(socket.SHUT_RDWR)
    assert queries.nearest(paths, request_of(VECTOR, 3)) == found


def test_a_refusal_leaves_no_answer_for_the_next_question(collections: list[Any], queries: ChromaQueries) -> None:
    paths = [path_of(collection) for collection in collections]
    found = queries.nearest(paths, request_of(VECTOR, 3))
    with pytest.raises(InternalError, match="HTTP 4.*dimension"):
        queries.nearest(paths, request_of(VECTOR[:3], 3))
    assert queries.nearest(paths, request_of(VECTOR, 3)) == found


def test_a_collection_that_was_deleted_is_none_and_one_made_anew_is_found(site: Site, queries: ChromaQueries) -> None:
    """The server keeps what it knows of collections in memory."""
    client = site.assistant.chroma.client()

    def made(name: str, key: str) -> str:
        collection = client.create_collection(
            name, configuration={"hnsw": {"space": "cosine"}}, embedding_function=None
        )
        collection.add(ids=[key], embeddings=[VECTOR])
        return path_of(collection)

    def ids(*paths: str) -> list[list[str] | None]:
        found = queries.nearest(paths, request_of(VECTOR, 3))
        return [None if part is None else [key for key, _ in part] for part in found.values()]

    stays, goes = made("stays", "a"), made("goes", "b")
    assert ids(goes, stays) == [["b"], ["a"]]
    client.delete_collection("goes")
    assert ids(goes, stays) == [None, ["a"]]
    again = made("goes", "c")
    assert ids(goes, again) == [None, ["c"]]
