"""Accounts in real Chromium, against the whole product with a mail relay: what a person does, in both languages."""

import re
import struct
import time
from urllib.parse import urlsplit

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from playwright.sync_api import expect

from tests.e2e.test_shell import LATIN_WORDS, axe_violations
from tests.fakes.relay import relay, text_of
from tests.house import ADMIN, house

pytestmark = [pytest.mark.e2e, pytest.mark.engines]

PASSWORD = "a-long-enough-password"
MODES = [("en", "light"), ("en", "dark"), ("ar", "light"), ("ar", "dark")]


@pytest.fixture(scope="module")
def mailbox():
    with relay() as found:
        yield found


@pytest.fixture(scope="module")
def home(tmp_path_factory, mailbox):
    settings = {
        "BROKLE_ADMIN_EMAIL": ADMIN[0],
        "BROKLE_ADMIN_PASSWORD": ADMIN[1],
        "BROKLE_SMTP_URL": mailbox.url,
        "BROKLE_EMAIL_FROM": "Brokle <no-reply@noor.example>",
        "BROKLE_GITHUB_CLIENT_ID": "a-client",
        "BROKLE_GITHUB_CLIENT_SECRET": "a-secret",
    }
    with house(tmp_path_factory.mktemp("accounts") / "data", **settings) as started:
        yield started


def visit(console, home, language="en", theme="light", width=1280):
    """Passkeys need a name: `localhost`, not an address."""
    context = console.browser.new_context(viewport={"width": width, "height": 900})
    cookies = {"brokle_language": language, "brokle_theme": theme}
    url = f"http://localhost:{home.port}"
    context.add_cookies([{"name": name, "value": value, "url": url} for name, value in cookies.items()])
    page = context.new_page()
    page.set_default_timeout(60_000)
    return page, url


def arrive(page, path):
    """A pattern would take `/auth/login?next=/settings` for `/settings` already."""
    page.wait_for_url(lambda url: urlsplit(url).path == path)


def submit(page):
    page.locator("form.form:not([data-passkey]) button[type=submit]").click()


def sign_in(page, url, email=ADMIN[0], password=ADMIN[1], after="/settings"):
    page.goto(f"{url}/auth/login?next={after}")
    page.locator("#id_email").fill(email)
    page.locator("#id_password").fill(password)
    submit(page)
    page.wait_for_url(lambda found: urlsplit(found).path != "/auth/login")


def prove(page, password=ADMIN[1]):
    """The page that asks once more who it is."""
    page.locator("#id_password").fill(password)
    submit(page)


def link_in(mail):
    return re.search(r"https?://[^/\s]+(/\S+)", text_of(mail))[1]


def sign_up(page, url, home, mailbox, email):
    page.goto(f"{url}/auth/signup?next=/settings")
    page.locator("#id_name").fill("Basim Nasser")
    page.locator("#id_email").fill(email)
    page.locator("#id_password1").fill(PASSWORD)
    submit(page)
    arrive(page, "/auth/verify")
    home.wait_for(lambda: mailbox.to(email))
    mail = mailbox.to(email)[0]
    page.goto(url + link_in(mail))
    page.locator("main form button[type=submit]").click()
    arrive(page, "/settings")
    return mail


@pytest.mark.parametrize(("language", "subject"), [("en", "Confirm your e-mail address"), ("ar", "أكد عنوان بريدك")])
def test_from_the_sign_up_over_the_mail_to_ones_settings(home, mailbox, console, language, subject):
    page, url = visit(console, home, language)
    mail = sign_up(page, url, home, mailbox, f"basim-{language}@noor.example")

    assert (mail["subject"], mail["from"]) == (subject, "Brokle <no-reply@noor.example>")
    assert f'lang="{language}"' in text_of(mail, "html")
    assert page.get_attribute("html", "lang") == language
    expect(page.locator("#id_name")).to_have_value("Basim Nasser")
    page.context.close()


def test_a_mail_waits_for_a_relay_that_is_away(home, mailbox, console):
    mailbox.is_away = True
    page, url = visit(console, home)
    page.goto(f"{url}/auth/password/reset")
    page.locator("#id_email").fill(ADMIN[0])
    submit(page)
    arrive(page, "/auth/password/reset/sent")
    home.wait_for(lambda: mailbox.turned_away > 0)
    mailbox.is_away = False

    home.wait_for(lambda: any("Set a new password" in mail["subject"] for mail in mailbox.to(ADMIN[0])), 30)
    page.context.close()


def test_an_authenticator_app_is_set_up_and_asked(home, mailbox, console):
    page, url = visit(console, home)
    sign_up(page, url, home, mailbox, "codes@noor.example")
    page.goto(f"{url}/settings/security/codes")
    prove(page, PASSWORD)
    secret = page.locator(".code code").first.inner_text()
    expect(page.locator("img.qr")).to_be_visible()
    page.locator("#id_code").fill(code_for(secret))
    submit(page)
    arrive(page, "/settings/security/recovery-codes")
    codes = page.locator(".secret code").inner_text().split()
    assert len(codes) == 10
    page.context.clear_cookies(name="brokle_session")
    sign_in(page, url, "codes@noor.example", PASSWORD)
    arrive(page, "/auth/login/code")
    page.locator("#id_code").fill(code_for(secret, 1))
    submit(page)
    arrive(page, "/settings")
    page.context.clear_cookies(name="brokle_session")
    sign_in(page, url, "codes@noor.example", PASSWORD)
    page.locator("#id_code").fill(codes[0])
    submit(page)
    arrive(page, "/settings")

    home.wait_for(lambda: any(m["subject"] == "A sign-in method was added" for m in mailbox.to("codes@noor.example")))
    page.context.close()


