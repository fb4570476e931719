import gzip
import itertools
import re

import pytest
from playwright.sync_api import expect

import brokle

pytestmark = pytest.mark.e2e

PAGES = [
    "welcome",
    "welcome-errors",
    "login",
    "key",
    "key-seen",
    "overview",
    "overview-empty",
    "overview-away",
    "shell",
    "400",
    "403",
    "404",
    "429",
    "500",
]
MODES = list(itertools.product(["en", "ar"], ["light", "dark"]))
BUDGET_BYTES = 60_000

# Words outside what is marked as code, a name or another language, in text and in what assistive technology reads.
LATIN_WORDS = r"""() => {
  const apart = "bdi, [translate=no], code, pre, kbd, script, style, template, svg, time[datetime] > *";
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (!node.parentElement.closest(apart) && /[A-Za-z]{2,}/.test(node.data)) found.push(node.data.trim());
  }
  for (const element of document.querySelectorAll("[aria-label], [placeholder], [alt], [data-tip]")) {
    if (element.closest(apart) || element.closest(".snippets")) continue;
    for (const name of ["aria-label", "placeholder", "alt", "data-tip"]) {
      const text = element.getAttribute(name) ?? "";
      if (/[A-Za-z]{2,}/.test(text)) found.push(`${name}: ${text}`);
    }
  }
  if (/[A-Za-z]{2,}/.test(document.title)) found.push(`title: ${document.title}`);
  return found;
}"""


def path_of(name):
    return "/dev/gallery" if name == "gallery" else f"/dev/gallery/pages/{name}"


