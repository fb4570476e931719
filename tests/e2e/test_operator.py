"""The operator's room in real Chromium: suspend and open again, enter for support, lock somebody out."""

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.test_accounts import MODES, PASSWORD, arrive, judge, sign_in, visit
from tests.house import house

pytestmark = [pytest.mark.e2e, pytest.mark.engines]

# Somebody who is in no demo organization.
ROOT = ("root@brokle.example", "a-long-enough-password")
PEOPLE, ORGANIZATIONS = "/admin/people", "/admin/organizations"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    settings = {"BROKLE_ADMIN_EMAIL": ROOT[0], "BROKLE_ADMIN_PASSWORD": ROOT[1]}
    with house(tmp_path_factory.mktemp("operator") / "data", **settings) as started:
        seeded = started.run("seed", "demo")
        assert seeded.returncode == 0, seeded.stderr
        yield started


@pytest.fixture
def operator(home, console):
    page, url = visit(console, home)
    sign_in(page, url, *ROOT, after=ORGANIZATIONS)
    arrive(page, ORGANIZATIONS)
    yield page, url
    page.context.close()


def open_line(page, url, where, text, name):
    page.goto(f"{url}{where}?q={text}")
    page.locator("tbody").get_by_role("link", name=name).click()


def test_an_organization_is_suspended_with_its_address_typed_and_opened_again(home, operator):
    page, url = operator
    open_line(page, url, ORGANIZATIONS, ROOT[0], "default")
    page.get_by_role("button", name="Suspend").first.click()
    dialog = page.locator("dialog#suspend")
    dialog.get_by_label("Reason").fill("The bill is unpaid")
    dialog.get_by_label("Type default to confirm").fill("default")
    dialog.get_by_role("button", name="Suspend").click()
    expect(page.locator(".callout.bad")).to_contain_text("The bill is unpaid")
    assert judge(page, url, "/default/", "en", "light") == []
    expect(page.get_by_role("heading", name="This organization is suspended")).to_be_visible()
    expect(page.locator("main")).to_contain_text("The bill is unpaid")
    open_line(page, url, ORGANIZATIONS, ROOT[0], "default")
    page.get_by_role("button", name="Open it again").click()

    expect(page.locator("main .status.ok").first).to_contain_text("In service")


def test_support_access_shows_above_every_page_until_it_is_ended(home, operator):
    page, url = operator
    open_line(page, url, ORGANIZATIONS, "noor-health", "Noor Health")
    page.locator("#id_reason").fill("Ticket 4711")
    page.get_by_role("button", name="Begin support access").click()
    arrive(page, "/noor-health/")
    for path in ("/noor-health/settings/members", "/settings", "/debug/"):
        page.goto(url + path)
        expect(page.locator(".banner")).to_contain_text("You look into Noor Health with support access until")
    page.locator(".banner").get_by_role("button", name="End it").click()
    page.wait_for_url(re.compile(f"{ORGANIZATIONS}/org_"))

    expect(page.locator(".banner")).to_have_count(0)
    expect(page.locator("main .lines").get_by_text("Ticket 4711")).to_be_visible()
    assert page.goto(f"{url}/noor-health/").status == 404


def test_a_locked_person_is_out_and_comes_back(home, console, operator):
    page, url = operator
    guest, _ = visit(console, home)
    guest.goto(f"{url}/auth/signup?next=/settings")
    guest.locator("#id_name").fill("Basim Nasser")
    guest.locator("#id_email").fill("basim@qalam.example")
    guest.locator("#id_password1").fill(PASSWORD)
    guest.locator("form.form button[type=submit]").click()
    arrive(guest, "/settings")
    open_line(page, url, PEOPLE, "qalam", "Basim Nasser")
    page.get_by_role("button", name="Lock", exact=True).click()
    page.locator("dialog#lock").get_by_label("Reason").fill("A stolen laptop")
    page.locator("dialog#lock").get_by_role("button", name="Lock").click()
    expect(page.locator(".callout.bad")).to_contain_text("A stolen laptop")
    guest.goto(f"{url}/settings")
    arrive(guest, "/auth/login")
    page.get_by_role("button", name="Unlock").click()

    expect(page.locator(".callout.bad")).to_have_count(0)
    guest.context.close()


def details(page, url):
    """The addresses of an organization's page, of somebody else's and of one's own."""
    page.goto(f"{url}{ORGANIZATIONS}?q=noor-health")
    organization = page.locator("tbody a").first.get_attribute("href")
    page.goto(f"{url}{PEOPLE}?q=noor.example")
    return [organization, *(link.get_attribute("href") for link in page.locator("tbody a").all())]


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize(("language", "theme"), MODES)
def test_every_page_passes_axe_fits_and_speaks_one_language(home, console, language, theme, width):
    page, url = visit(console, home, language, theme, width)
    sign_in(page, url, *ROOT, after=ORGANIZATIONS)
    arrive(page, ORGANIZATIONS)
    paths = [ORGANIZATIONS, f"{ORGANIZATIONS}?q=nobody", *details(page, url), PEOPLE, "/admin/log"]
    problems = [line for path in paths for line in judge(page, url, path, language, theme)]

    assert problems == []
    page.context.close()
