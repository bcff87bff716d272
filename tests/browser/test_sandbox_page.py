"""The console in a real browser: `nox -s browser`."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from kantos_async.sandbox import Faults, Sandbox

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as tools:
        # A container's root may not use Chromium's own sandbox.
        browser = tools.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(limit=50, seed=1) as sandbox:
        yield sandbox


@pytest.fixture
def page(browser: Any, sandbox: Sandbox) -> Iterator[Any]:
    page = browser.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    # The browser itself reports every refused request; what breaks the page's policy it reports
    # in other words.
    page.on(
        "console",
        lambda message: (
            complaints.append(message.text)
            if message.type == "error" and "Failed to load resource" not in message.text
            else None
        ),
    )
    page.goto(sandbox.url.removesuffix("/api") + "/_sandbox")
    yield page
    page.close()
    assert complaints == []


def test_requests_records_and_quota_appear_while_they_happen(page: Any, sandbox: Sandbox) -> None:
    expect = playwright.expect
    expect(page.locator("#quota")).to_have_text("of 50 in 60 s")
    headers = {"X-Api-Key": sandbox.api_key}
    values = {"name": "<img src=x onerror=alert(1)>", "email": "a@example.com"}
    body = {"object_id": "obj_contacts", "field_values": values}
    httpx.post(f"{sandbox.url}/crm/record", json=body, headers=headers)
    httpx.get(f"{sandbox.url}/crm/record/rec_none", headers=headers)
    rows = page.locator("#log tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("GET/api/crm/record/rec_none404")
    expect(rows.nth(1)).to_contain_text("POST/api/crm/record201")
    expect(page.locator("#count")).to_have_text("2 requests")
    assert page.locator("#plot polyline").get_attribute("points").count(",") == 2
    cells = page.locator("#records tbody td")
    expect(cells.nth(1)).to_have_text(values["name"])
    assert page.locator("img").count() == 0
    assert sandbox.api_key not in page.content()


def test_another_object_can_be_looked_at(page: Any, sandbox: Sandbox) -> None:
    sandbox.insert("obj_deals", [{"name": "Big", "value": 10}])
    page.locator("#object").select_option("obj_deals")
    playwright.expect(page.locator("#records thead")).to_contain_text("close_date")
    playwright.expect(page.locator("#records tbody")).to_contain_text("Big")


def test_a_slider_sets_a_fault_and_the_button_clears_all(page: Any, sandbox: Sandbox) -> None:
    slider = page.get_by_label("drop after")
    playwright.expect(slider).to_be_visible()
    slider.focus()
    page.keyboard.press("End")
    playwright.expect(page.locator("#fault-drop_after + output")).to_have_text("100 %")
    assert sandbox.faults.plan == Faults(drop_after=1.0)
    page.get_by_label("error before").focus()
    page.keyboard.press("End")  # 200 % in all is refused
    playwright.expect(page.locator("#trouble")).to_contain_text("at most 1")
    assert sandbox.faults.plan == Faults(drop_after=1.0)
    page.get_by_role("button", name="Clear all").click()
    playwright.expect(page.locator("#fault-drop_after + output")).to_have_text("0 %")
    assert sandbox.faults.plan == Faults()


def test_a_sandbox_that_ends_is_said_so(browser: Any) -> None:
    with Sandbox() as sandbox:
        page = browser.new_page()
        page.goto(sandbox.url.removesuffix("/api") + "/_sandbox")
        playwright.expect(page.locator("#count")).to_have_text("0 requests")
    playwright.expect(page.locator("#trouble")).to_contain_text("does not answer")
    page.close()
