"""The gateway's pages as a person meets them, with real calls behind them."""

import itertools
import json
import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.listening import listening
from tests.e2e.test_shell import LATIN_WORDS, axe_violations
from tests.fakes.model_provider import model_provider
from tests.house import ADMIN, BOOTSTRAP_KEY, house

pytestmark = [pytest.mark.e2e, pytest.mark.engines]
MODES = list(itertools.product(["en", "ar"], ["light", "dark"]))
BEARER = {"Authorization": f"Bearer {BOOTSTRAP_KEY}", "Content-Type": "application/json"}
ROUTE = {"name": "support-chat", "targets": [{"model": "echo/error-500"}, {"model": "echo/fast"}]}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    email, password = ADMIN
    environment = {
        "BROKLE_ADMIN_EMAIL": email,
        "BROKLE_ADMIN_PASSWORD": password,
        "BROKLE_EGRESS_ALLOW": "127.0.0.1",
    }
    with house(tmp_path_factory.mktemp("gateway") / "data", **environment) as started:
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


def post(home, path, body):
    return home.request("POST", path, json.dumps(body).encode(), BEARER)


def chat(home, model, text, **more):
    body = {"model": model, "messages": [{"role": "user", "content": text}], **more}
    return post(home, "/v1/chat/completions", body)


@pytest.fixture(scope="module")
def calls(home):
    """A route that falls back, and calls of each kind: the id of the one with everything in it."""
    assert post(home, "/api/v1/routes", ROUTE).status == 201
    about = {"user": "u_8812", "brokle": {"tags": {"tier": "gold"}, "session": "s_77"}}
    home.wait_for(lambda: chat(home, "support-chat", "When does my order arrive?", **about).status == 200)
    answer = chat(home, "support-chat", "متى يصل طلبي؟", **about)
    assert chat(home, "echo/fast", "one two three", stream=True).status == 200
    assert chat(home, "echo/error-429", "too fast").status == 429
    assert chat(home, "echo/error-500", "broken").status == 500
    return answer.headers["x-request-id"]


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


def await_rows(home, page, path, count):
    home.wait_for(lambda: page.goto(home.url + path) and page.locator("#requests tbody tr").count() >= count)


def test_an_empty_log_shows_the_command_that_fills_it_and_a_call_appears_by_itself(home, browser):
    page = look(home, browser, "/default/requests", room="requests:")
    expect(page.get_by_text("No requests yet")).to_be_visible()
    expect(page.locator("#requests pre")).to_contain_text("/v1/chat/completions")

    assert home.chat("first of all").status == 200

    expect(page.locator("#requests tbody tr")).to_have_count(1)
    expect(page.locator("#requests tbody")).to_contain_text("echo/fast")
    page.close()


def test_the_log_is_narrowed_by_what_its_filters_say(home, browser, calls):
    page = look(home, browser, "/default/requests")
    await_rows(home, page, "/default/requests", 6)
    with page.expect_navigation():
        page.get_by_label("Any status").select_option("limited")
    expect(page.locator("#requests tbody tr")).to_have_count(1)
    expect(page.locator("#requests tbody")).to_contain_text("Rate limited")
    page.get_by_role("link", name="Clear").click()
    page.get_by_label("Id of a request, trace, user or session").fill("u_8812")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.locator("#requests tbody tr").first).to_contain_text("support-chat")
    expect(page.locator("#requests tbody tr").first).to_contain_text("fallback")
    page.get_by_label("Id of a request, trace, user or session").fill("nobody")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.get_by_text("No request fits")).to_be_visible()
    page.close()


def test_a_request_tells_whom_it_asked_why_again_and_what_it_cost(home, browser, calls):
    page = look(home, browser, "/default/requests?about=" + calls)
    await_rows(home, page, "/default/requests?about=" + calls, 1)
    page.locator("#requests tbody tr a").first.click()
    page.wait_for_url(f"**/default/requests/{calls}**")

    attempts = page.locator("section", has=page.get_by_role("heading", name="Attempts")).locator("tbody tr")
    expect(attempts).to_have_count(2)
    expect(attempts.nth(0)).to_contain_text("echo/error-500")
    expect(attempts.nth(0)).to_contain_text("The provider failed")
    expect(attempts.nth(1)).to_contain_text("OK")
    asked = page.locator("section", has=page.get_by_role("heading", name="What was asked"))
    for said in ("support-chat", "echo/fast", "u_8812", "s_77", "tier: gold"):
        expect(asked).to_contain_text(said)
    expect(page.locator("section", has=page.get_by_role("heading", name="Identity"))).to_contain_text(calls)
    expect(page.locator("section", has=page.get_by_role("heading", name="Tokens and cost"))).to_contain_text("$0.00")
    page.close()