def axe_violations(page):
    page.evaluate((brokle.HOUSE / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8"))
    result = page.evaluate("async () => (await axe.run(document)).violations")
    return [f"{v['id']}: {node['html'][:160]} {node['failureSummary'][:300]}" for v in result for node in v["nodes"]]


@pytest.mark.parametrize(("language", "theme"), MODES)
@pytest.mark.parametrize("name", ["gallery", *PAGES])
def test_axe_finds_nothing(console, name, language, theme):
    page = console.page(path_of(name), language=language, theme=theme)

    assert axe_violations(page) == []
    page.context.close()


@pytest.mark.parametrize("language", ["en", "ar"])
@pytest.mark.parametrize("name", ["gallery", *PAGES])
def test_nothing_scrolls_sideways_at_360_pixels(console, name, language):
    page = console.page(path_of(name), language=language, width=360, height=740)

    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.context.close()


@pytest.mark.parametrize("name", ["gallery", *PAGES])
def test_an_arabic_page_holds_no_latin_word(console, name):
    page = console.page(path_of(name), language="ar")

    assert page.get_attribute("html", "dir") == "rtl"
    assert page.evaluate(LATIN_WORDS) == []
    page.context.close()


@pytest.mark.parametrize("language", ["en", "ar"])
def test_the_shell_weighs_at_most_sixty_kilobytes(console, language):
    weights = weigh(console, "/dev/gallery/pages/shell", language)

    assert sum(weights.values()) <= BUDGET_BYTES, weights


@pytest.mark.parametrize(("language", "budget"), [("en", BUDGET_BYTES), ("ar", 70_000)])
def test_a_full_page_with_live_rows_stays_light(console, language, budget):
    weights = weigh(console, "/dev/gallery/pages/overview", language)

    assert sum(weights.values()) <= budget, weights


def weigh(console, path, language):
    """Bytes of one first visit, gzipped as any server would; fonts are compressed already."""
    context = console.browser.new_context()
    context.add_cookies([{"name": "brokle_language", "value": language, "url": console.url}])
    page = context.new_page()
    responses = []
    page.on("response", lambda response: responses.append(response))  # noqa: PLW0108 - a bound builtin is refused
    page.goto(console.url + path, wait_until="networkidle")
    weights = {}
    for response in responses:
        body = response.body()
        weights[response.url.rsplit("/", 1)[1]] = (
            len(body) if response.url.endswith(".woff2") else len(gzip.compress(body, 9))
        )
    context.close()
    return weights


def test_the_content_security_policy_blocks_nothing_of_ours(console):
    page = console.page("/dev/gallery")
    complaints = []
    page.on(
        "console",
        lambda message: complaints.append(message.text) if "Content Security Policy" in message.text else None,
    )
    page.reload(wait_until="networkidle")

    assert complaints == []
    page.context.close()


def test_the_theme_changes_at_once_and_lasts(console):
    page = console.page("/dev/gallery/pages/login", theme="light")
    light = page.evaluate("getComputedStyle(document.body.parentElement).backgroundColor")
    with page.expect_response("**/preferences/theme"):
        page.click("button[name=theme][value=dark]")

    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    assert page.get_attribute("html", "data-theme") == "dark"
    assert page.evaluate("getComputedStyle(document.body.parentElement).backgroundColor") != light
    page.context.close()


def test_the_system_theme_follows_the_browser(console):
    page = console.page("/dev/gallery/pages/login", theme="dark")
    dark = page.evaluate("getComputedStyle(document.body.parentElement).backgroundColor")
    page.click("button[name=theme][value=system]")
    page.emulate_media(color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body.parentElement).backgroundColor") == dark

    page.emulate_media(color_scheme="light")
    assert page.evaluate("getComputedStyle(document.body.parentElement).backgroundColor") != dark
    page.context.close()


def test_the_language_switch_turns_the_page_around_and_comes_back(console):
    page = console.page("/dev/gallery/pages/welcome")
    page.click("text=العربية")

    expect(page.locator("html")).to_have_attribute("lang", "ar")
    expect(page.locator("button.primary")).to_have_text("إنشاء حساب المالك")
    assert page.url.endswith("/dev/gallery/pages/welcome")
    page.context.close()


def test_pages_read_and_switch_without_javascript(console):
    context = console.browser.new_context(java_script_enabled=False, viewport={"width": 360, "height": 740})
    page = context.new_page()
    page.goto(console.url + "/dev/gallery/pages/shell")
    page.click("button[popovertarget=sidebar]")
    page.locator("aside button[name=theme][value=dark]").click()

    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.locator("[data-palette]").is_hidden()
    context.close()


def test_a_narrow_screen_opens_the_navigation_and_escape_closes_it(console):
    page = console.page("/dev/gallery/pages/shell", width=360, height=740)
    assert page.locator("#sidebar").is_hidden()

    page.click("button[popovertarget=sidebar]")
    assert page.locator("#sidebar nav a[aria-current=page]").inner_text() == "Routes"

    page.keyboard.press("Escape")
    expect(page.locator("#sidebar")).to_be_hidden()
    page.context.close()


def test_the_palette_finds_by_keyboard_and_ignores_accents(console):
    page = console.page("/dev/gallery/pages/shell")
    commands = [
        {"title": "Réglages", "section": "", "href": "/nowhere", "icon": ""},
        {"title": "Routes", "section": "Route", "href": "#found", "icon": ""},
    ]
    page.route("**/palette.json", lambda route: route.fulfill(json={"commands": commands}))
    page.keyboard.press("Control+k")
    page.get_by_role("combobox").fill("reg")
    expect(page.locator("#palette [role=option]")).to_have_text(["Réglages"])

    page.get_by_role("combobox").fill("rou")
    expect(page.locator("#palette [role=option]")).to_have_text(["RoutesRoute"])
    page.keyboard.press("Enter")
    page.wait_for_url("**#found")
    page.context.close()


def test_escape_closes_the_palette_at_once(console):
    page = console.page("/dev/gallery/pages/shell")
    page.click("[data-palette]")
    page.get_by_role("combobox").fill("zzz")
    expect(page.locator("#palette .none")).to_be_visible()
    page.keyboard.press("Escape")

    expect(page.locator("#palette")).to_be_hidden()
    page.context.close()


def test_copying_puts_the_value_on_the_clipboard_and_says_so(console):
    page = console.page("/dev/gallery/pages/key")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    button = page.locator(".secret [data-copy]")
    label = button.get_attribute("aria-label")
    page.clock.install()  # the word is shown for a moment only
    button.click()
    page.wait_for_selector(".secret [data-copied]")

    assert page.evaluate("navigator.clipboard.readText()") == page.inner_text(".secret code")
    assert button.get_attribute("aria-label") == "Copied"
    page.clock.run_for(1600)
    expect(button).to_have_attribute("aria-label", label)
    expect(page.locator(".secret [data-copied]")).to_have_count(0)
    page.context.close()


def test_a_destructive_form_waits_for_the_name(console):
    page = console.page("/dev/gallery")
    page.click("button[commandfor=sample-confirm]")
    submit = page.locator("#sample-confirm [type=submit]")
    expect(submit).to_be_disabled()

    page.fill("#sample-confirm-name", "support-chat")
    expect(submit).to_be_enabled()
    page.context.close()


def test_j_and_k_walk_the_rows(console):
    page = console.page("/dev/gallery/pages/overview")
    for key in ("j", "j", "k"):
        page.keyboard.press(key)

    expect(page.locator("#req_00")).to_be_focused()
    page.context.close()


def test_the_snippet_tabs_show_one_language_each(console):
    page = console.page("/dev/gallery/pages/key")
    assert [code.is_visible() for code in page.locator(".snippets .code").all()] == [True, False, False]

    page.get_by_role("radio", name="Python").check()
    expect(page.locator(".snippets .code").nth(1)).to_be_visible()
    assert [code.is_visible() for code in page.locator(".snippets .code").all()] == [False, True, False]
    page.context.close()


def test_a_live_panel_subscribes_and_loads_itself_again_on_a_frame(console):
    context = console.browser.new_context()
    page = context.new_page()
    frames = []

    def socket(ws):
        def receive(text):
            frames.append(text)
            ws.send('{"type": "trace.created", "room": "requests", "data": {}, "id": "1"}')

        ws.on_message(receive)

    page.route_web_socket(re.compile("/ws$"), socket)
    with page.expect_response(lambda response: response.request.headers.get("hx-request") == "true") as again:
        page.goto(console.url + "/dev/gallery/pages/key")

    assert frames == ['{"type":"subscribe","room":"requests"}']
    assert again.value.status == 200
    assert again.value.request.headers["x-csrftoken"]
    context.close()


@pytest.mark.parametrize(
    ("status", "text"),
    [(429, "Too many requests. Wait a moment and try again."), (500, "Something went wrong on our side. Try again.")],
)
def test_a_failed_second_request_leaves_the_page_and_gives_a_toast(console, status, text):
    page = console.page("/dev/gallery/pages/overview")
    page.wait_for_selector("#requests[data-htmx-powered]")
    rows = page.locator("#requests tbody tr").count()
    page.route("**/pages/overview", lambda route: route.fulfill(status=status, body="<p>no</p>"))
    page.dispatch_event("#requests", "live")
    page.wait_for_selector(".toast.bad")

    assert page.inner_text(".toast.bad [data-text]") == text
    assert page.locator("#requests tbody tr").count() == rows == 8
    page.context.close()
