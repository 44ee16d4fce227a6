"""The person's conversations beside the chat: titles to open, rename and delete, and a search."""

from __future__ import annotations

from html import escape

from assistant.conversations.views import ConversationPage, ConversationView
from assistant.ui.texts import texts

SHOWN = 50  # at first, and again with each "more"


def sidebar_head_html(language: str) -> str:
    t = {key: escape(text) for key, text in texts(language).items()}
    return (
        f'<a class="new" id="new" href="/" data-do="open" data-talk="">{t["new"]}</a>'
        f'<label class="unseen" for="search">{t["search_talks"]}</label>'
        f'<input id="search" type="search" maxlength="200" autocomplete="off" placeholder="{t["search_talks"]}">'
    )


def talks_html(page: ConversationPage, language: str, *, search: str = "", shown: int = SHOWN) -> str:
    t = {key: escape(text) for key, text in texts(language).items()}
    rows = "".join(_row(talk, t) for talk in page.conversations)
    empty = t["no_talks_found" if search.strip() else "no_talks"]
    more = f'<button type="button" data-do="more" data-shown="{shown + SHOWN}">{t["more_talks"]}</button>'
    listed = f"<ul>{rows}</ul>" if rows else f'<p class="soft">{empty}</p>'
    return f'<nav aria-label="{t["talks"]}">{listed}{more if page.has_more else ""}</nav>'


def undo_html(deleted: ConversationView, language: str) -> str:
    """The way back after a deletion."""
    t = {key: escape(text) for key, text in texts(language).items()}
    title = escape(deleted.title) or t["untitled"]
    return (
        f'<div class="undo" role="status"><span>{t["deleted_talk"].format(title=title)}</span> '
        f'<button type="button" data-do="restore" data-talk="{escape(deleted.id)}">{t["undo"]}</button></div>'
    )


def _row(talk: ConversationView, t: dict[str, str]) -> str:
    id_, title = escape(talk.id), escape(talk.title) or t["untitled"]
    rename, delete = t["rename_talk"].format(title=title), t["delete_talk"].format(title=title)
    return (
        f'<li data-row="{id_}"><a href="/?c={id_}" data-do="open" data-talk="{id_}" title="{title}">{title}</a>'
        f'<button type="button" data-do="rename" data-talk="{id_}" data-label="{t["new_title"]}" aria-label="{rename}" '
        f'title="{t["rename"]}"><span aria-hidden="true">✎</span></button>'
        f'<button type="button" data-do="delete" data-talk="{id_}" aria-label="{delete}" '
        f'title="{delete}"><span aria-hidden="true">✕</span></button></li>'
    )
