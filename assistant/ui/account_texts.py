"""Words of signing in, one's own account, and limits, in Russian and English."""

from __future__ import annotations

from typing import Final

_RU: Final = {
    "sso.button": "Войти через {label}",
    "sso.or": "или",
    "sso.over": "Этот вход уже завершён, просрочен или начат в другом браузере. Начните его заново.",
    "sso.denied": "Страница единого входа отказала во входе, или вход был отменён.",
    "sso.failed": "Единый вход не удался. Попробуйте ещё раз; если не получится, обратитесь к администратору.",
    "sso.invalid": "Ответ единого входа не прошёл проверку, вход не выполнен. Сообщите администратору.",
    "sso.no_name": "Единый вход не сообщил вашего имени, вход не выполнен. Администратору: настройте auth.oidc claims.name.",
    "sso.groups": "Единый вход не передал списка ваших групп: их слишком много, или он в другом виде. Вход не выполнен. "
    "Администратору: пусть он передаёт только группы ассистента (docs/sign-in-oidc.md).",
    "sso.unavailable": "Единый вход не отвечает. Попробуйте через несколько минут или войдите другим способом.",
    "sso.goodbye": "Здесь вы вышли. Осталось выйти и в едином входе: это произойдёт само.",
    "sso.goodbye.link": "Выйти в едином входе",
    "sign_in_unavailable": "Каталог сотрудников не отвечает. Попробуйте через несколько минут или войдите другим способом.",
    "limit_reached": "Слишком много запросов. Попробуйте позже.",
}
_EN: Final = {
    "sso.button": "Sign in with {label}",
    "sso.or": "or",
    "sso.over": "This sign-in is finished, out of time, or was begun in another browser. Begin it again.",
    "sso.denied": "The single sign-on page refused, or the sign-in was cancelled.",
    "sso.failed": "The single sign-on did not work. Try again; if that does not help, ask an administrator.",
    "sso.invalid": "What the single sign-on answered did not pass the checks: you are not signed in. Tell an administrator.",
    "sso.no_name": "The single sign-on did not tell your name: you are not signed in. "
    "For the administrator: set auth.oidc claims.name.",
    "sso.groups": "The single sign-on did not list your groups: there are too many of them, or the list has another form. "
    "You are not signed in. For the administrator: let it send only the groups of the assistant (docs/sign-in-oidc.md).",
    "sso.unavailable": "The single sign-on does not answer. Try again in a few minutes, or sign in another way.",
    "sso.goodbye": "You are signed out here. The single sign-on is next: that happens by itself.",
    "sso.goodbye.link": "Sign out of the single sign-on",
    "sign_in_unavailable": "The staff directory does not answer. Try again in a few minutes, or sign in another way.",
    "limit_reached": "Too many requests. Try again later.",
}


def account_texts(language: str) -> dict[str, str]:
    return {"ru": _RU, "en": _EN}[language]
