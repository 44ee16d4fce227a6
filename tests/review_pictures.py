"""Pictures of the pages for engineers and administrators, over three months of made-up use; a part of `tests.pictures`."""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page

from assistant.records.account_tables import UserRow
from assistant.records.database import Database
from assistant.records.surveys import Surveys
from tests.browser.pages import chromium, signed_in
from tests.servers.assistant_process import AssistantProcess
from tests.unit.test_statistics import NOON, add

NO_MODEL = '[{"provider": "extractive"}]'
LOOKS = (
    ("ru", "ru-RU", 1100, False),
    ("en-dark", "en-US", 1100, True),
    ("narrow-ru", "ru-RU", 390, False),
    ("narrow-en-dark", "en-US", 390, True),
)
PAGES = (
    ("statistics", "/admin/statistics?days=90"),
    ("statistics-month", "/admin/statistics?days=30&department=hr"),
    ("answers", "/admin/answers?said=added"),
    ("unanswered", "/admin/unanswered"),
)
_OPEN_FIRST = "document.querySelectorAll('article:first-of-type details').forEach(one => one.open = true)"
KNOWN = ("Как настроить VPN?", "Сколько дней отпуска положено?")
UNKNOWN = ("Какая столица у Австралии?", "Назовите столицу Австралии", "Есть ли парковка?", "Где парковка для машин?")


def review_pages(browser: Browser, place: Path, folder: Path) -> None:
    with AssistantProcess(place / "review", ASSISTANT_LLMS=NO_MODEL) as server:
        with signed_in(browser, server) as (page, _):
            for question in KNOWN:
                message = asked(page, server.url, question)
                opinion = {"message": message, "rating": -1, "reason": "incomplete", "comment": "Нет шага про телефон."}
                assert page.request.post(f"{server.url}/api/feedback", data=opinion, headers={"origin": server.url}).ok
            for question in UNKNOWN:
                asked(page, server.url, question)
        _use(Database(f"sqlite:///{place / 'review' / 'assistant.db'}"))
        for name, locale, width, dark in LOOKS:
            with signed_in(browser, server, locale=locale, width=width, dark=dark) as (page, _):
                page.wait_for_selector("#survey")
                page.screenshot(path=folder / f"survey-{name}.png")
                for what, path in PAGES:
                    page.goto(server.url + path)
                    page.evaluate(
                        "document.querySelectorAll('article:first-of-type details').forEach(one => one.open = true)"
                    )
                    page.screenshot(path=folder / f"{what}-{name}.png", full_page=True)


def asked(page: Page, url: str, question: str) -> str:
    """The message's id."""
    body = {"question": question, "conversation": "new"}
    answer = page.request.post(f"{url}/api/ask", data=body, headers={"origin": url})
    assert answer.ok, answer.text()
    return answer.text().split('"message": "')[1].split('"')[0]


def _use(database: Database) -> None:
    """Ever more people of three departments, with the times of a language model."""
    rng = random.Random(5)
    with database.transaction() as session:
        for number in range(24):
            rights = {"roles": ["user"], "departments": [("hr", "finance", "it")[number % 3]], "level": 1}
            session.add(UserRow(id=f"u{number}", name=f"u{number}", password_hash="", created_at=NOON, **rights))
    for days_ago in range(89, -1, -1):
        for _ in range(rng.randint(0, 2 + (90 - days_ago) // 12) if days_ago % 7 > 1 else 0):
            number = rng.randrange(4 + (90 - days_ago) // 5)
            add(
                database,
                f"u{number}",
                days_ago=days_ago,
                departments=[("hr", "finance", "it")[number % 3]],
                grounded=rng.random() < 0.8,
                rating=rng.choice((0, 0, 1, 1, -1)),
                retrieval=rng.uniform(20, 60),
                first_token=rng.lognormvariate(6.2, 0.5),
                total=rng.lognormvariate(8.2, 0.4),
            )
    with database.transaction() as session:
        (admin,) = [row.id for row in session.query(UserRow) if row.name == "admin"]
    for _ in range(10):
        add(database, admin, days_ago=1)
    for number in range(6):
        Surveys(database).answer(f"u{number}", 20 + 10 * number)
    database.close()


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "pictures")
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as storage, chromium() as found:
        review_pages(found, Path(storage), target)
