"""Events into Markdown that is safe to show: what a model or a document says can't draw, link or run anything."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape

from assistant.ask.events import MARKER, Source, Step
from assistant.ui.code import split_code
from assistant.ui.texts import dated_text, decimal_text, out_of_force, place_text, texts

_BEFORE_LINK = re.compile(r"[!\\]$")
_SHOWN_OF_QUESTION, _SHOWN_OF_PASSAGE = 500, 1500  # characters
# What would begin code that `split_code` has not found; a sign behind a backslash is no code already.
_CODE_SIGN = re.compile(r"(\\[\\`~])|`|~{3,}")
# What Markdown makes a link of by itself; the browser shows the entity as the sign that it stands for.
_ADDRESS = re.compile(r"(?<=http)s?:|(?<=ftp):|(?:mailto|data|javascript|vbscript):|www\.|@(?=[\w-]+\.)", re.IGNORECASE)


def document_link(source: Source) -> str:
    return f"/documents/{source.passage.document}?chunk={source.passage.chunk}#found"


def safe_markdown(text: str) -> str:
    """Text of a model or a document: HTML is escaped, images and links are defused; code, lists, tables, emphasis stay."""
    return "".join(part if code else _safe(part) for code, part in split_code(text))


def answer_markdown(text: str, sources: Sequence[Source]) -> str:
    """The answer with its [n] as links to the passages."""
    links = {source.n: f"[\\[{source.n}\\]]({document_link(source)})" for source in sources}
    return "".join(part if code else _linked(part, links) for code, part in split_code(text))


def _safe(text: str) -> str:
    """Markdown without code: a backtick that is left is only a sign."""
    text = escape(text, quote=False)
    text = re.sub(r"^&gt;", ">", text, flags=re.MULTILINE)
    # inline links, references, and their definitions, which may stand in quotes and lists and run over lines
    text = text.replace("![", "!\\[").replace("](", "]\\(").replace("][", "]\\[").replace("]:", "]\\:")
    text = _CODE_SIGN.sub(lambda sign: sign[1] or "".join(f"&#{ord(one)};" for one in sign[0]), text)
    return _without_addresses(text)


def _linked(text: str, links: Mapping[int, str]) -> str:
    parts = MARKER.split(text)
    shown = [_safe(parts[0])]
    for number, rest in zip(parts[1::2], parts[2::2], strict=True):
        # "Done![1]" must not become an image, nor a backslash undo the link
        shown[-1] = _BEFORE_LINK.sub(lambda last: f"&#{ord(last[0])};", shown[-1])
        shown += [links.get(int(number), f"\\[{number}\\]"), _safe(rest)]
    return "".join(shown)


def sources_markdown(sources: Sequence[Source], language: str, *, head: str = "") -> str:
    """The list under the answer: title, page and date, whether it is out of force, file and class, and the passage."""
    t = texts(language)
    lines = [f"**{head or t['sources']}**", ""]
    for source in sorted(sources, key=lambda source: source.n):
        lines.append(f"- [\\[{source.n}\\] {_place(source, language)}]({document_link(source)})  ")
        lines += [f"  ⚠ {_out_of_force(source, language)}  "] if out_of_force(source.standing, language) else []
        lines.append(f"  <small>{_file(source, t)}</small>")
        lines += ["", f"  <details><summary>{t['passage']}</summary>{_quoted(source.passage.text)}</details>", ""]
    return "\n".join(lines)


def step_markdown(step: Step, language: str) -> str:
    """Inside the collapsible step: what was searched, what was found, and why, by the scores of each passage."""
    t = texts(language)
    lines = [t["searched"].format(question=safe_inline(step.question[:_SHOWN_OF_QUESTION])), ""]
    if step.asked.strip() not in ("", step.question.strip()):
        lines.insert(0, t["asked"].format(question=safe_inline(step.asked[:_SHOWN_OF_QUESTION])) + "  ")
    if not step.found:
        return "\n".join([*lines, t["found_nothing"]])
    lines += [t["found"].format(passages=len(step.found), documents=step.documents), "", f"**{t['why']}**", ""]
    scored = [(t["score_words"], "bm25"), (t["score_vector"], "vector"), (t["score_rerank"], "rerank")]
    used = [pair for pair in scored if any(getattr(source.scores, pair[1]) is not None for source in step.found)]
    lines.append(" | ".join(["| №", t["passage"], *(title for title, _ in used)]) + " |")
    lines.append("|--:|---|" + "--:|" * len(used))
    for source in step.found:
        scores = [_score(getattr(source.scores, name), language) for _, name in used]
        lines.append(
            " | ".join([f"| {source.n}", f"[{_place(source, language)}]({document_link(source)})", *scores]) + " |"
        )
    return "\n".join([*lines, "", t["why_note"]])


def safe_inline(text: str) -> str:
    """One line without any Markdown meaning."""
    return _without_addresses(re.sub(r"([\\`*_{}\[\]()#+!|~>-])", r"\\\1", escape(" ".join(text.split()), quote=False)))


def _without_addresses(text: str) -> str:
    return _ADDRESS.sub(lambda found: f"{found[0][:-1]}&#{ord(found[0][-1])};", text)


def _place(source: Source, language: str) -> str:
    parts = (source.passage.title, place_text(source.passage, language), dated_text(source.standing, language))
    return ", ".join(safe_inline(part) for part in parts if part)


def _out_of_force(source: Source, language: str) -> str:
    """With a link to what replaced it, which the reader may read: others are not named."""
    text, by = safe_inline(out_of_force(source.standing, language)), source.standing.superseded_by
    return f"[{text}](/documents/{by.document})" if by else text


def _file(source: Source, t: Mapping[str, str]) -> str:
    """Path and access class; level 1 is everyone's and goes without saying."""
    department, level = source.passage.access_class.department, source.passage.access_class.level
    above = f", {t['level']} {level}" if level > 1 else ""
    return safe_inline(f"{source.passage.path} · {t['department']}: {department}{above}")


def _quoted(text: str) -> str:
    """A passage, line by line, inside an HTML element, where Markdown is not read: every sign that could mean something
    is an entity."""
    shown = text if len(text) <= _SHOWN_OF_PASSAGE else text[:_SHOWN_OF_PASSAGE] + " …"
    plain = (" ".join(line.split()) for line in re.sub(r"[*#|`]+|-{3,}", " ", shown).splitlines())
    return "<br>".join(re.sub(r"[^\w ]|_", lambda sign: f"&#{ord(sign[0])};", line) for line in plain if line)


def _score(score: float | None, language: str) -> str:
    return "—" if score is None else decimal_text(f"{score:.2f}", language)