@pytest.fixture(scope="module")
def upstream():
    with model_provider() as found:
        yield found


@pytest.fixture(scope="module")
def provider(home, browser, upstream):
    """Connected in the browser: its page's path."""
    page = look(home, browser, "/default/providers/new")
    page.get_by_label("Name of the provider").fill("compatible")
    page.get_by_role("link", name="Any OpenAI-compatible server").click()
    page.get_by_label("Name", exact=True).fill("noors-own")
    page.get_by_label("Address").fill(upstream.url)
    page.get_by_label("Key of the provider").fill("sk-noor-0123456789abcdef")
    page.get_by_role("button", name="Connect", exact=True).click()
    page.wait_for_url("**/providers/prv_**")
    assert "sk-noor-0123456789abcdef" not in page.content()
    path = page.url.removeprefix(home.url)
    page.close()
    home.wait_for(lambda: chat(home, "noors-own/some-model", "Hello").status == 200)
    return path


def test_providers_of_the_catalogue_are_found_while_one_types(home, browser):
    page = look(home, browser, "/default/providers")
    expect(page.locator("pre")).to_contain_text("/api/v1/providers")
    page.get_by_role("link", name="Connect a provider").click()
    page.get_by_label("Name of the provider").press_sequentially("anthropic")
    expect(page.locator(".choices li").first).to_contain_text("Anthropic")
    page.locator(".choices a").first.click()
    expect(page.get_by_label("Address")).to_have_value("https://api.anthropic.com/v1")
    page.close()


def test_a_connection_is_tested_and_told_in_clear_words(home, browser, provider, upstream):
    page = look(home, browser, provider)
    page.locator("#model").fill("some-model")
    page.get_by_role("button", name="Test the connection").click()
    expect(page.get_by_text("The provider answers and takes the key")).to_be_visible()
    assert upstream.of("some-model")[-1].headers["authorization"] == "Bearer sk-noor-0123456789abcdef"

    page.locator("#model").fill("rate-limited")
    page.get_by_role("button", name="Test the connection").click()
    expect(page.get_by_text("The provider takes the key, but its rate limit is used up.")).to_be_visible()
    page.close()


def test_a_second_key_is_added_rotated_and_removed(home, browser, provider):
    page = look(home, browser, provider)
    page.get_by_role("button", name="Add a key").click()
    page.get_by_role("dialog").get_by_label("Name").fill("spare")
    page.get_by_role("dialog").get_by_label("Key of the provider").fill("sk-spare-0123456789abcdef")
    page.get_by_role("dialog").get_by_label("Weight").fill("3")
    page.get_by_role("button", name="Add the key").click()
    keys = page.locator("section", has=page.get_by_role("heading", name="Keys")).locator("li")
    expect(keys).to_have_count(2)
    keys.filter(has_text="spare").get_by_role("link", name="Change").click()
    page.get_by_label("Another key in its place").fill("sk-other-fedcba9876543210")
    page.get_by_role("button", name="Save").click()
    expect(keys.filter(has_text="spare")).to_contain_text("…3210")
    expect(keys.filter(has_text="spare")).to_contain_text("Rotated")
    keys.filter(has_text="spare").get_by_role("link", name="Change").click()
    page.get_by_role("button", name="Remove the key").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove the key").click()
    expect(keys).to_have_count(1)
    page.close()


def test_a_model_gets_a_price_of_its_own_and_calls_cost_it(home, browser, provider):
    page = look(home, browser, provider)
    page.get_by_role("button", name="Add a model").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("dear-model")
    dialog.get_by_label("Input, dollars").fill("1000")
    dialog.get_by_label("Output, dollars").fill("2000")
    page.get_by_role("button", name="Add the model").click()
    expect(page.locator("b", has_text="dear-model")).to_be_visible()

    def cost():
        return chat(home, "noors-own/dear-model", "Hello").json()["brokle"]["cost_usd"]

    # 8 of 11 input tokens and 3 cached ones at the price of input, 7 of output.
    home.wait_for(lambda: cost() == 0.025)
    page.close()


