"""Answers cleaned while they stream: what leaves is Markdown that draws, links and runs nothing, wherever it is shown.

Whoever shows it may read Markdown otherwise than we do, and most make links of bare addresses. So nothing is left to be
read in two ways: code is closed in its line or stands in a fence at the margin, and outside code there is no `](`, no `]:`,
no tag and no address. An image becomes its description, a link its text and its address as code, a tag words in ‹ ›.
"""

from __future__ import annotations

import re
from html import unescape

from assistant.ask.addresses import BEHIND_A_DOT, address_in
from assistant.ask.citations import CitationFilter
from assistant.signs import without_unseen

_FENCE = re.compile(r"(`{3,})([^`\n]*)(\n|$)|(~{3,})([^\n]*)(\n|$)")
_FENCE_BEGINS = re.compile(r"`{1,2}$|`{3,}[^`\n]*$|~{1,2}$|~{3,}[^\n]*$")
_CONTAINER = re.compile(r"[ \t]+|>|[-*+](?=[ \t])|\d{1,9}[.)](?=[ \t])")
_CONTAINER_BEGINS = re.compile(r"(?:[-*+]|\d{1,9}[.)]?)$")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]\w{1,31});")
_ENTITY_BEGINS = re.compile(r"&#?\w{0,32}$")
_LINK = re.compile(r"(!?)\[([^\[\]\n`]{0,400})\]\(((?:[^()\n`]|\([^()\n`]*\)){0,2000})\)")
_LINK_BEGINS = re.compile(r"!?(?:\[[^\[\]\n`]{0,400}(?:\](?:\([^\n`]{0,2000})?)?)?$")
_MARKER = re.compile(r"\[\d{1,6}\]")
_RUN = re.compile(r"(?:[A-Za-z0-9@]|//)(?:\\[._:/@~#?&=-]|[^\s\\`<>\[\]()|*\"«»“”„]){0,1000}")
_DOTTED = re.compile(r"\.[^\s\\`<>\[\]()|*\"«»“”„]{0,300}")
_ESCAPED = re.compile(r"\\([._:/@~#?&=-])")
_PLAIN = re.compile(r"[^\n\\`<>&!\[\]()@./:A-Za-z0-9]+")
_BACKTICKS = re.compile("`+")
_PIPES = re.compile(r"(?<!\\)(?:\\\\)*(\|+)")
_NOT_A_TAG = re.compile(r"[\s\d=\u0400-\u04ff-]")
_INFO = re.compile(r"[\w+#.-]{1,30}")
# Some programs draw or run code of these languages at once.
_DRAWN = {"html", "htm", "xhtml", "svg", "mermaid", "vega", "vega-lite", "plantuml", "jsx", "tsx", "vue", "artifact"}
_DECODED = str.maketrans({"[": "(", "]": ")", "`": "'", "\n": " ", "\r": " "})
# What must not stand side by side outside code; a space goes between.
_APART = re.compile(r"\]\(|\]:|<[A-Za-z/!?]|[`\\]`")


