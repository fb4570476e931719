"""Organizations in real Chromium: from the sign-up to the first request seen live, and two people who meet."""

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.listening import listening
from tests.e2e.test_accounts import MODES, PASSWORD, arrive, flaws, judge, link_in, sign_in, submit, visit
from tests.fakes.relay import relay
from tests.house import ADMIN, house

pytestmark = [pytest.mark.e2e, pytest.mark.engines]

SETTINGS = "/default/settings"
PAGES = [
    "/onboarding/organization",
    SETTINGS,
    f"{SETTINGS}/members",
    f"{SETTINGS}/projects",
    f"{SETTINGS}/keys",
    f"{SETTINGS}/audit",
    "/settings/tokens",
    "/auth/device",
    "/invitations/unknown",
]


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
    }
    with house(tmp_path_factory.mktemp("organizations") / "data", **settings) as started:
        yield started


def follow_mail(page, url, home, mailbox, email, number=0):
    home.wait_for(lambda: len(mailbox.to(email)) > number)
    page.goto(url + link_in(mailbox.to(email)[number]))


@pytest.mark.parametrize("language", ["en", "ar"])
def test_from_the_sign_up_to_the_first_request_seen_live(home, mailbox, console, language):
    email = f"new-{language}@qalam.example"
    page, url = visit(console, home, language)
    problems = judge(page, url, "/signup", language, "light")
    page.locator("#id_name").fill("Basim Nasser")
    page.locator("#id_email").fill(email)
    page.locator("#id_password1").fill(PASSWORD)
    submit(page)
    arrive(page, "/auth/verify")
    problems += flaws(page, "/auth/verify", language)
    follow_mail(page, url, home, mailbox, email)
    problems += flaws(page, "the mail's link", language)
    page.locator("main form button[type=submit]").click()
    arrive(page, "/onboarding/organization")
    problems += flaws(page, "/onboarding/organization", language)
    page.locator("#id_organization").fill(f"Qalam {language}")
    with listening(page, home, "requests:"):
        submit(page)
        arrive(page, "/onboarding/key")
    problems += flaws(page, "/onboarding/key", language)
    key = re.search(r"bk_live_\w+", page.content()).group()
    home.wait_for(lambda: home.chat("hello", key=key).status == 200)

    seen = {"en": "We saw it", "ar": "وصل"}[language]
    expect(page.locator("#first-request .status.ok")).to_contain_text(seen)
    problems += flaws(page, "the first request", language)
    assert problems == []
    page.goto(f"{url}/dashboard")
    arrive(page, f"/qalam-{language}/")
    page.context.close()


def test_an_invitation_brings_a_new_person_in(home, mailbox, console):
    owner, url = visit(console, home)
    sign_in(owner, url, after=f"{SETTINGS}/members")
    arrive(owner, f"{SETTINGS}/members")
    owner.locator("#id_email").fill("mei@tan.example")
    owner.locator("#id_role").select_option("viewer")
    submit(owner)
    expect(owner.get_by_text("A mail is on its way")).to_be_visible()

    guest, _ = visit(console, home)
    follow_mail(guest, url, home, mailbox, "mei@tan.example")
    guest.get_by_role("link", name="Create your account").click()
    guest.locator("#id_name").fill("Mei Tan")
    guest.locator("#id_email").fill("mei@tan.example")
    guest.locator("#id_password1").fill(PASSWORD)
    submit(guest)
    guest.wait_for_url("**/invitations/*")
    guest.get_by_role("button", name="Join").click()
    arrive(guest, "/default/")
    guest.goto(f"{url}{SETTINGS}/members")
    expect(guest.locator("main").get_by_text("Mei Tan")).to_be_visible()
    expect(guest.get_by_role("button", name="Invite")).to_have_count(0)

    follow_mail(guest, url, home, mailbox, "mei@tan.example")
    expect(guest.get_by_role("heading", name="This invitation was used already")).to_be_visible()
    owner.reload()
    owner.get_by_role("button", name="Remove mei@tan.example").click()
    dialog = owner.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Remove")).to_be_disabled()
    dialog.get_by_label("Type mei@tan.example to confirm").fill("mei@tan.example")
    dialog.get_by_role("button", name="Remove").click()
    expect(owner.get_by_text("The member is removed.")).to_be_visible()
    expect(owner.get_by_role("button", name="Remove mei@tan.example")).to_have_count(0)
    assert guest.goto(f"{url}{SETTINGS}/members").status == 404
    for page in (owner, guest):
        page.context.close()


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize(("language", "theme"), MODES)
def test_every_page_passes_axe_fits_and_speaks_one_language(home, console, language, theme, width):
    page, url = visit(console, home, language, theme, width)
    sign_in(page, url)
    arrive(page, "/settings")
    problems = [line for path in PAGES for line in judge(page, url, path, language, theme)]

    assert problems == []
    page.context.close()
