"""Pictures of the real product for the documents; `make screenshots` keeps them, CI only proves they can be made."""

import json
import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

import brokle
from tests.house import BOOTSTRAP_KEY, house

pytestmark = [pytest.mark.e2e, pytest.mark.engines]
ROUTE = {
    "name": "assistant",
    "strategy": "fallback",
    "retries": 1,
    "targets": [
        {"model": "echo/fast", "when": {"tag.tier": ["gold"]}},
        {"model": "echo/slow", "when": {"input_tokens": {"max": 30_000}}, "timeout_ms": 4000},
        {"model": "echo/latency=40,rate=30"},
    ],
}
MODES = [("en", "light"), ("en", "dark"), ("ar", "light"), ("ar", "dark")]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    keep = os.environ.get("BROKLE_KEEP_SCREENSHOTS")
    folder = brokle.HOUSE / "docs" / "img" if keep else tmp_path_factory.mktemp("img")
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    environment = {"BROKLE_ADMIN_EMAIL": "amal@noor.example", "BROKLE_ADMIN_PASSWORD": "a-long-enough-password"}
    with house(tmp_path_factory.mktemp("shots") / "data", **environment) as started:
        for number in range(40):
            model = {7: "echo/error-503", 19: "echo/error-429"}.get(number, "echo/fast")
            started.chat(f"Where is order {88_100 + number}? " * (1 + number % 5), model=model)
        headers = {"authorization": f"Bearer {BOOTSTRAP_KEY}", "content-type": "application/json"}
        assert started.request("POST", "/api/v1/routes", json.dumps(ROUTE).encode(), headers).status == 201
        yield started


@pytest.fixture(scope="module")
def empty_home(tmp_path_factory):
    with house(tmp_path_factory.mktemp("empty") / "data", BROKLE_BOOTSTRAP_KEY="") as started:
        yield started


def open_page(console, url, path, language, theme):
    context = console.browser.new_context(viewport={"width": 1440, "height": 900}, device_scale_factor=1)
    cookies = {"brokle_language": language, "brokle_theme": theme}
    context.add_cookies([{"name": name, "value": value, "url": url} for name, value in cookies.items()])
    page = context.new_page()
    page.goto(url + path)
    page.evaluate("document.fonts.ready")
    return page


@pytest.mark.parametrize(("language", "theme"), MODES)
def test_the_first_visit(empty_home, console, pictures, language, theme):
    page = open_page(console, empty_home.url, "/", language, theme)
    expect(page.locator("form.form")).to_be_visible()
    page.screenshot(path=pictures / f"onboarding-{language}-{theme}.png")
    page.context.close()


def signed_in(console, home, language, theme):
    page = open_page(console, home.url, "/auth/login", language, theme)
    page.locator("input[type=email]").fill("amal@noor.example")
    page.locator("input[type=password]").fill("a-long-enough-password")
    page.locator("form.form button[type=submit]").click()
    page.wait_for_url("**/default/")
    return page


@pytest.mark.parametrize(("language", "theme"), MODES)
def test_the_overview(home, console, pictures, language, theme):
    page = signed_in(console, home, language, theme)
    home.wait_for(lambda: page.goto(f"{home.url}/default/") and page.locator("tbody tr").count() == 40)
    page.evaluate("document.fonts.ready")
    page.screenshot(path=pictures / f"overview-{language}-{theme}.png")
    page.context.close()


@pytest.mark.parametrize(("language", "theme"), [("en", "light"), ("ar", "light")])
def test_the_route_editor(home, console, pictures, language, theme):
    page = signed_in(console, home, language, theme)
    page.goto(f"{home.url}/default/routes")
    page.get_by_role("link", name=ROUTE["name"]).first.click()
    page.wait_for_url("**/routes/rte_**")
    page.set_viewport_size({"width": 1440, "height": 1440})
    page.evaluate("document.fonts.ready")
    page.screenshot(path=pictures / f"route-{language}-{theme}.png")
    page.context.close()


@pytest.mark.parametrize(("language", "theme"), [("en", "light"), ("ar", "light")])
def test_the_playground(home, console, pictures, language, theme):
    page = signed_in(console, home, language, theme)
    page.goto(f"{home.url}/default/playground?model=echo/fast&model=echo/slow")
    text = {"en": "Where is my order 88104?", "ar": "أين طلبي رقم 88104؟"}[language]
    page.locator("[data-message] textarea").last.fill(text)
    page.locator("[data-message] textarea").last.press("Control+Enter")
    for place in (0, 1):
        expect(page.locator("[data-column]").nth(place).locator("[data-said]")).to_have_text(text)
        expect(page.locator("[data-column]").nth(place).locator("[data-figure=total]")).to_contain_text("s")
    page.evaluate("document.fonts.ready")
    page.screenshot(path=pictures / f"playground-{language}-{theme}.png")
    page.context.close()
