"""A page in a headless Chromium: read, filtered, sorted, printed, and checked for accessibility."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from figures_shown import pictured
from hostile import HOSTILE
from test_clean import hostile
from test_formats import DOCUMENTS

from esper_audit.report.build import page
from esper_audit.report.formats import Format, render
from esper_audit.report.html.document import html

playwright: Any = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
axe: Any = pytest.importorskip(
    "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
)
NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(CHROMIUM is None, reason="this machine has no Chromium"),
]
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
KINDS = ("run", "program", "gate", "comparison", "fix", "scan")
PICTURED = html(pictured(page(DOCUMENTS["run"], 1)), DOCUMENTS["run"])


class Desk:
    """Opens pages, and keeps what a page says, asks for or opens by itself."""

    def __init__(self, browser: Any, folder: Path) -> None:
        self._browser, self._file = browser, folder / "page.html"
        self.troubles: list[str] = []

    def open(self, text: str = PICTURED, **context: Any) -> Any:
        made = self._browser.new_context(**context).new_page()
        made.on("console", lambda said: self.troubles.append(said.text))
        made.on("pageerror", lambda error: self.troubles.append(str(error)))
        made.on("dialog", lambda dialog: self.troubles.append(dialog.message))
        made.on("request", lambda asked: self._asked(asked.url))
        return self.show(made, text)

    def show(self, shown: Any, text: str) -> Any:
        self._file.write_text(text, "utf-8")
        shown.goto(self._file.as_uri())
        return shown

    def _asked(self, url: str) -> None:
        if url.partition("#")[0] != self._file.as_uri():
            self.troubles.append(url)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def desk(browser: Any, tmp_path: Path) -> Iterator[Desk]:
    made = Desk(browser, tmp_path)
    yield made
    for context in browser.contexts:
        context.close()
    assert made.troubles == []


def unfold(shown: Any) -> None:
    shown.get_by_role("button", name="Unfold all").click()


def violations(shown: Any, **options: Any) -> str:
    found = axe.Axe().run(shown, options=options or None)
    return str(found.generate_report()) if found.violations_count else ""


def test_the_accessibility_checker_finds_nothing_in_any_report(desk):
    shown = desk.open()
    unfold(shown)
    assert violations(shown) == ""
    seen_already = {"color-contrast": {"enabled": False}}
    for kind in KINDS:
        desk.show(shown, render(DOCUMENTS[kind], Format.HTML))
        unfold(shown)
        assert violations(shown, rules=seen_already) == ""


def test_words_can_be_read_in_the_dark(desk):
    shown = desk.open(color_scheme="dark")
    unfold(shown)
    assert violations(shown, runOnly=["color-contrast"]) == ""
    shown.evaluate("document.documentElement.style.setProperty('--text', '#333')")
    assert "color-contrast" in violations(shown, runOnly=["color-contrast"]), "it can fail"


def test_a_filter_leaves_what_holds_its_text_and_the_keyboard_reaches_it(desk):
    shown = desk.open()
    shown.keyboard.press("/")
    shown.keyboard.type("compile 7 ")
    assert shown.locator("#count").inner_text().startswith("1 of ")
    assert shown.locator("tbody tr:visible").all_inner_texts() == [
        "compiles rollout\t7\t7.4\tcompile 7 rollout"
    ], "the table that holds it is unfolded"
    shown.keyboard.press("Escape")
    assert shown.locator("#filter").input_value() == ""
    assert shown.locator("#count").inner_text() == ""
    assert shown.locator("tbody tr:visible").count() > 5
    assert shown.locator("details[open]").count() == 0, "it is folded again"


def test_the_head_of_a_column_sorts_its_table_and_says_so(desk):
    shown = desk.open()
    head = shown.locator(".heat thead th").first
    order = []
    for state in ("ascending", "descending", None):
        head.get_by_role("button").press("Enter")
        assert head.get_attribute("aria-sort") == state
        order.append("".join(row[0] for row in shown.locator(".heat tbody th").all_inner_texts()))
    assert order == ["abc", "cba", "bac"]


def test_a_link_opens_what_it_leads_to_and_the_theme_is_switched_in_the_page(desk):
    shown = desk.open(color_scheme="dark")
    background = "getComputedStyle(document.body).backgroundColor"
    dark = shown.evaluate(background)
    shown.get_by_role("button", name="Light").click()
    assert shown.evaluate(background) == "rgb(255, 255, 255)" != dark
    shown.locator(".heat a").first.click()
    assert shown.evaluate("document.querySelector(':target').tagName") == "ARTICLE"
    assert shown.locator(".card:target").is_visible()


@pytest.mark.parametrize("said", ["rollout", "a_name_without_any_space" * 20])
def test_nothing_is_wider_than_a_phone_but_scrolls_by_itself(desk, said):
    text = html(pictured(page(DOCUMENTS["run"], 1), said), DOCUMENTS["run"])
    shown = desk.open(text, viewport={"width": 360, "height": 740})
    unfold(shown)
    assert shown.evaluate("document.documentElement.scrollWidth") == 360
    stops = "[...document.querySelectorAll('.scroll, pre')].every(e => e.scrollWidth <= e.clientWidth || e.tabIndex == 0)"
    assert shown.evaluate(stops)


def test_all_is_there_without_a_script_and_on_paper(desk):
    plain = desk.open(java_script_enabled=False)
    assert not plain.locator("#tools").is_visible()
    plain.locator("details > summary").first.click()
    assert plain.locator("details tbody tr").first.is_visible()
    plain.emulate_media(media="print", color_scheme="dark")
    assert plain.locator("details tbody tr").last.is_visible()
    assert not plain.locator("nav").is_visible()
    assert "rgb(255, 255, 255)" in plain.evaluate_handle("document.body").evaluate(
        "e => getComputedStyle(e).backgroundColor"
    )


def test_a_page_full_of_hostile_names_runs_and_asks_for_nothing(desk):
    text = " ".join(HOSTILE)
    shown = desk.open(html(pictured(page(hostile(text), 1), text), hostile(text)))
    unfold(shown)
    shown.keyboard.press("/")
    shown.keyboard.type("script>alert")
    assert " of " in shown.locator("#count").inner_text()


def test_the_policy_stops_what_an_escape_would_have_missed(browser, tmp_path):
    desk = Desk(browser, tmp_path)
    evil = "<script>alert(1)</script><img src=https://evil.example/x onerror=alert(2)></main>"
    shown = desk.open(PICTURED.replace("</main>", evil))
    shown.context.close()
    refused = [said for said in desk.troubles if "Content Security Policy" in said]
    assert [any(what in said for said in refused) for what in ("script-src", "img-src")] == [
        True
    ] * 2
    assert [said for said in desk.troubles if said not in refused] == ["https://evil.example/x"]