def code_for(secret, offset=0):
    assert struct.calcsize(">Q") == 8
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + offset))


def virtual_authenticator(page):
    cdp = page.context.new_cdp_session(page)
    cdp.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    return cdp, cdp.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]


def test_a_passkey_is_added_and_signs_in_without_a_password(home, mailbox, console):
    page, url = visit(console, home)
    sign_up(page, url, home, mailbox, "keys@noor.example")
    cdp, authenticator = virtual_authenticator(page)
    page.goto(f"{url}/settings/security/passkeys/add")
    prove(page, PASSWORD)
    page.locator("#id_name").fill("Laptop")
    page.locator("form[data-passkey] button[type=submit]").click()
    arrive(page, "/settings/security/recovery-codes")
    kept = cdp.send("WebAuthn.getCredentials", {"authenticatorId": authenticator})["credentials"]
    assert [one["isResidentCredential"] for one in kept] == [True]
    page.goto(f"{url}/settings/security")
    expect(page.locator(".lines").first).to_contain_text("Laptop")
    page.context.clear_cookies(name="brokle_session")
    page.goto(f"{url}/auth/login?next=/settings/sessions")
    page.locator("form[data-passkey] button[type=submit]").click()
    arrive(page, "/settings/sessions")
    expect(page.locator(".lines li")).to_have_count(2)
    # As the second step after the password, and as the proof before a change.
    page.context.clear_cookies(name="brokle_session")
    sign_in(page, url, "keys@noor.example", PASSWORD)
    arrive(page, "/auth/login/code")
    page.locator("form[data-passkey] button[type=submit]").click()
    arrive(page, "/settings")
    page.goto(f"{url}/settings/security/recovery-codes/renew")
    page.get_by_role("link", name="With a passkey").click()
    page.locator("form[data-passkey] button[type=submit]").click()
    arrive(page, "/settings/security/recovery-codes/renew")
    page.context.close()


def test_a_passkey_that_the_browser_refuses_leaves_the_page_with_words(home, console):
    page, url = visit(console, home)
    cdp, authenticator = virtual_authenticator(page)
    cdp.send("WebAuthn.setUserVerified", {"authenticatorId": authenticator, "isUserVerified": False})
    page.goto(f"{url}/auth/login")
    page.locator("form[data-passkey] button[type=submit]").click()

    expect(page.locator(".toast.bad")).to_contain_text("The browser did not confirm it.")
    page.context.close()


def test_at_an_address_of_numbers_the_page_says_why_there_are_no_passkeys(home, console):
    page = console.browser.new_page()
    page.goto(f"http://127.0.0.1:{home.port}/auth/login")
    page.locator("form[data-passkey] button[type=submit]").click()

    expect(page.locator(".toast.bad")).to_contain_text("they need https and a name, not a number")
    page.close()


def test_a_session_ended_elsewhere_is_out_at_once(home, console):
    here, url = visit(console, home)
    there, _ = visit(console, home)
    sign_in(here, url)
    sign_in(there, url, after="/settings/sessions")
    arrive(there, "/settings/sessions")
    there.get_by_role("button", name="End all others").click()
    expect(there.get_by_text("Every other session has ended.")).to_be_visible()
    here.goto(f"{url}/settings")

    expect(here).to_have_url(re.compile("/auth/login"))
    here.context.close()
    there.context.close()


ENTRANCE = [
    "/auth/login",
    "/auth/signup",
    "/auth/verify",
    "/auth/verify/x:y:z",
    "/auth/password/reset",
    "/auth/password/reset/sent",
    "/auth/password/reset/done",
    "/auth/password/reset/usr_x-y",
    "/settings/email/confirm/x",
]
INSIDE = [
    "/settings",
    "/settings/email",
    "/settings/security",
    "/settings/security/password",
    "/settings/sessions",
    "/settings/delete",
    "/auth/logout",
]
PROVEN = ["/settings/security/codes", "/settings/security/passkeys/add", "/settings/security/recovery-codes/renew"]


def judge(page, url, path, language, theme):
    page.goto(url + path)
    return flaws(page, path, language, theme)


def flaws(page, path, language, theme="light"):
    """Of the page that is open."""
    page.evaluate("document.fonts.ready")
    problems = [f"{path} {language} {theme}: {line}" for line in axe_violations(page)]
    width = page.viewport_size["width"]
    if page.evaluate("document.documentElement.scrollWidth") > width:
        problems.append(f"{path} {language}: scrolls sideways at {width}")
    if language == "ar":
        problems += [f"{path}: {word}" for word in page.evaluate(LATIN_WORDS)]
    return problems


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize(("language", "theme"), MODES)
def test_every_page_passes_axe_fits_and_speaks_one_language(home, console, language, theme, width):
    page, url = visit(console, home, language, theme, width)
    problems = [line for path in ENTRANCE for line in judge(page, url, path, language, theme)]
    page.goto(f"{url}/auth/login")
    page.locator("#id_email").fill("amal")
    submit(page)
    expect(page.locator("#id_email[aria-invalid=true]")).to_be_visible()
    problems += [f"login with errors {language} {theme}: {line}" for line in axe_violations(page)]
    sign_in(page, url)
    arrive(page, "/settings")
    problems += [line for path in INSIDE for line in judge(page, url, path, language, theme)]
    page.goto(f"{url}{PROVEN[0]}")
    arrive(page, "/auth/reauthenticate")
    problems += [f"again {language} {theme}: {line}" for line in axe_violations(page)]
    prove(page)
    arrive(page, PROVEN[0])
    problems += [line for path in PROVEN for line in judge(page, url, path, language, theme)]

    assert problems == []
    page.context.close()