def test_health_counts_what_the_provider_failed(home, browser, provider):
    assert chat(home, "noors-own/broken", "Hello").status == 500
    page = look(home, browser, "/default/providers")
    cells = page.locator("tbody tr").first.locator("td")
    home.wait_for(lambda: page.goto(home.url + "/default/providers") and cells.nth(4).inner_text() not in {"—", "0%"})
    expect(cells.nth(0)).to_contain_text("noors-own")
    expect(cells.nth(3)).to_have_text(re.compile("Some calls fail|Failing"))
    expect(cells.nth(5)).to_have_text(re.compile(r"\d m?s$"))
    page.close()


def test_removing_a_provider_asks_for_its_name(home, browser, provider):
    made = post(home, "/api/v1/providers", {"name": "short-lived", "kind": "groq"}).json()
    page = look(home, browser, f"/default/providers/{made['id']}")
    page.get_by_role("button", name="Remove the provider").click()
    dialog = page.get_by_role("dialog")
    remove = dialog.get_by_role("button", name="Remove the provider")
    dialog.get_by_role("textbox").fill("something else")
    expect(remove).to_be_disabled()
    dialog.get_by_role("textbox").fill("short-lived")
    remove.click()
    page.wait_for_url("**/default/providers?**")
    expect(page.get_by_text("The provider is removed")).to_be_visible()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.close()


@pytest.fixture(scope="module")
def groq(home):
    assert post(home, "/api/v1/providers", {"name": "groq", "kind": "groq"}).status == 201
    compiled = ("/api/v1/catalogue/models?provider=groq", BEARER)
    home.wait_for(lambda: home.get(compiled[0], **BEARER).json()["data"])


def test_models_are_searched_sorted_and_compared(home, browser, provider, groq):
    page = look(home, browser, "/default/models")
    expect(page.locator("tbody")).to_contain_text("noors-own/dear-model")
    page.get_by_label("Name of the model").fill("llama")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    names = page.locator("tbody .copyable code").all_inner_texts()
    assert names
    assert all(name.startswith("groq/") and "llama" in name.lower() for name in names)
    with page.expect_navigation():
        page.get_by_role("link", name="Input, a million").click()
    prices = [float(text.strip("$")) for text in page.locator("tbody td:nth-child(4) bdi").all_inner_texts()]
    assert prices == sorted(prices, reverse=True)
    for tick in page.get_by_role("checkbox").all()[:2]:
        tick.check()
    with page.expect_navigation():
        page.get_by_role("button", name="Compare the chosen").click()
    expect(page.locator("thead th")).to_have_count(2)
    expect(page.get_by_role("row", name="Input, a million")).to_contain_text("$")
    page.close()


def test_a_route_is_made_tried_changed_and_taken_back(home, browser):
    page = look(home, browser, "/default/routes/new")
    page.get_by_label("Name", exact=True).fill("smart")
    first = page.get_by_role("group", name="Model 1", exact=True)
    first.get_by_label("Model").fill("echo/slow")
    first.get_by_label("Only when").fill("tag.tier: gold")
    page.get_by_role("group", name="Model 2", exact=True).get_by_label("Model").fill("echo/fast")
    page.get_by_role("button", name="Make the route").click()
    page.wait_for_url("**/routes/rte_**")
    page.get_by_label("Tags").fill("tier=silver")
    page.get_by_role("button", name="Show the order").click()
    tried = page.locator("#dry-run tbody tr")
    expect(tried.nth(0)).to_contain_text("echo/fast")
    expect(tried.nth(1)).to_contain_text("The condition tag.tier does not fit")
    home.wait_for(lambda: chat(home, "smart", "Hello").headers.get("x-brokle-model") == "fast")

    first.get_by_label("Only when").fill("")
    page.get_by_role("button", name="Save as the next version").click()
    versions = page.locator("#versions")
    expect(versions.locator("li").first).to_contain_text("In force")
    versions.get_by_role("link", name="Compare 1").click()
    expect(versions.locator(".diff")).to_contain_text("targets[0].when")
    page.get_by_role("button", name="Go back to it").click()
    expect(versions.locator("li").first).to_contain_text("Version 3")
    page.close()


