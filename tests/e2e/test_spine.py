"""From a bare start to the first request on a page: an official SDK sends it, Chromium sees it."""

import re

import psycopg
import pytest
from openai import AuthenticationError, BadRequestError, NotFoundError, OpenAI, RateLimitError
from playwright.sync_api import expect

from brokle.engines.clickhouse_url import connect
from tests.house import ADMIN, BOOTSTRAP_KEY, house

pytestmark = [pytest.mark.e2e, pytest.mark.engines]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    owner = {"BROKLE_ADMIN_EMAIL": ADMIN[0], "BROKLE_ADMIN_PASSWORD": ADMIN[1]}
    with house(tmp_path_factory.mktemp("spine") / "data", **owner) as started:
        yield started


@pytest.fixture
def client(home):
    return OpenAI(base_url=f"{home.url}/v1", api_key=BOOTSTRAP_KEY, max_retries=0)


def ask(client, text="Hello", model="echo/fast", **more):
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}], **more)


def test_the_official_sdk_gets_its_answer(client):
    raw = client.chat.completions.with_raw_response.create(
        model="echo/fast", messages=[{"role": "user", "content": "مرحبا"}]
    )
    reply = raw.parse()

    assert reply.choices[0].message.content == "مرحبا"
    assert (reply.choices[0].finish_reason, reply.usage.total_tokens) == ("stop", 6)
    assert reply.model_extra["brokle"]["provider"] == "echo"
    assert raw.headers["x-request-id"].startswith("req_")
    assert raw.headers["x-brokle-provider"] == "echo"


def test_the_official_sdk_reads_the_stream(client):
    chunks = list(ask(client, "one two three", stream=True, stream_options={"include_usage": True}))

    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "one two three"
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].usage.completion_tokens == 4
    assert chunks[-2].model_extra["brokle"]["cost_usd"] == 0.0


def test_models_are_listed(client):
    assert "echo/fast" in [model.id for model in client.models.list()]
    assert client.models.retrieve("echo/fast").owned_by == "echo"


def test_errors_are_the_sdks_own_classes(home, client):
    with pytest.raises(NotFoundError, match="does not exist"):
        ask(client, model="no/such-model")
    with pytest.raises(BadRequestError, match="at least one message"):
        client.chat.completions.create(model="echo/fast", messages=[])
    with pytest.raises(RateLimitError):
        ask(client, model="echo/error-429")
    with pytest.raises(AuthenticationError):
        ask(OpenAI(base_url=f"{home.url}/v1", api_key="bk_test_wrong_0123456789abcdef", max_retries=0))


def test_a_request_becomes_one_row_and_one_usage_record(home, client):
    request_id = client.chat.completions.with_raw_response.create(
        model="echo/fast", messages=[{"role": "user", "content": "count me"}], user="u_1"
    ).headers["x-request-id"]
    urls = home.run_file()["urls"]
    analytics = connect(urls["CLICKHOUSE_URL"])
    columns = "model, provider, status, input_tokens, output_tokens, user_id"
    sql = f"SELECT {columns} FROM request_logs WHERE request_id = {{id:String}}"  # noqa: S608 - constant columns

    def rows():
        return analytics.query(sql, parameters={"id": request_id}).result_rows

    home.wait_for(lambda: len(rows()) == 1)

    def usage():
        with psycopg.connect(urls["DATABASE_URL"]) as connection:
            found = "SELECT meter, quantity, subject FROM usage_record WHERE id = %s"
            return connection.execute(found, [request_id]).fetchall()

    home.wait_for(lambda: len(usage()) == 1)
    assert rows() == [("fast", "echo", 200, 2, 2, "u_1")]
    assert usage() == [("gateway.requests", 1, "fast")]


@pytest.fixture(scope="module")
def empty_home(tmp_path_factory):
    """As a newcomer meets it: nobody has been here, and no key was given."""
    with house(tmp_path_factory.mktemp("newcomer") / "data", BROKLE_BOOTSTRAP_KEY="") as started:
        yield started


def test_a_newcomer_sees_the_first_request_arrive(empty_home, console):
    page = console.browser.new_page()
    page.goto(empty_home.url)
    expect(page).to_have_url(re.compile("/onboarding$"))
    page.get_by_label("Your name").fill("Amal Haddad")
    page.get_by_label("E-mail").fill("Amal@Noor.example")
    page.get_by_label("Password").fill("a-long-enough-password")
    page.get_by_label("Organization").fill("Noor Health")
    page.get_by_role("button", name="Create the owner account").click()
    expect(page.get_by_text("Waiting for your first request…")).to_be_visible()
    key = re.search(r"bk_live_\w+", page.content()).group()

    sent = empty_home.chat("hello from the terminal", key=key)

    assert sent.status == 200
    expect(page.get_by_text("We saw it")).to_be_visible()
    page.get_by_role("link", name="Go to the overview", exact=True).click()
    expect(page).to_have_url(re.compile("/noor-health/$"))
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr")).to_contain_text("echo/fast")
    expect(page.locator("tbody tr")).to_contain_text("first key")
    page.close()


def test_where_an_owner_is_the_next_visitor_signs_in(home, console):
    page = console.browser.new_page()
    page.goto(f"{home.url}/onboarding")
    expect(page).to_have_url(re.compile("/auth/login"))
    page.get_by_label("E-mail").fill(ADMIN[0].upper())
    page.get_by_label("Password").fill("not-the-password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("do not belong together")).to_be_visible()
    page.get_by_label("Password").fill(ADMIN[1])
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile("/default/$"))
    page.close()


@pytest.fixture
def visit(home, console):
    """The owner's own browser, signed in."""
    context = console.browser.new_context()
    page = context.new_page()
    page.goto(f"{home.url}/auth/login")
    page.get_by_label("E-mail").fill(ADMIN[0])
    page.get_by_label("Password").fill(ADMIN[1])
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile("/default/$"))
    expect(page.locator("[data-live-word=live]")).to_be_visible()
    yield page
    context.close()


def test_what_happened_before_the_page_could_hear_is_on_it_all_the_same(home, visit):
    held = []

    def hold(route):
        held.append(route)

    visit.route(re.compile(r"/live-\w+\.js"), hold)
    visit.goto(f"{home.url}/default/")
    visit.wait_for_function("performance.getEntriesByType('resource').length > 0")

    assert home.chat("sent while the page was deaf", model="echo/slow").status == 200
    with connect(home.run_file()["urls"]["CLICKHOUSE_URL"]) as database:
        home.wait_for(lambda: database.query("SELECT count() FROM request_logs WHERE model = 'slow'").result_rows[0][0])
    assert visit.get_by_text("echo/slow").count() == 0
    for route in held:
        route.continue_()

    expect(visit.get_by_text("echo/slow").first).to_be_visible()


def test_a_script_that_did_not_arrive_is_fetched_again(home, visit):
    broken = []

    def break_once(route):
        broken.append(route.request.url)
        route.abort("connectionaborted") if len(broken) == 1 else route.continue_()

    script = re.compile(r"/requests-\w+\.js")
    visit.route(script, break_once)
    with visit.expect_response(script):
        visit.goto(f"{home.url}/default/")

    expect(visit.locator("[data-live-word=live]")).to_be_visible()
    assert len(broken) == 2


def test_a_stranger_is_sent_to_the_sign_in_and_learns_no_organizations(home):
    assert home.get("/default/").status == 302
    assert home.get("/no-such-organization/").status == 302
