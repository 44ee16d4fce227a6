"""The bar above the chat: what this is, the pages of the person's roles, the other language, the way out."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from html import escape

from assistant.ui.account_texts import account_texts
from assistant.ui.admin_texts import admin_texts
from assistant.ui.review_texts import review_texts
from assistant.ui.texts import texts

_NAMES = {"ru": "Русский", "en": "English"}


@dataclass(frozen=True)
class Link:
    """A page beside the chat, for people with one of the roles."""

    href: str
    text: Callable[[str], str]  # by language
    roles: frozenset[str]


_REVIEWERS = frozenset({"engineer", "admin"})
LINKS = (
    Link("/admin/documents", lambda language: admin_texts(language)["admin.documents"], frozenset({"admin"})),
    Link("/admin/view-as", lambda language: account_texts(language)["view_as.link"], frozenset({"admin"})),
    Link("/admin/answers", lambda language: review_texts(language)["review.answers_link"], _REVIEWERS),
    Link("/admin/statistics", lambda language: review_texts(language)["review.statistics"], _REVIEWERS),
)


def links_of(roles: Collection[str]) -> list[Link]:
    return [link for link in LINKS if link.roles & set(roles)]


def header_html(name: str, language: str, roles: Collection[str] = ()) -> str:
    t = {key: escape(text) for key, text in texts(language).items()}
    other = next(found for found in _NAMES if found != language)
    links = "".join(f'<a href="{link.href}">{escape(link.text(language))}</a>' for link in links_of(roles))
    account = escape(account_texts(language)["account.title"])
    return (
        f'<header class="bar" data-chat="{t["chat_region"]}">'
        f'<button type="button" class="menu" data-do="menu" aria-controls="sidebar" '
        f'aria-expanded="false" data-show="{t["show_talks"]}" data-hide="{t["hide_talks"]}" '
        f'aria-label="{t["show_talks"]}"><span aria-hidden="true">☰</span></button>'
        f'<div class="name"><strong>{t["product"]}</strong><span class="line">{t["product_line"]}</span></div>'
        f'<nav aria-label="{t["pages"]}">{links}'
        f'<a href="/language/{other}" lang="{other}" hreflang="{other}" data-language="{other}">{_NAMES[other]}</a></nav>'
        f'<form method="post" action="/logout"><a class="who" href="/account" title="{account}">{escape(name)}</a>'
        f'<button type="submit">{t["sign_out"]}</button></form></header>'
        f'<p class="lost" role="alert" hidden>{t["lost"]}</p>'
    )
