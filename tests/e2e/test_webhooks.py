"""Webhooks and notifications as a person meets them, against the real worker and a real receiver."""

import itertools
import json
import os
from pathlib import Path

import pytest
from playwright.sync_api import expect
from standardwebhooks.webhooks import Webhook as Judge

from tests.e2e.listening import listening
from tests.e2e.test_shell import LATIN_WORDS, axe_violations
from tests.fakes.receivers import Reply, webhook_receiver
from tests.house import ADMIN, house

pytestmark = [pytest.mark.e2e, pytest.mark.engines]
MODES = list(itertools.product(["en", "ar"], ["light", "dark"]))


@pytest.fixture(scope="module")
def receiver():
    with webhook_receiver() as found:
        yield found


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    email, password = ADMIN
    environment = {
        "BROKLE_ADMIN_EMAIL": email,
        "BROKLE_ADMIN_PASSWORD": password,
        "BROKLE_EGRESS_ALLOW": "127.0.0.1",
    }
    with house(tmp_path_factory.mktemp("hooks") / "data", **environment) as started:
        yield started


@pytest.fixture(scope="module")
def browser(home, console):
    """Signed in."""
    context = console.browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(f"{home.url}/auth/login")
    page.locator("input[type=email]").fill(ADMIN[0])
    page.locator("input[type=password]").fill(ADMIN[1])
    page.locator("form.form button[type=submit]").click()
    page.wait_for_url("**/default/**")
    yield context
    context.close()


def look(home, browser, path, language="en", theme="light", width=1440, room=""):
    """Where a room is named, the page hears it from here on."""
    cookies = {"brokle_language": language, "brokle_theme": theme}
    browser.add_cookies([{"name": name, "value": value, "url": home.url} for name, value in cookies.items()])
    page = browser.new_page()
    page.set_viewport_size({"width": width, "height": 900})
    with listening(page, home, room):
        answer = page.goto(home.url + path)
    assert answer.ok, f"{answer.status} at {answer.url}\n{home.log_tail()}"
    page.evaluate("document.fonts.ready")
    return page


@pytest.fixture(scope="module")
def hook(home, browser, receiver):
    """Made in the browser: its page's path and its secret."""
    page = look(home, browser, "/default/settings/webhooks/new")
    page.get_by_label("Address").fill(receiver.url)
    page.get_by_label("Description").fill("Billing")
    page.get_by_role("button", name="Create the webhook").click()
    page.wait_for_url("**/webhooks/whk_*")
    secret = page.locator(".secret code").inner_text()
    page.reload()
    assert page.locator(".secret").count() == 0
    path = page.url.removeprefix(home.url)
    page.close()
    return path, secret


def test_a_test_message_arrives_signed_and_the_log_says_so(home, browser, hook, receiver):
    path, secret = hook
    page = look(home, browser, path)
    page.get_by_role("button", name="Send a test message").click()
    home.wait_for(lambda: bool(receiver.came))
    came = receiver.came[-1]
    assert Judge(secret).verify(came.body, came.headers)["type"] == "webhook.test"
    home.wait_for(lambda: page.goto(home.url + path) and page.locator("td .status.ok").count() >= 1)
    page.locator("tbody tr a").first.click()
    expect(page.get_by_text("Accepted")).to_be_visible()
    page.close()


def test_a_failure_is_shown_and_delivered_again_by_hand(home, browser, hook, receiver):
    path, _ = hook
    receiver.replies(Reply(500, b"<h1>no</h1>"))
    page = look(home, browser, path)
    page.get_by_role("button", name="Send a test message").click()
    home.wait_for(lambda: page.goto(home.url + path) and page.locator("td .status.warn").count() == 1)
    page.locator("tbody tr a").first.click()
    expect(page.get_by_text("<h1>no</h1>")).to_be_visible()
    receiver.replies(Reply(200))
    page.get_by_role("button", name="Deliver again").click()
    home.wait_for(lambda: page.goto(home.url + path) and page.locator("td .status.warn").count() == 0)
    page.close()


def test_the_bell_counts_while_one_looks_elsewhere(home, browser):
    page = look(home, browser, "/notifications")
    page.get_by_role("button", name="Mark all as read").click()
    bell = page.locator("[data-bell]")
    expect(bell.locator(".sr")).to_have_text("Notifications")
    page.close()
    page = look(home, browser, "/default/", room="notifications:")
    bell = page.locator("[data-bell]")
    other = look(home, browser, "/notifications", room="notifications:")
    data = {"name": "By key", "scopes": ["gateway"]}
    headers = {"Authorization": "Bearer bk_test_bootstrap_0123456789abcdef", "Content-Type": "application/json"}
    made = home.request("POST", "/api/v1/keys", json.dumps(data).encode(), headers)
    assert made.status == 201
    expect(bell.locator(".sr")).to_have_text("Notifications, 1 unread")
    expect(other.locator("#told li.unread")).to_have_count(1)
    expect(other.locator("#told")).to_contain_text("An API key was created: By key New")
    other.close()
    page.close()


def pages(hook):
    path, _ = hook
    return {
        "webhooks": "/default/settings/webhooks",
        "webhook-new": "/default/settings/webhooks/new",
        "webhook": path,
        "notifications": "/notifications",
        "notification-preferences": "/settings/notifications",
    }


@pytest.mark.parametrize(("language", "theme"), MODES)
def test_axe_finds_nothing_and_arabic_is_arabic(home, browser, hook, language, theme):
    found = {}
    page = look(home, browser, hook[0])
    if not page.locator("tbody tr a").count():
        page.locator("form[action$='/test'] button").click()
        home.wait_for(lambda: page.goto(home.url + hook[0]) and page.locator("tbody tr a").count() > 0)
    page.close()
    for name, path in pages(hook).items():
        page = look(home, browser, path, language, theme)
        found[name] = axe_violations(page)
        if language == "ar":
            found[name] += page.evaluate(LATIN_WORDS)
        if name == "webhook":
            with page.expect_navigation():
                page.locator("tbody tr a").first.click()
            found["delivery"] = axe_violations(page) + (page.evaluate(LATIN_WORDS) if language == "ar" else [])
            keep(page, f"delivery-{language}-{theme}")
            page.go_back()
        keep(page, f"{name}-{language}-{theme}")
        page.close()

    assert found == {name: [] for name in found}


@pytest.mark.parametrize("language", ["en", "ar"])
def test_nothing_scrolls_sideways_at_360_pixels(home, browser, hook, language):
    widths = {}
    for name, path in pages(hook).items():
        page = look(home, browser, path, language, width=360)
        widths[name] = page.evaluate("document.documentElement.scrollWidth")
        keep(page, f"{name}-{language}-narrow")
        page.close()

    assert widths == dict.fromkeys(widths, 360)


def keep(page, name):
    folder = os.environ.get("BROKLE_KEEP_SCREENSHOTS")
    if folder and Path(folder).is_dir():
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