def test_targets_are_added_in_place_by_keyboard(home, browser):
    page = look(home, browser, "/default/routes/new")
    page.on("pageerror", lambda error: pytest.fail(f"the page's script failed: {error}"))
    page.get_by_label("Name", exact=True).fill("long")
    models = ["echo/fast", "echo/slow", "echo/tool", "echo/reasoning"]
    for place, model in enumerate(models, start=1):
        if place > 2:
            page.get_by_role("button", name="Add a target").focus()
            page.keyboard.press("Enter")
            field = page.get_by_role("group", name=f"Model {place}", exact=True).get_by_label("Model")
            expect(field).to_be_focused()
        page.get_by_role("group", name=f"Model {place}", exact=True).get_by_label("Model").fill(model)
    assert axe_violations(page) == []
    keep(page, "route-new-rows")
    page.get_by_role("group", name="Model 4", exact=True).get_by_label("Weight").fill("-1")
    page.get_by_role("button", name="Make the route").click()
    expect(page.get_by_role("group", name="Model 4", exact=True).get_by_label("Model")).to_have_value("echo/reasoning")
    page.get_by_role("group", name="Model 4", exact=True).get_by_label("Weight").fill("3")
    page.get_by_role("button", name="Make the route").click()
    page.wait_for_url("**/routes/rte_**")

    rows = page.get_by_role("group", name=re.compile(r"^Model \d$"))
    expect(rows).to_have_count(6)
    assert [rows.nth(place).get_by_label("Model").input_value() for place in range(4)] == models
    page.close()


def test_fifty_targets_are_the_most(home, browser):
    page = look(home, browser, "/default/routes/new")
    add = page.get_by_role("button", name="Add a target")
    for _ in range(48):
        add.click()
    expect(add).to_be_disabled()
    expect(page.get_by_role("group", name=re.compile(r"^Model \d+$"))).to_have_count(50)
    page.close()


@pytest.fixture(scope="module")
def route(home, calls):
    return next(
        one["id"] for one in home.get("/api/v1/routes", **BEARER).json()["data"] if one["name"] == ROUTE["name"]
    )


def pages(calls, provider, groq, route):
    return {
        "routes": "/default/routes",
        "route-new": "/default/routes/new",
        "route": f"/default/routes/{route}?try=1",
        "models": "/default/models",
        "models-narrowed": "/default/models?q=nothing-like-it",
        "models-compare": "/default/models/compare",
        "providers": "/default/providers",
        "provider-choose": "/default/providers/new",
        "provider-new": "/default/providers/new?kind=azure",
        "provider": provider,
        "requests": "/default/requests",
        "requests-narrowed": "/default/requests?about=nobody",
        "request": f"/default/requests/{calls}",
    }


@pytest.mark.parametrize(("language", "theme"), MODES)
def test_axe_finds_nothing_and_arabic_is_arabic(home, browser, calls, provider, groq, route, language, theme):
    found = {}
    for name, path in pages(calls, provider, groq, route).items():
        page = look(home, browser, path, language, theme)
        found[name] = axe_violations(page)
        if language == "ar":
            found[name] += page.evaluate(LATIN_WORDS)
        keep(page, f"{name}-{language}-{theme}")
        page.close()

    assert found == {name: [] for name in found}


@pytest.mark.parametrize("language", ["en", "ar"])
def test_nothing_scrolls_sideways_at_360_pixels(home, browser, calls, provider, groq, route, language):
    widths = {}
    for name, path in pages(calls, provider, groq, route).items():
        page = look(home, browser, path, language, width=360)
        widths[name] = page.evaluate("document.documentElement.scrollWidth")
        keep(page, f"{name}-{language}-narrow")
        page.close()

    assert widths == dict.fromkeys(widths, 360)


def keep(page, name):
    folder = os.environ.get("BROKLE_KEEP_SCREENSHOTS")
    if folder and Path(folder).is_dir():
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
