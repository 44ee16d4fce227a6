"""Settings: four places in their order, and errors that name key, place and the nearest right name."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.errors import ConfigError
from assistant.settings import Settings
from assistant.settings_loader import load_settings

NO_PROFILES = {"access", "glossary"}
SHIPPED = sorted({file.stem for file in (Path(__file__).parents[2] / "configs").glob("*.yaml")} - NO_PROFILES)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a `configs` folder of its own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/default.yaml").write_text("{}\n")
    return tmp_path


def refusal(environ: dict[str, str] | None = None, profile: str | None = None) -> str:
    with pytest.raises(ConfigError) as refused:
        load_settings(profile, environ=environ or {})
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize(("places", "port"), [(4, 8004), (3, 8003), (2, 8002), (1, 8001), (0, 8000)])
def test_each_place_is_over_the_ones_below(place: Path, places: int, port: int) -> None:
    environ = {"ASSISTANT_SERVER__PORT": "8004"} if places > 3 else {}
    if places > 2:
        (place / ".env").write_text("ASSISTANT_SERVER__PORT=8003\n")
    (place / "configs/berlin.yaml").write_text("server: {port: 8002}\n" if places > 1 else "")
    (place / "configs/default.yaml").write_text("server: {port: 8001}\n" if places > 0 else "{}\n")
    assert load_settings("berlin", environ=environ).server.port == port


def test_places_are_merged_key_by_key(place: Path) -> None:
    (place / "configs/default.yaml").write_text("retrieval: {top_n: 3, weights: {bm25: 2, vector: 3}}\n")
    (place / ".env").write_text("ASSISTANT_RETRIEVAL__CANDIDATES=70\n")
    found = load_settings(environ={"ASSISTANT_RETRIEVAL__WEIGHTS__VECTOR": "0.25"}).retrieval
    assert (found.top_n, found.candidates, found.weights.bm25, found.weights.vector) == (3, 70, 2.0, 0.25)


def test_without_a_mapping_the_process_environment_is_read(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSISTANT_SERVER__PORT", "8123")
    assert load_settings().server.port == 8123


@pytest.mark.parametrize("where", ["argument", "environment", ".env"])
def test_the_profile_is_named_in_three_ways(place: Path, where: str) -> None:
    (place / "configs/berlin.yaml").write_text("server: {port: 8002}\n")
    if where == ".env":
        (place / ".env").write_text("ASSISTANT_PROFILE=berlin\n")
    environ = {"ASSISTANT_PROFILE": "berlin"} if where == "environment" else {}
    assert load_settings("berlin" if where == "argument" else None, environ=environ).server.port == 8002


def test_the_command_lines_profile_is_over_the_environments(place: Path) -> None:
    (place / "configs/berlin.yaml").write_text("server: {port: 8002}\n")
    assert load_settings("berlin", environ={"ASSISTANT_PROFILE": "absent"}).server.port == 8002


def test_an_unknown_profile_lists_profiles_and_folders(place: Path) -> None:
    (place / "configs/berlin.yaml").write_text("{}\n")
    assert "did you mean berlin?" in refusal(profile="berlni")
    message = refusal(profile="zzz")
    assert "no profile 'zzz'" in message
    assert str(place / "configs") in message
    assert {"berlin", "gpu", "offline"} <= set(message.partition("known: ")[2].partition(" (")[0].split(", "))


@pytest.mark.parametrize("profile", SHIPPED)
def test_every_shipped_profile_loads(profile: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings(profile, environ={}) != Settings()


@pytest.mark.parametrize(
    ("text", "wrong", "near"),
    [
        ("servr: {port: 1}", "'servr'", "server"),
        ("server: {prot: 1}", "'server.prot'", "server.port"),
        ("retrieval: {weights: {bm52: 1}}", "'retrieval.weights.bm52'", "retrieval.weights.bm25"),
        ("llms: [{provider: echo}, {provider: ollama, modle: x}]", "'llms.1.modle'", "llms.1.model"),
        ("llms: [{provder: ollama}]", "'llms.0.provder'", "llms.0.provider"),
    ],
)
def test_an_unknown_key_of_a_profile(place: Path, text: str, wrong: str, near: str) -> None:
    (place / "configs/berlin.yaml").write_text(text)
    message = refusal(profile="berlin")
    assert wrong in message
    assert str(place / "configs/berlin.yaml") in message
    assert f"did you mean {near}?" in message


def test_an_unknown_variable(place: Path) -> None:
    message = refusal({"ASSISTANT_SERVER__PROT": "1"})
    assert "ASSISTANT_SERVER__PROT in the environment: did you mean ASSISTANT_SERVER__PORT?" in message
    assert "server.port has no parts" in refusal({"ASSISTANT_SERVER__PORT__X": "1"})
    (place / ".env").write_text("ASSISTANT_STORAGE_PATH=/data\n")
    assert "ASSISTANT_STORAGE_PATH in .env: did you mean ASSISTANT_STORAGE__PATH?" in refusal()


def test_foreign_and_reserved_variables_are_left_alone(place: Path) -> None:
    environ = {"PATH": "/bin", "ASSISTANTS": "x", "ASSISTANT_TEST_ALL": "1", "ASSISTANT_PROFILE": ""}
    assert load_settings(environ=environ) == Settings()


@pytest.mark.parametrize(
    ("key", "value"), [("server.port", "many"), ("server.port", "65536"), ("retrieval.min_coverage", "1.5")]
)
def test_a_wrong_value_names_key_place_and_what_it_got(place: Path, key: str, value: str) -> None:
    name = "ASSISTANT_" + key.upper().replace(".", "__")
    message = refusal({name: value})
    assert f"setting '{key}' in the environment" in message
    assert f"(got '{value}')" in message
    (place / ".env").write_text(f"{name}={value}\n")
    assert f"setting '{key}' in .env" in refusal()


def test_a_wrong_value_is_blamed_on_the_place_that_won(place: Path) -> None:
    (place / "configs/default.yaml").write_text("server: {port: 1}\n")
    (place / "configs/berlin.yaml").write_text("server: {port: wrong}\n")
    assert f"in {place / 'configs/berlin.yaml'}" in refusal(profile="berlin")


def test_a_missing_value_names_its_key(place: Path) -> None:
    (place / "configs/berlin.yaml").write_text("llms: [{model: x}]\n")
    assert "'llms.0.provider' in" in refusal(profile="berlin")
    assert "Field required" in refusal(profile="berlin")


def test_lists_and_blocks_are_json_in_a_variable(place: Path) -> None:
    environ = {
        "ASSISTANT_ACCESS__EVERYONE": '["компания", "sales"]',
        "ASSISTANT_LLMS": '[{"provider": "echo"}]',
        "ASSISTANT_SERVER": '{"host": "::1"}',
        "ASSISTANT_SERVER__PORT": "9",
    }
    found = load_settings(environ=environ)
    assert found.access.everyone == ["компания", "sales"]
    assert [llm.provider for llm in found.llms] == ["echo"]
    assert (found.server.host, found.server.port) == ("::1", 9)


@pytest.mark.parametrize(
    "environ",
    [
        {"ASSISTANT_ACCESS__EVERYONE": "company"},
        {"ASSISTANT_ACCESS__EVERYONE": ""},
        {"ASSISTANT_SERVER": "[1]", "ASSISTANT_SERVER__PORT": "9"},
    ],
)
def test_what_is_not_json_is_a_sentence(place: Path, environ: dict[str, str]) -> None:
    message = refusal(environ)
    assert "must be" in message
    assert "JSON" in message
    assert next(iter(environ)) in message


def test_an_empty_variable_is_none_or_empty_text_and_never_the_default(place: Path) -> None:
    (place / "configs/default.yaml").write_text(
        'chroma: {token: abc}\nllms: [{provider: echo}]\nembedding: {query_instruction: "query: "}\n'
    )
    found = load_settings(environ={"ASSISTANT_CHROMA__TOKEN": "", "ASSISTANT_EMBEDDING__QUERY_INSTRUCTION": ""})
    assert found.chroma.token is None
    assert found.embedding.query_instruction == ""
    assert "server.port" in refusal({"ASSISTANT_SERVER__PORT": ""})


@pytest.mark.parametrize(
    ("raw", "said"),
    [(b"a: [\n", "not valid YAML"), (b"- 1\n", "not list"), ("имя: х".encode("cp1251"), "not valid YAML")],
)
def test_a_file_that_is_no_settings(place: Path, raw: bytes, said: str) -> None:
    (place / "configs/berlin.yaml").write_bytes(raw)
    message = refusal(profile="berlin")
    assert said in message
    assert "berlin.yaml" in message


def test_a_dotenv_from_a_windows_editor(place: Path) -> None:
    (place / ".env").write_bytes("\ufeffASSISTANT_SERVER__PORT=8003\r\n".encode())
    assert load_settings(environ={}).server.port == 8003
    (place / ".env").write_bytes("ASSISTANT_STORAGE__PATH=/данные".encode("cp1251"))
    assert str(place / ".env") in refusal()


SECRETS = {
    "ASSISTANT_DATABASE__URL": "postgresql://u:s3cret@h/db",
    "ASSISTANT_CHROMA__TOKEN": "s3cret",
    "ASSISTANT_LLMS": '[{"provider": "echo", "api_key": "s3cret"}]',
}


def test_secrets_are_masked_wherever_settings_are_printed(place: Path) -> None:
    found = load_settings(environ=SECRETS)
    assert found.database_url == SECRETS["ASSISTANT_DATABASE__URL"]
    for printed in (str(found), repr(found.model_dump()), found.model_dump_json()):
        assert "s3cret" not in printed
        assert printed.count("**********") == 3


@pytest.mark.parametrize(
    "text",
    [
        "llms: [{provider: echo, api_key: 10203040}]",
        "llms: 10203040",
        "database: postgresql://u:10203040@h/db",
        "chroma: {token: [10203040]}",
    ],
)
def test_a_misplaced_secret_is_not_printed_in_the_error(place: Path, text: str) -> None:
    (place / "configs/berlin.yaml").write_text(text)
    message = refusal(profile="berlin")
    assert "10203040" not in message
    assert "berlin.yaml" in message


def test_the_database_is_in_the_storage_folder_unless_said_otherwise(place: Path) -> None:
    assert load_settings(environ={}).database_url == f"sqlite:///{place}/storage/assistant.db"
