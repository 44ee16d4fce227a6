"""The company's own synonyms: groups of words and phrases that mean the same (`configs/glossary.yaml`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from assistant.errors import ConfigError
from assistant.index.spelling import Words
from assistant.index.words import words


class Glossary:
    """Groups of phrases that mean the same, each phrase as words of the index."""

    def __init__(self, groups: Sequence[Sequence[str]] = ()) -> None:
        self._by_phrase: dict[Words, list[Words]] = {}
        for group in groups:
            phrases = list(dict.fromkeys(tuple(words(text)) for text in group))
            for phrase in phrases:
                others = [other for other in phrases if other != phrase]
                self._by_phrase.setdefault(phrase, []).extend(others)
        self._longest = max(map(len, self._by_phrase), default=0)
        self.words = frozenset(word for phrase in self._by_phrase for word in phrase)

    def synonyms(self, asked: Sequence[str]) -> dict[int, list[Words]]:
        """Position in the question → phrases that stand for the phrase that it is in."""
        found: dict[int, list[Words]] = {}
        for start in range(len(asked)):
            for length in range(1, min(self._longest, len(asked) - start) + 1):
                others = self._by_phrase.get(tuple(asked[start : start + length]), [])
                for position in range(start, start + length) if others else ():
                    found.setdefault(position, []).extend(others)
        return found


def read_glossary(file: Path) -> Glossary:
    """From a YAML list of lists. Raises `ConfigError` that names the file and the group."""
    import yaml

    try:
        groups = yaml.safe_load(file.read_text("utf-8")) or []
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"the glossary {file} can't be read ({reason}): correct it or retrieval.glossary") from error
    if not isinstance(groups, list):
        raise ConfigError(f"the glossary {file} is no list: write a line `- [word, other word]` for each group")
    for number, group in enumerate(groups, start=1):
        if not (isinstance(group, list) and len(group) > 1 and all(isinstance(text, str) for text in group)):
            raise ConfigError(f"{file}, group {number}: two or more words or phrases in [ ], that mean the same")
        for text in group:
            if not words(text):
                raise ConfigError(f"{file}, group {number}: '{text}' has no word that is searched for")
    return Glossary(groups)
