import re

import pytest
from playwright.sync_api import expect

from tests.e2e.test_shell import LATIN_WORDS, axe_violations
from tests.house import ADMIN, house

pytestmark = [pytest.mark.e2e, pytest.mark.engines]

PAGES = ["", "memory", "queries", "redis", "clickhouse"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    settings = {"BROKLE_ADMIN_EMAIL": ADMIN[0], "BROKLE_ADMIN_PASSWORD": ADMIN[1], "BROKLE_SLOW_QUERY_MS": "1"}
    with house(tmp_path_factory.mktemp("debug") / "data", **settings) as started:
        yield started


@pytest.fixture(scope="module")
def operator(home, console):
    context = console.browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(f"{home.url}/auth/login")
    page.get_by_label("E-mail").fill(ADMIN[0])
    page.get_by_label("Password").fill(ADMIN[1])
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile("/default/$"))
    yield page
    context.close()


def choose(page, home, language, theme):
    page.context.add_cookies(
        [
            {"name": "brokle_language", "value": language, "url": home.url},
            {"name": "brokle_theme", "value": theme, "url": home.url},
        ]
    )


@pytest.mark.parametrize(("language", "theme"), [("en", "light"), ("en", "dark"), ("ar", "light"), ("ar", "dark")])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_and_arabic_is_arabic(home, operator, name, language, theme):
    choose(operator, home, language, theme)
    operator.goto(f"{home.url}/debug/{name}")

    assert axe_violations(operator) == []
    if language == "ar":
        assert operator.get_attribute("html", "dir") == "rtl"
        assert operator.evaluate(LATIN_WORDS) == []


@pytest.mark.parametrize("name", PAGES)
def test_nothing_scrolls_sideways_at_360_pixels(home, operator, name):
    choose(operator, home, "en", "light")
    operator.set_viewport_size({"width": 360, "height": 740})
    operator.goto(f"{home.url}/debug/{name}")
    try:
        assert operator.evaluate("document.documentElement.scrollWidth") == 360
    finally:
        operator.set_viewport_size({"width": 1440, "height": 900})


def test_the_operator_watches_the_processor(home, operator):
    choose(operator, home, "en", "light")
    operator.goto(f"{home.url}/debug/")
    operator.get_by_role("button", name="Watch for 1 second").click()

    expect(operator.locator("p.muted").last).to_contain_text("Looks taken")
    assert axe_violations(operator) == []


def test_the_operator_sees_a_plan(home, operator):
    choose(operator, home, "en", "light")
    operator.goto(f"{home.url}/debug/queries")
    row = operator.locator("tbody tr", has_text="SELECT").filter(has_text="FROM", has_not_text="RECURSIVE").first
    row.get_by_role("button", name="Explain").click()

    expect(operator.locator("code", has_text="cost=").first).to_be_visible()
    assert axe_violations(operator) == []
