"""The playground as a person meets it: real calls through the gateway, side by side, and what they took."""

import itertools
import json
import re

import pytest
from playwright.sync_api import expect

from tests.e2e.test_gateway_console import BEARER, keep, look
from tests.e2e.test_shell import LATIN_WORDS, axe_violations
from tests.house import ADMIN, house

pytestmark = [pytest.mark.e2e, pytest.mark.engines]
MODES = list(itertools.product(["en", "ar"], ["light", "dark"]))
PAGE = "/default/playground"
BOUNDED = {"name": "محدود", "scopes": ["gateway"], "budget_usd_micros": 5_000_000, "requests_per_minute": 60}
TOOLS = json.dumps([{"type": "function", "function": {"name": "get_order", "parameters": {"type": "object"}}}])


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    email, password = ADMIN
    environment = {"BROKLE_ADMIN_EMAIL": email, "BROKLE_ADMIN_PASSWORD": password}
    with house(tmp_path_factory.mktemp("playground") / "data", **environment) as started:
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


def opened(home, browser, *models, **options):
    query = "&".join(f"model={model}" for model in models)
    page = look(home, browser, f"{PAGE}?{query}", **options)
    page.on("pageerror", lambda error: pytest.fail(f"the page's script failed: {error}"))
    return page


def say(page, text):
    page.locator("[data-message] textarea").last.fill(text)


def column(page, place):
    return page.locator("[data-column]").nth(place)


def test_two_models_answer_side_by_side_with_what_they_took(home, browser):
    page = opened(home, browser, "echo/fast", "echo/slow")
    page.get_by_label("System prompt").fill("Be brief.")
    say(page, "one two three")
    page.get_by_role("button", name="Run").click()

    for place, model in enumerate(("echo/fast", "echo/slow")):
        answer = column(page, place)
        expect(answer.locator("[data-said]")).to_have_text("one two three")
        expect(answer.locator("footer")).to_contain_text("Done")
        expect(answer.locator("[data-figure=by]")).to_have_text(model)
        expect(answer.locator("[data-figure=cost]")).to_have_text("$0.00")
        expect(answer.locator("[data-figure=output]")).to_have_text(re.compile(r"^[1-9]\d*$"))
        for figure in ("first", "total"):
            expect(answer.locator(f"[data-figure={figure}]")).to_have_text(re.compile(r"^[\d.]+ m?s$"))
    assert "bk_pass_" not in page.content()
    page.close()


def test_the_calls_are_in_the_log_as_the_persons(home, browser):
    page = opened(home, browser, "echo/fast")
    say(page, "for the log")
    page.get_by_role("button", name="Run").click()
    details = column(page, 0).get_by_role("link", name="Details")
    expect(details).to_be_visible()
    path = details.get_attribute("href")

    home.wait_for(lambda: page.goto(home.url + path).status == 200)
    expect(page.locator("main")).to_contain_text(ADMIN[0])
    expect(page.locator("main")).to_contain_text("echo/fast")
    page.close()


def test_an_answer_under_way_is_stopped(home, browser):
    page = opened(home, browser, "echo/latency=50,rate=5")
    say(page, "one two three four five six seven eight nine ten")
    page.get_by_role("button", name="Run").click()
    expect(column(page, 0).locator("[data-said]")).to_contain_text("two")
    page.get_by_role("button", name="Stop").click()

    expect(column(page, 0).locator("footer")).to_contain_text("Stopped")
    expect(page.get_by_role("button", name="Run")).to_be_visible()
    assert "ten" not in column(page, 0).locator("[data-said]").inner_text()
    page.close()


def test_what_goes_wrong_stands_in_its_own_column(home, browser):
    page = opened(home, browser, "echo/error-429", "echo/fast", "nobody/knows-it", "echo/break=2")
    say(page, "one two three four five")
    page.get_by_role("button", name="Run").click()

    expect(column(page, 0).get_by_role("alert")).to_contain_text("No answer")
    expect(column(page, 1).locator("[data-said]")).to_have_text("one two three four five")
    expect(column(page, 2).get_by_role("alert")).to_contain_text("nobody/knows-it")
    expect(column(page, 2).locator("footer")).to_contain_text("model_not_found")
    expect(column(page, 3).locator("footer")).to_contain_text("Failed")
    page.close()


def test_parameters_tools_and_a_form_of_answer_are_sent_as_written(home, browser):
    page = opened(home, browser, "echo/tool")
    say(page, '{"id": 88123}')
    page.get_by_label("Temperature").fill("0.2")
    page.get_by_label("Seed").fill("7")
    page.get_by_label("Form of the answer").select_option("json_schema")
    page.get_by_label("Schema of the answer").fill('{"type": "object"}')
    page.get_by_text("Tools the model may call").first.click()
    page.locator("#tools").fill(TOOLS)
    with page.expect_request("**/v1/chat/completions") as sent:
        page.get_by_role("button", name="Run").click()

    body = sent.value.post_data_json
    assert (body["temperature"], body["seed"], body["tools"]) == (0.2, 7, json.loads(TOOLS))
    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": {"type": "object"}},
    }
    assert "top_p" not in body
    expect(column(page, 0).locator("[data-calls]")).to_have_text('get_order({"id": 88123})')
    page.close()


