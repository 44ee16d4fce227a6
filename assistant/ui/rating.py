"""👍 and 👎 under an answer, with a reason and a comment; what was said before is shown, and can be changed."""

from __future__ import annotations

from html import escape

from assistant.conversations.views import MessageView
from assistant.ui.texts import texts

_THUMB = (  # turned round for 👎; not every machine has a font with the signs
    '<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linejoin="round" aria-hidden="true">'
    '<path d="M7 11v9H3v-9zM7 11l4-8a2.5 2.5 0 0 1 2.5 2.5V9H19a2 2 0 0 1 2 2.3l-1.2 7A2 2 0 0 1 17.8 20H7"/></svg>'
)
REASONS = ("wrong", "incomplete", "outdated", "wrong_source", "not_found", "unclear", "other")


def rating_html(message: MessageView, language: str) -> str:
    given = message.feedback
    rating, reason, comment = (given.rating, given.reason, given.comment) if given else (0, "", "")
    t = {key: escape(text) for key, text in texts(language).items()}
    buttons = "".join(
        f'<button type="button" data-do="rate" data-rating="{value}" aria-pressed="{str(rating == value).lower()}" '
        f'class="{turned}" aria-label="{t[name]}" title="{t[name]}">{_THUMB}</button>'
        for value, name, turned in ((1, "good", "up"), (-1, "bad", "down"))
    )
    return (
        f'<div class="rating" role="group" aria-label="{t["rate"]}">{buttons}</div>'
        f'<form class="why" data-rating="{rating}" aria-label="{t["rate"]}" hidden>{_reasons(message.id, reason, t)}'
        f'<label>{t["comment"]}<textarea name="comment" rows="2" maxlength="2000">{escape(comment)}</textarea></label>'
        f'<div class="row"><button type="submit">{t["save"]}</button>'
        f'<button type="button" data-do="close">{t["cancel"]}</button></div></form>'
    )


def _reasons(message: str, given: str, t: dict[str, str]) -> str:
    """Only a bad answer has a reason to choose."""
    choices = "".join(
        f'<label><input type="radio" name="reason-{escape(message)}" value="{reason}"'
        f"{' checked' if reason == given else ''}> {t[f'reason.{reason}']}</label>"
        for reason in REASONS
    )
    return f'<fieldset class="reasons"><legend>{t["what_is_wrong"]}</legend>{choices}</fieldset>'