class AnswerCleaner:
    """Feed pieces, get them back clean, the same however they are cut; held back is only what is not finished yet: a word in
    Latin letters, a bracket, code.
    """

    def __init__(self, citations: CitationFilter) -> None:
        self.citations = citations
        self._cut = ""  # half of a line's end
        self._text = ""
        self._at = 0
        self._final = False
        self._out: list[str] = []
        self._last = "\n"
        self._lead: str | None = ""  # signs of lists and quotes that the line begins with; None behind them
        self._in_tag = False
        self._in_sentence = False  # the last thing was a marker, and not the first of its line
        self._fence = ""  # that closes the code we are in
        self._indent = self._quotes = 0

    def feed(self, piece: str) -> str:
        piece = self._cut + piece
        self._cut = "\r" if piece.endswith("\r") else ""
        return self._clean(self.citations.feed(without_unseen(piece.removesuffix("\r"))))

    def finish(self) -> str:
        """What was held back. Code that is still open is closed: what others write below it is not in it."""
        self._final = True
        text = self._clean(self.citations.finish() + without_unseen(self._cut))
        if self._fence:
            text += ("" if self._last == "\n" else "\n") + self._fence
        self._cut = self._fence = ""
        return text

    def _clean(self, piece: str) -> str:
        self._text, self._at = self._text[self._at :] + piece, 0
        while self._at < len(self._text) and (self._code_line() if self._fence else self._token()):
            pass
        said, self._out = "".join(self._out), []
        return said

    # --- a piece of meaning each; False: it is not finished

    def _token(self) -> bool:
        sign = self._text[self._at]
        if sign == "\n":
            self._say("\n", 1)
            self._lead, self._in_tag = "", False
            return True
        if self._lead is not None and (led := self._leading(self._lead)) is not None:
            return led
        work = {
            "\\": self._backslash,
            "`": self._backticks,
            "&": self._entity,
            "<": self._tag,
            "!": self._bracket,
            "[": self._bracket,
            "@": self._run,
            "/": self._slash,
            ".": self._dot,
        }.get(sign)
        if work is not None:
            return work()
        if sign.isascii() and sign.isalnum():
            return self._run()
        if sign == ">" and self._in_tag:
            self._in_tag = False
            return self._say("›", 1)
        plain = _PLAIN.match(self._text, self._at)
        return self._say(plain[0] if plain else sign)

    def _leading(self, lead: str) -> bool | None:
        """Signs of lists and quotes, and the fence of code; None: the line's own text begins."""
        if container := _CONTAINER.match(self._text, self._at):
            self._say(container[0])
            self._lead = lead + container[0]
            return True
        if not self._final and _CONTAINER_BEGINS.match(self._text, self._at):
            return False
        fence = _FENCE.match(self._text, self._at)
        if fence and (self._final or fence[0].endswith("\n")):
            return self._open(fence, lead)
        if not self._final and _FENCE_BEGINS.match(self._text, self._at):
            return False
        return None

    def _open(self, fence: re.Match[str], lead: str) -> bool:
        """At the margin, whatever it stands in: in a list or a quote others may see it end elsewhere."""
        self._indent, self._quotes = len(lead), lead.count(">")
        self._fence = fence[1] or fence[4]
        info = _INFO.match((fence[2] or fence[5] or "").strip())
        language = info[0] if info and info[0].lower() not in _DRAWN else ""
        start = "" if self._last == "\n" else "\n"
        return self._say(f"{start}{self._fence}{language}\n", len(fence[0]))

    def _code_line(self) -> bool:
        end = self._text.find("\n", self._at)
        if end < 0 and not self._final:
            return False
        line = self._text[self._at : end if end >= 0 else None]
        if self._quotes:
            line = re.sub(rf"^[ \t]*(?:>[ \t]?){{1,{self._quotes}}}", "", line)
        elif self._indent:
            line = re.sub(rf"^[ \t]{{1,{self._indent}}}", "", line)
        length = (end if end >= 0 else len(self._text)) - self._at
        if re.fullmatch(rf" {{0,3}}{re.escape(self._fence[0])}{{{len(self._fence)},}}[ \t]*", line):
            line, self._fence = self._fence, ""
            return self._say(line, length)
        return self._say(line + "\n" * (end >= 0), length + (end >= 0))

    def _backslash(self) -> bool:
        if self._at + 1 == len(self._text) and not self._final:
            return False
        following = self._text[self._at + 1 : self._at + 2]
        if following == "<":
            self._at += 1  # as if it were not there: the tag is made harmless in any case
            return True
        is_pair = following.isascii() and following.isprintable() and not following.isalnum() and following.strip()
        return self._say("\\" + following if is_pair else "\\")

    def _backticks(self) -> bool:
        """Code that ends in its line stays; other backticks are signs."""
        run = _BACKTICKS.match(self._text, self._at)
        assert run
        end = self._text.find("\n", self._at)
        line_end = end if end >= 0 else len(self._text)
        for closing in _BACKTICKS.finditer(self._text, run.end(), line_end):
            if len(closing[0]) != len(run[0]):
                continue
            if closing.end() == len(self._text) and not self._final:
                return False  # there may be more of them
            self._code(self._text[run.end() : closing.start()], run[0])
            self._at = closing.end()
            return True
        if end < 0 and not self._final:
            return False
        for _ in run[0]:
            self._say("\\`", 1)
        return True

    def _code(self, inner: str, mark: str) -> None:
        """In a table a bar ends even code: between two bars each piece is code by itself."""
        mark = mark if "`" in inner else "`"
        at = 0
        for bars in [*_PIPES.finditer(inner), None]:
            piece = inner[at : bars.start(1) if bars else len(inner)]
            bare = piece if bars is None and at == 0 else piece.strip()
            if bare.strip():
                pad = " " if bare.startswith("`") or bare.endswith("`") else ""
                self._say(f"{mark}{pad}{bare}{pad}{mark}", 0)
            elif bars is None and at == 0:
                self._say(piece, 0)
            if bars:
                self._say(f" {bars[1]} ", 0)
                at = bars.end()

    def _entity(self) -> bool:
        """What it stands for, read as if it had been written so: some make links of that."""
        entity = _ENTITY.match(self._text, self._at)
        if entity is None:
            return False if not self._final and _ENTITY_BEGINS.match(self._text, self._at) else self._say("&")
        sign = _decoded(entity)
        return self._say("&") if sign == entity[0] else self._reread(sign, entity.end())

    def _tag(self) -> bool:
        following = self._text[self._at + 1 : self._at + 2]
        if not following and not self._final:
            return False
        if not following or _NOT_A_TAG.match(following):
            return self._say("<")
        self._in_tag = True
        return self._say("‹", 1)

    def _bracket(self) -> bool:
        if not self._final and _LINK_BEGINS.match(self._text, self._at):
            return False
        if link := _LINK.match(self._text, self._at):
            return self._reread(self._without_link(link), link.end())
        marker = _MARKER.match(self._text, self._at)
        if marker is None:
            return self._say(self._text[self._at])
        is_first = self._lead is not None
        self._say(marker[0])
        self._in_sentence = not is_first
        return True

    def _without_link(self, link: re.Match[str]) -> str:
        before = "" if self._last.isspace() or self._last in "([«\"'" else " "
        text = link[2].strip()
        if link[1]:
            return f"{before}({text or '…'})"
        words = _ESCAPED.sub(r"\1", unescape(link[3])).split()
        address = words[0].strip("<>").replace("|", "%7C") if words else ""
        said = f"[{text}]" if text.isdigit() else text
        if not address or address.startswith("#") or address == text:
            return f"{before}{said or '…'}"
        return f"{before}{said} (`{address}`)" if said else f"{before}(`{address}`)"

    def _run(self) -> bool:
        """A word and what hangs together with it: an address in it becomes code."""
        run = _RUN.match(self._text, self._at)
        assert run
        if not self._final and self._text[run.end() :] in ("", "\\"):
            return False
        plain = _ESCAPED.sub(r"\1", run[0])
        if plain != run[0] and address_in(plain):
            return self._reread(plain, run.end())
        if _ENTITY.search(run[0]):
            decoded = _ENTITY.sub(_decoded, run[0])
            if decoded != run[0]:
                return self._reread(decoded, run.end())
        start, end = address_in(run[0]) or (len(run[0]), 0)
        if not end:
            return self._say(run[0])
        self._say(run[0][:start])
        return self._say(f"`{run[0][start:end]}`", end - start)

    def _slash(self) -> bool:
        if self._at + 1 == len(self._text) and not self._final:
            return False
        return self._run() if self._text.startswith("//", self._at) else self._say("/")

    def _dot(self) -> bool:
        """A name whose first word has been said already."""
        dotted = _DOTTED.match(self._text, self._at)
        assert dotted
        if not self._last.isalnum():
            return self._say(".")
        if dotted.end() == len(self._text) and not self._final:
            return False
        found = BEHIND_A_DOT.match(dotted[0])
        return self._say(f"`{found[0]}`", len(found[0])) if found else self._say(".")

    # --- on the way out

    def _reread(self, text: str, end: int) -> bool:
        """Instead of what stands up to there. Each time there is one entity, link or backslash less."""
        self._text, self._at = text + self._text[end:], 0
        return True

    def _say(self, text: str, taken: int | None = None) -> bool:
        """`taken` signs of what came in are done with; as many as are said if not told."""
        self._at += len(text) if taken is None else taken
        if not text:
            return True
        border = self._last + text[0]
        if _APART.match(border) and not (self._in_sentence and border == "]:"):
            self._out.append(" ")
        self._out.append(text)
        self._last, self._lead, self._in_sentence = text[-1], None, False
        return True


def _decoded(entity: re.Match[str]) -> str:
    """Not what would be a bracket, code or a marker: an entity stands for the sign alone."""
    sign = unescape(entity[0])
    if sign == entity[0]:
        return sign
    sign = without_unseen(sign.translate(_DECODED)) or " "
    return f" {sign}" if sign.isdigit() else sign