def test_tools_that_are_no_list_are_told_before_anything_is_sent(home, browser):
    page = opened(home, browser, "echo/fast")
    say(page, "hello")
    page.get_by_text("Tools the model may call").first.click()
    page.locator("#tools").fill("{not json")
    page.get_by_role("button", name="Run").click()

    assert page.locator("#tools").evaluate("field => field.validationMessage") == "Tools are a JSON list."
    expect(column(page, 0).locator("footer")).to_contain_text("Ready")
    page.close()


def test_models_come_and_go_and_the_address_names_them(home, browser):
    page = opened(home, browser, "echo/fast")
    for _ in range(3):
        page.get_by_role("button", name="Add a model").click()
    expect(page.locator("[data-column]")).to_have_count(4)
    expect(page.get_by_role("button", name="Add a model")).to_be_disabled()
    column(page, 3).get_by_role("combobox").fill("echo/slow")
    for _ in range(2):
        column(page, 1).get_by_role("button", name="Remove this model").click()
    assert page.url.endswith("model=echo%2Ffast&model=echo%2Fslow")
    say(page, "kept over a reload")
    page.reload()

    expect(page.locator("[data-message] textarea")).to_have_value("kept over a reload")
    expect(page.locator("[data-column]")).to_have_count(2)
    page.close()


def test_the_conversation_goes_on_from_an_answer_by_keyboard(home, browser):
    page = opened(home, browser, "echo/fast")
    say(page, "first")
    page.keyboard.press("Control+Enter")
    column(page, 0).get_by_role("button", name="Go on from here").click()
    expect(page.locator("[data-message]")).to_have_count(3)
    page.keyboard.type("second")
    with page.expect_request("**/v1/chat/completions") as sent:
        page.keyboard.press("Control+Enter")

    said = [(message["role"], message["content"]) for message in sent.value.post_data_json["messages"]]
    assert said == [("user", "first"), ("assistant", "first"), ("user", "second")]
    expect(column(page, 0).locator("[data-said]")).to_have_text("second")
    page.close()


def called(home, browser, language="en", theme="light", **options):
    """A model has asked for a tool, and its answer was gone on from."""
    page = opened(home, browser, "echo/tool", language=language, theme=theme, **options)
    say(page, '{"id": 88123}')
    page.locator("details.more summary").click()
    page.locator("#tools").fill(TOOLS)
    page.keyboard.press("Control+Enter")
    expect(column(page, 0).locator(".hint")).to_be_visible()
    return page


def test_what_a_tool_gives_back_is_typed_and_the_conversation_goes_on_by_keyboard(home, browser):
    page = called(home, browser)
    take = column(page, 0).get_by_role("button", name="Go on from here")
    take.focus()
    page.keyboard.press("Enter")
    result = page.get_by_role("group", name='Result of get_order({"id": 88123})')
    expect(result.get_by_role("textbox", name="What the tool gives back")).to_be_focused()
    page.keyboard.type("shipped yesterday")
    with page.expect_request("**/v1/chat/completions") as sent:
        page.keyboard.press("Control+Enter")

    call = {"id": "call_get_order", "type": "function", "function": {"name": "get_order", "arguments": '{"id": 88123}'}}
    assert sent.value.post_data_json["messages"] == [
        {"role": "user", "content": '{"id": 88123}'},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_get_order", "content": "shipped yesterday"},
    ]
    expect(column(page, 0).locator("[data-said]")).to_have_text("shipped yesterday")
    expect(column(page, 0).locator(".hint")).to_be_hidden()
    page.close()


def test_a_result_is_needed_kept_over_a_reload_and_goes_with_its_call(home, browser):
    page = called(home, browser)
    column(page, 0).get_by_role("button", name="Go on from here").click()
    page.keyboard.press("Control+Enter")
    expect(column(page, 0).locator("[data-calls] pre")).to_have_count(1)
    page.get_by_role("textbox", name="What the tool gives back").fill("on its way")
    page.reload()

    expect(page.get_by_role("textbox", name="What the tool gives back")).to_have_value("on its way")
    expect(page.locator("[data-message]").nth(1).locator("pre")).to_have_text('get_order({"id": 88123})')
    page.locator("[data-message]").nth(1).get_by_role("button", name="Remove this message").click()
    expect(page.locator("[data-message]")).to_have_count(1)
    expect(page.get_by_role("button", name="Remove this message")).to_be_disabled()
    page.close()


