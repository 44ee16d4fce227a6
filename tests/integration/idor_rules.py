"""Every route of the app by what it may give to whom. A route that is not named here fails `test_idor`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["public", "own", "theirs", "admin", "review", "page", "shut"]


@dataclass(frozen=True)
class Rule:
    """`kind` is who gets something there; the rest is what is sent, with the ids of somebody else."""

    kind: Kind
    json: Any = None
    form: dict[str, Any] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    is_last: bool = False  # it ends sessions, or what the others ask for


PRICES = "Какая скидка без согласования?"
THEIRS = Rule("theirs")
OURS: dict[str, Rule] = {
    # who comes from outside
    "GET /login": Rule("public"),
    "POST /login": Rule("public"),
    "GET /logout": Rule("public"),
    "POST /logout": Rule("public", is_last=True),
    "GET /auth/oidc/{name}": Rule("public"),
    "GET /auth/oidc/{name}/callback": Rule("public"),
    "GET /auth/oidc/{name}/logout": Rule("public"),
    "POST /auth/oidc/{name}/logout": Rule("public"),
    "GET /language/{name}": Rule("public"),
    "GET /health/live": Rule("public"),
    "GET /health/ready": Rule("public"),
    "GET /health": Rule("public"),
    # one's own, by no id
    "GET /account": Rule("own"),
    "POST /account/password": Rule("own", form={"old": "", "new": "", "again": ""}),
    "POST /account/sign-out-everywhere": Rule("own", is_last=True),
    "POST /account/tokens": Rule("own", form={"name": "", "scope": "ask", "days": "30"}),
    "GET /openapi.json": Rule("own"),
    "GET /api/survey": Rule("own"),
    "POST /api/survey": Rule("own", json={"week": "2026-W48", "minutes": 5}),
    "GET /survey": Rule("own"),
    "GET /survey.js": Rule("own"),
    "POST /api/search": Rule("own", json={"query": PRICES, "k": 50}),
    "POST /api/ask": Rule("own", json={"question": PRICES}),
    "GET /api/conversations": Rule("own"),
    "POST /api/conversations": Rule("own", json={"title": "Своя"}),
    "GET /v1/models": Rule("own"),
    "GET /v1/models/{model}": Rule("own"),
    "POST /v1/chat/completions": Rule("own", json={"messages": [{"role": "user", "content": PRICES}]}),
    # by the id of what is somebody else's
    "GET /documents/{document}": THEIRS,
    "GET /documents/{document}/pages/{number}": THEIRS,
    "GET /documents/{document}/original": THEIRS,
    "GET /api/conversations/{conversation}": THEIRS,
    "PATCH /api/conversations/{conversation}": Rule("theirs", json={"title": "Чужая"}),
    "DELETE /api/conversations/{conversation}": THEIRS,
    "POST /api/conversations/{conversation}/restore": THEIRS,
    "GET /api/conversations/{conversation}/export": THEIRS,
    "POST /api/feedback": Rule("theirs", json={"message": "{message}", "rating": 1}),
    "GET /api/feedback/{message}": THEIRS,
    "DELETE /api/feedback/{message}": THEIRS,
    "POST /account/tokens/{token}/revoke": THEIRS,
    # for roles
    "GET /admin/documents": Rule("admin"),
    "POST /admin/documents": Rule("admin", form={"place": "company|sales"}),
    "POST /admin/documents/load": Rule("admin"),
    "POST /admin/documents/retry": Rule("admin"),
    "GET /admin/documents/follow.js": Rule("admin"),
    "GET /api/admin/documents": Rule("admin"),
    "POST /api/admin/documents": Rule("admin", form={"place": "company|sales"}),
    "GET /admin/view-as": Rule("admin"),
    "POST /admin/view-as": Rule("admin", form={"person": "{user}", "question": PRICES}),
    "GET /admin/answers": Rule("review"),
    "GET /admin/unanswered": Rule("review"),
    "POST /admin/answers/{message}/golden": Rule("review", form={"what": "none"}),
    "GET /admin/statistics": Rule("review"),
    "GET /api/admin/statistics": Rule("review"),
}
# The same doors with somebody else's id where no path shows it.
MORE: dict[str, Rule] = {
    "GET /documents/{document}?chunk={chunk}": THEIRS,
    "GET /documents/{document}?view=text": THEIRS,
    "GET /documents/{readable}?chunk={chunk}": Rule("own"),
    "GET /api/conversations/{conversation}/export?format=json": THEIRS,
    "GET /api/conversations/{conversation}/export?format=docx": THEIRS,
    "GET /api/conversations?search={secret}": Rule("own"),
    "POST /api/ask#conversation": Rule("theirs", json={"question": PRICES, "conversation": "{conversation}"}),
    "GET /api/admin/documents?limit=1000": Rule("admin"),
    "GET /admin/answers?page=1": Rule("review"),
    "GET /api/admin/statistics?department=sales": Rule("review"),
}


def _both(method: str, *names: str) -> tuple[str, ...]:
    """Gradio has many of its routes with and without a slash at the end."""
    return tuple(f"{method} /gradio_api/{name}{end}" for name in names for end in ("", "/"))


# Gradio's own, which the page needs: for who is signed in.
PAGE = frozenset(
    {
        *("GET /", "HEAD /", "GET /config", "GET /config/", "GET /theme.css", "GET /manifest.json"),
        *(
            "GET /pwa_icon",
            "GET /pwa_icon/{size}",
            "GET /monitoring",
            "GET /monitoring/summary",
            "GET /monitoring/{key}",
        ),
        *_both("GET", "user", "login_check", "token", "app_id", "runs", "info"),
        *(f"GET /gradio_api/{name}" for name in ("dev/reload", "openapi.json", "startup-events", "theme.css")),
        *_both("POST", "reset", "api/{api_name}", "run/{api_name}", "call/{api_name}", "call/v2/{api_name}"),
        "GET /gradio_api/heartbeat/{session_hash}",
        *("GET /gradio_api/call/{api_name}/{event_id}", "GET /gradio_api/call/v2/{api_name}/{event_id}"),
        *("POST /gradio_api/queue/join", "GET /gradio_api/queue/data", "GET /gradio_api/queue/status"),
        *("POST /gradio_api/cancel", "POST /gradio_api/process_recording"),
        *_both("POST", "vibe-edit", "undo-vibe-edit", "vibe-code", "vibe-starter-queries"),
        *_both("GET", "vibe-code"),
    }
)
# Gradio's own doors to files, uploads and other servers: for nobody.
SHUT = frozenset(
    {
        "GET /gradio_api/deep_link",
        "GET /gradio_api/custom_component/{id}/{environment}/{type}/{file_name}",
        *(f"{method} /gradio_api/proxy={{url_path:path}}" for method in ("GET", "HEAD")),
        *(f"{method} /gradio_api/file={{path_or_url:path}}" for method in ("GET", "HEAD")),
        "GET /gradio_api/file/{path:path}",
        *("POST /gradio_api/stream/{event_id}", "POST /gradio_api/stream/{event_id}/close"),
        "GET /gradio_api/stream/{session_hash}/{run}/{component_id}/playlist.m3u8",
        "GET /gradio_api/stream/{session_hash}/{run}/{component_id}/{segment_id}.{ext}",
        "GET /gradio_api/stream/{session_hash}/{run}/{component_id}/playlist-file",
        *_both("POST", "component_server"),
        *("GET /gradio_api/upload_progress", "POST /gradio_api/upload"),
    }
)
# The page's scripts and icons, the same for everyone; its own sign-in is behind ours, which has the same address.
SCRIPTS = frozenset(
    {
        *("GET /svelte/{path:path}", "GET /static/{path:path}", "GET /assets/{path:path}"),
        *("GET /favicon.ico", "GET /robots.txt", "POST /login/"),
    }
)


def rules() -> dict[str, Rule]:
    """Of every route, those that end sessions last."""
    gradio = [(PAGE, Rule("page")), (SHUT, Rule("shut")), (SCRIPTS, Rule("public"))]
    found = {**OURS, **MORE, **{name: rule for names, rule in gradio for name in sorted(names)}}
    return dict(sorted(found.items(), key=lambda pair: pair[1].is_last))
