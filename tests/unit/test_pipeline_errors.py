"""A pipeline that does not compile: every error names the file, the line and the nearest right name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from assistant.errors import ConfigError, PipelineError
from assistant.ingest.pipeline import load_pipeline
from assistant.yaml_lines import YamlFile
from tests.unit.samples import RECIPE, write_recipe


def refusal(file: Path) -> str:
    with pytest.raises(PipelineError) as refused:
        load_pipeline(file, embedding_identity="m1").compile()
    assert "\n" not in str(refused.value)
    assert "pydantic.dev" not in str(refused.value)
    return str(refused.value)


def line_of(piece: str, text: str) -> int:
    return text[: text.index(piece)].count("\n") + 1


MISTAKES = [
    # what is written instead of what, what the message says
    ("include:", "inklude:", "unknown key 'inklude': did you mean include?"),
    ("{directory: docs}", "{dirctory: docs}", "unknown key 'dirctory': did you mean directory?"),
    (
        '{match: "/hr/**", department: hr}',
        "{match: /x, departmnt: hr}",
        "unknown key 'departmnt': did you mean department?",
    ),
    ("department: hr}", "department: hr, levl: 2}", "unknown key 'levl': did you mean level?"),
    (".md: markdown", ".md: markdwon", "unknown reader 'markdwon': did you mean markdown?"),
    (".md: markdown", ".md: {markdown: {pages: 3}}", "reader 'markdown' has no option 'pages'; known: none"),
    (".md: markdown", ".md: {markdown: {}, text: {}}", "write one reader's name with its options under it"),
    (".md: markdown", "md: markdown", "extension 'md' must be written '.md'"),
    (".md: markdown", ".MD: markdown", "extension '.MD' must be written '.md'"),
    ("- MarkdownSections", "- MarkdownSection", "unknown transformation 'MarkdownSection': did you mean"),
    ("chunk_size: 320", "chunk_sise: 320", "SentenceSplitter has no argument 'chunk_sise': did you mean chunk_size?"),
    ("chunk_size: 320", "separator: 5", "SentenceSplitter, argument 'separator': Input should be a valid string"),
    ("chunk_size: 320", "chunk_size: 20", "larger chunk overlap (40) than chunk size (20)"),
    ("- MarkdownSections", "- {A: {}, B: {}}", "write one class name with its arguments under it"),
    ("- MarkdownSections", "- os.path.join", "only classes below llama_index. can be named by path"),
    ("- MarkdownSections", "- assistant.parts.readers.CorporateReader", "only classes below llama_index."),
    ("- MarkdownSections", "- llama_index.core.llms.MockLLM", "is not a TransformComponent"),
    ("- MarkdownSections", "- llama_index.core.node_parser.SentenceSpliter", "did you mean SentenceSplitter?"),
    ("- MarkdownSections", "- llama_index.packs.X", "can't be imported"),
    ("level: 2", "level: 0", "access.0.level: Input should be greater than or equal to 1"),
    ("level: 2", "level: two", "access.0.level: Input should be a valid integer"),
    ("department: hr, level: 2", 'department: "", level: 2', "access.0.department"),
    ('include: ["**/*"]', 'include: ["!"]', "not a path pattern"),
    ('"~$*"', '"[z-a]"', "not a path pattern"),
    ("name: handbook", "name:", "name: Input should be a valid string"),
    ("{directory: docs}", "{directory: docs, reader: llama_index.core.readers.X}", "one of `directory`, `url`"),
    ("{directory: docs}", "{arguments: {}}", "exactly one of `directory`, `url` and `reader`"),
    ("{directory: docs}", "{url: webdaw://x/y}", "unknown protocol 'webdaw': did you mean webdav?"),
    ("{directory: docs}", "{url: //server/share}", "is no address such as webdav://"),
    (
        "{directory: docs}",
        "{url: 'webdav://a/b', options: {password: '${NOT_SET_HERE}'}}",
        "variable NOT_SET_HERE is not",
    ),
    ("{directory: docs}", "{reader: confluense}", "unknown reader 'confluense': did you mean confluence?"),
    ("{directory: docs}", "{reader: SimpleWebPageReader}", "pip install llama-index-readers-web"),
    ("metadata: {", "metadata: {department: hr, ", "'department' is given by the rules under `access`, not here"),
    ("metadata: {", "metadata: {date: 01.02.2026, ", "date: '01.02.2026' is not a day such as 2026-01-31"),
    ("metadata: {", "metadata_rules: [{pattern: '(x'}]\nmetadata: {", "not a regular expression"),
    ("metadata: {", "metadata_rules: [{pattern: 'x'}]\nmetadata: {", "it needs named groups"),
    ("metadata: {", "metadata_rules: [{pattern: '(?P<level>.)'}]\nmetadata: {", "'level' is given by the rules"),
    ("metadata: {", "metadata_rules: [{match: x, values: {valid_from: soon}}]\nmetadata: {", "'soon' is not a day"),
    ("metadata: {", "metadata_rules: [{math: x}]\nmetadata: {", "unknown key 'math': did you mean match?"),
    ("metadata: {", "trust_metadata: perhaps\nmetadata: {", "trust_metadata: Input should be a valid boolean"),
    ("{directory: docs}", "{reader: llama_index.core.llms.MockLLM}", "is not a BaseReader"),
    ("{directory: docs}", "{reader: shutil.rmtree}", "only classes below llama_index."),
    ("metadata: {", "name: second\nmetadata: {", "'name' is here twice"),
]


@pytest.mark.parametrize(("old", "new", "said"), MISTAKES)
def test_a_mistake_names_file_line_and_what_is_right(tmp_path: Path, old: str, new: str, said: str) -> None:
    file = write_recipe(tmp_path, old=old, new=new)
    message = refusal(file)
    assert said in message
    line = line_of(new, file.read_text("utf-8"))
    assert message.startswith(f"{file}, line {line}: ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: a pipeline is written as `key: value`"),
        ("- a\n- b\n", "line 1: a pipeline is written as `key: value`"),
        (RECIPE.replace("source: {directory: docs}\n", ""), "line 1: 'source' is missing"),
        (
            re.sub(r"access:\n.*?(?=metadata)", "", RECIPE, flags=re.S),
            "'access' is missing",
        ),
        (re.sub(r"readers:\n.*?(?=transf)", "", RECIPE, flags=re.S), "a directory needs `readers` by extension"),
        ("name: x\n  source: y\n", "line 2: not valid YAML"),
        ("name: x\nname: y\n", "line 2: 'name' is here twice"),
        ("name: &a [*a", "not valid YAML"),
    ],
)
def test_a_file_that_is_no_pipeline(tmp_path: Path, text: str, said: str) -> None:
    assert said in refusal(write_recipe(tmp_path, text=text))


def test_yaml_builds_no_objects(tmp_path: Path) -> None:
    marker = tmp_path / "made"
    text = RECIPE.replace("handbook", f'!!python/object/apply:pathlib.Path.touch ["{marker}"]')
    assert "not valid YAML" in refusal(write_recipe(tmp_path, text=text))
    assert not marker.exists()


def test_a_file_in_another_encoding_is_named(tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_bytes(RECIPE.encode("cp1251"))
    assert f"{file} can't be read" in refusal(file)


def test_a_missing_file_says_where_it_was_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"the pipeline file pipelines/нет\.yaml was not found") as refused:
        load_pipeline("pipelines/нет.yaml", embedding_identity="m1")
    assert str(tmp_path) in str(refused.value)


def test_lines_are_those_of_the_deepest_part_there_is(tmp_path: Path) -> None:
    file = YamlFile(write_recipe(tmp_path))
    lines = RECIPE.split("\n")
    assert lines[file.line(("readers", ".txt")) - 1] == "  .txt: text"
    assert "department: hr}" in lines[file.line(("access", 1, "department")) - 1]
    assert lines[file.line(("access", 99, "department")) - 1] == "access:"
    assert file.line(("nothing", "here")) == 1
    assert "SentenceSplitter" in lines[file.line(("transformations", 1, "SentenceSplitter", "chunk_size")) - 1]