def test_the_same_call_is_copied_as_code(home, browser):
    page = opened(home, browser, "echo/slow")
    say(page, "it's me")
    page.get_by_role("button", name="Copy as code").click()
    dialog = page.get_by_role("dialog", name="Copy as code")

    expect(dialog.locator("pre").nth(0)).to_contain_text(f"curl {home.url}/v1/chat/completions")
    expect(dialog.locator("pre").nth(0)).to_contain_text("it'\\''s me")
    python = dialog.locator("pre code").nth(1).text_content()
    compile(python, "copied", "exec")
    assert 'model="echo/slow"' in python
    dialog.get_by_label("JavaScript").first.check()
    expect(dialog.locator("pre").nth(2)).to_contain_text('model: "echo/slow"')
    page.close()


def test_a_pass_taken_out_of_the_page_is_of_no_use(home, browser):
    page = opened(home, browser, "echo/fast")
    say(page, "hello")
    with page.expect_response(re.compile("/playground/pass")) as answered:
        page.get_by_role("button", name="Run").click()
    bearer = {"Authorization": f"Bearer {answered.value.json()['token']}", "Content-Type": "application/json"}
    body = json.dumps({"model": "echo/fast", "messages": [{"role": "user", "content": "hi"}]}).encode()

    assert home.request("POST", "/v1/chat/completions", body, bearer).status == 401
    assert home.request("GET", "/api/v1/routes", b"", bearer).status == 401
    page.close()


def pages(home, browser):
    """A budget that something of is spent, beside the playground."""
    page = look(home, browser, "/default/limits")
    if page.locator("tbody tr").count() == 0:
        page.goto(f"{home.url}/default/limits/new")
        page.get_by_label("Name").fill("monthly")
        page.get_by_label("Counted together").select_option("project")
        page.get_by_label("At most").fill("5")
        page.get_by_role("button", name="Set the limit").click()
        page.wait_for_url("**/default/limits?**")
    limit = page.locator("tbody tr a").first.get_attribute("href")
    page.close()
    return {
        "playground": f"{PAGE}?model=echo/fast&model=echo/slow",
        "limits": "/default/limits",
        "limit": limit,
        "limit-new": "/default/limits/new",
        "keys": "/default/settings/keys",
        "key": f"/default/settings/keys/{bounded(home)}",
    }


def bounded(home):
    """A key with a budget that somebody spends of."""
    known = home.get("/api/v1/keys", **BEARER).json()["data"]
    found = next((key["id"] for key in known if key["name"] == BOUNDED["name"]), None)
    return found or home.request("POST", "/api/v1/keys", json.dumps(BOUNDED).encode(), BEARER).json()["id"]


def asked(page):
    if "playground" in page.url:
        say(page, "متى يصل طلبي رقم 88123؟")
        page.locator("[data-run]").click()
        expect(page.locator('[data-column][data-state="done"]')).to_have_count(2)
    return page


@pytest.mark.parametrize(("language", "theme"), MODES)
def test_axe_finds_nothing_and_arabic_is_arabic(home, browser, language, theme):
    found = {}
    for name, path in pages(home, browser).items():
        page = asked(look(home, browser, path, language, theme))
        found[name] = axe_violations(page)
        if language == "ar":
            found[name] += page.evaluate(LATIN_WORDS)
        keep(page, f"{name}-{language}-{theme}")
        page.close()

    assert found == {name: [] for name in found}


@pytest.mark.parametrize(("language", "theme"), MODES)
def test_a_tool_result_in_both_languages_and_themes(home, browser, language, theme):
    page = called(home, browser, language, theme)
    column(page, 0).locator("[data-take]").click()
    page.locator("[data-result] textarea").fill("شُحن أمس" if language == "ar" else "shipped yesterday")
    found = axe_violations(page) + (page.evaluate(LATIN_WORDS) if language == "ar" else [])
    keep(page, f"tool-result-{language}-{theme}")
    page.close()

    assert found == []


@pytest.mark.parametrize("language", ["en", "ar"])
def test_a_tool_result_at_360_pixels(home, browser, language):
    page = called(home, browser, language, width=360)
    column(page, 0).locator("[data-take]").click()
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    keep(page, f"tool-result-{language}-narrow")
    page.close()


@pytest.mark.parametrize("language", ["en", "ar"])
def test_nothing_scrolls_sideways_at_360_pixels(home, browser, language):
    widths = {}
    for name, path in pages(home, browser).items():
        page = asked(look(home, browser, path, language, width=360))
        widths[name] = page.evaluate("document.documentElement.scrollWidth")
        keep(page, f"{name}-{language}-narrow")
        page.close()

    assert widths == dict.fromkeys(widths, 360)
