"""A pass opens the gateway for its minute, beside the session it was written for, and nothing else does."""

import base64
import json

import pytest
from django.conf import settings

from brokle.edge import passes
from brokle.edge.dispatch import Dispatch, Endpoint
from brokle.edge.http import JSON
from brokle.edge.key_use import KeyUse
from brokle.edge.passes import LIFE_S, Passes, write_pass
from brokle.edge.principal import Keys
from brokle.edge.snapshot import Snapshot

KEY, FORMER = b"k" * 32, b"f" * 32
NOOR = {
    "user_id": "usr_amal",
    "organization_id": "org_noor",
    "project_id": "prj_1",
    "environment_id": "env_1",
    "session_key": "session-of-amal",
}
COOKIE = (b"cookie", b"brokle_language=ar; brokle_session=session-of-amal")


def asked(token, *headers, scope="gateway", keys=(KEY,)):
    """The status, and who was let in."""
    seen, sent = [], []

    async def handle(request):
        seen.append(request.principal)
        await request.reply(200, b"{}", JSON)

    async def receive():
        return {"type": "http.request", "body": b""}

    async def send(message):
        sent.append(message)

    dispatch = Dispatch(
        Keys(Snapshot(), [b"pepper"]), None, KeyUse(None), [Endpoint("/x", handle, scope)], passes=Passes(list(keys))
    )
    raw = [(b"authorization", b"Bearer " + token), *headers]
    http = {"type": "http", "method": "POST", "path": "/x", "headers": raw, "query_string": b""}
    return dispatch.serve(dispatch.find("/x"), http, receive, send), seen, sent


async def answer(token, *headers, **options):
    serving, seen, sent = asked(token, *headers, **options)
    await serving
    return sent[0]["status"], seen


def written(key=KEY, **more):
    return write_pass(key, **{**NOOR, **more}).encode()


async def test_the_person_is_let_in_where_the_pass_says():
    status, (person,) = await answer(written(), COOKIE)

    assert status == 200
    assert (person.key_id, person.organization_id, person.project_id, person.environment_id) == (
        "usr_amal",
        "org_noor",
        "prj_1",
        "env_1",
    )
    assert person.scopes == {"gateway"}


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"cookie", b"brokle_session=session-of-somebody-else")],
        [(b"cookie", b"other=session-of-amal")],
        [(b"x-cookie", b"brokle_session=session-of-amal")],
    ],
)
async def test_without_the_session_it_was_written_for_it_is_nothing(headers):
    assert await answer(written(), *headers) == (401, [])


async def test_cookies_in_several_headers_count():
    status, _ = await answer(written(), (b"cookie", b"a=b"), (b"cookie", b"brokle_session=session-of-amal"))

    assert status == 200


async def test_it_opens_the_gateway_alone():
    for scope in ("ingest", "decide", "invoke", "admin"):
        assert (await answer(written(), COOKIE, scope=scope))[0] == 403


async def test_after_its_minute_it_has_ended(monkeypatch):
    token = written()
    now = passes.time.time()
    monkeypatch.setattr("brokle.edge.principal.time.time", lambda: now + LIFE_S + 1)

    assert await answer(token, COOKIE) == (401, [])


async def test_what_is_altered_is_refused():
    said, _, signature = written().removeprefix(b"bk_pass_").partition(b".")
    raw = base64.urlsafe_b64decode(said + b"=" * (-len(said) % 4)).replace(b"org_noor", b"org_evil")
    forged = base64.urlsafe_b64encode(raw).rstrip(b"=")

    for token in (
        b"bk_pass_" + forged + b"." + signature,
        b"bk_pass_" + said + b".",
        b"bk_pass_" + said,
        b"bk_pass_.",
        b"bk_pass_!!!.???",
        b"bk_pass_" + said + b"." + signature[:-2],
        written(key=b"another" * 5),
    ):
        assert await answer(token, COOKIE) == (401, [])


async def test_one_of_the_former_secret_still_counts_while_it_is_rotated():
    assert (await answer(written(key=FORMER), COOKIE, keys=(KEY, FORMER)))[0] == 200


async def test_it_is_no_api_key_by_another_header():
    serving, seen, sent = asked(b"", (b"x-api-key", written()), COOKIE)
    await serving

    assert (sent[0]["status"], seen) == (401, [])
    assert json.loads(sent[1]["body"])["status"] == 401


def test_a_pass_is_short_enough_to_be_read():
    longest = dict.fromkeys(NOOR, "x" * 40)

    assert len(write_pass(KEY, **longest)) <= 512


def test_the_cookie_has_the_name_that_the_console_gives_it():
    assert settings.SESSION_COOKIE_NAME == passes.SESSION_COOKIE
