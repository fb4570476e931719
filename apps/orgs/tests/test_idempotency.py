import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection, connections
from django.test import Client
from django.urls import include, path

from apps.orgs.endpoints.keys import KeyEndpoints
from apps.orgs.models import ApiKey
from apps.orgs.testing import make_household, make_member
from brokle.ground.models import AuditEntry, IdempotencyKey
from brokle.kernel.clock import utc_now
from brokle.kernel.errors import Conflict, RateLimited
from brokle.web import idempotency
from brokle.web.idempotency import Answer, Call, InProgress, KeyReused, run_once

pytestmark = pytest.mark.engines
BODY = {"name": "ci", "scopes": ["gateway"]}


@pytest.fixture
def noor(db):
    return make_household("noor")


def create(household, key="k-1", body=BODY, client=None, **headers):
    return (client or Client()).post(
        "/api/v1/keys",
        json.dumps(body),
        content_type="application/json",
        headers={**household.bearer, "idempotency-key": key, **headers},
    )


def named(name):
    return ApiKey.objects.across_organizations().filter(name=name).count()


def test_the_first_answer_is_replayed_with_the_secret_it_showed(noor):
    first, second = create(noor), create(noor)

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["value"].startswith("bk_live_")
    assert second.content == first.content
    assert (second["idempotency-replayed"], second["location"]) == ("true", first["location"])
    assert "idempotency-replayed" not in first
    assert named("ci") == 1


def test_without_a_key_each_request_acts(noor):
    for _ in range(2):
        Client().post("/api/v1/keys", json.dumps(BODY), content_type="application/json", headers=noor.bearer)

    assert named("ci") == 2
    assert IdempotencyKey.objects.count() == 0


def test_the_same_key_with_another_body_is_refused(noor):
    create(noor)
    other = create(noor, body={**BODY, "name": "other"})

    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reuse")
    assert named("other") == 0


def test_the_same_key_on_another_address_is_refused(noor):
    create(noor)
    other = Client().post(
        f"/api/v1/keys?environment={noor.production.id}",
        json.dumps(BODY),
        content_type="application/json",
        headers={**noor.bearer, "idempotency-key": "k-1"},
    )

    assert (other.status_code, named("ci")) == (422, 1)


def test_two_organizations_may_use_the_same_key(noor):
    other = make_household("zahra")

    assert create(noor).json()["id"] != create(other).json()["id"]
    assert named("ci") == 2


def test_two_people_of_one_organization_do_not_share_keys(noor):
    second = make_member(noor, "admin")
    for person in (noor.owner, second):
        client = Client()
        client.force_login(person)
        answer = client.post(
            f"/api/v1/keys?environment={noor.production.id}",
            json.dumps(BODY),
            content_type="application/json",
            headers={"idempotency-key": "shared"},
        )
        assert (answer.status_code, "idempotency-replayed" in answer) == (201, False)

    assert named("ci") == 2


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "café"])
def test_a_key_that_is_empty_long_or_unprintable_is_refused(noor, key):
    answer = create(noor, key=key)

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    assert named("ci") == 0


def test_a_key_of_255_characters_is_taken(noor):
    assert create(noor, key="x" * 255).status_code == 201
    assert create(noor, key="x" * 255)["idempotency-replayed"] == "true"


def test_a_body_that_was_refused_may_be_mended_under_the_same_key(noor):
    assert create(noor, body={"name": "ci", "scopes": []}).status_code == 422

    assert create(noor).status_code == 201


def test_a_secret_in_a_stored_answer_is_not_readable_in_the_database(noor):
    value = create(noor).json()["value"]
    stored = IdempotencyKey.objects.get()

    assert value.encode() not in bytes(stored.body)
    assert value not in json.dumps([stored.headers, stored.method_path, stored.scope, stored.key])


def test_after_a_day_the_key_is_new_again(noor):
    call = Call.of(scope="org_1:key_1", key="k", method="POST", path="/x", body=b"{}")
    now = utc_now()
    answers = [
        run_once(call, lambda text=text: Answer(201, {}, text), clock=lambda at=at: at)
        for text, at in (
            (b"first", now),
            (b"second", now + timedelta(hours=23, minutes=59)),
            (b"third", now + timedelta(hours=24)),
        )
    ]

    assert [(a.body, a.is_replay) for a in answers] == [(b"first", False), (b"first", True), (b"third", False)]


class FullEndpoints(KeyEndpoints):
    """A room that finds out late, after its work was written, that it must refuse."""

    def create(self, request):
        super().create(request)
        raise Conflict("There are too many keys")


def test_a_refusal_by_the_domain_is_an_answer_and_undoes_its_half_done_work(noor, settings):
    settings.ROOT_URLCONF = (
        path("api/v1/keys", FullEndpoints.as_view({"post": "create"})),
        path("", include("brokle.urls")),
    )
    first = create(noor)
    second = create(noor)

    assert (first.status_code, second.status_code) == (409, 409)
    assert second.json() == first.json()
    assert second["idempotency-replayed"] == "true"
    assert (named("ci"), AuditEntry.objects.filter(action="key.created", after__name="ci").count()) == (0, 0)


class BusyEndpoints(KeyEndpoints):
    def create(self, request):
        raise RateLimited("Too many at once", retry_after_s=7)


def test_an_answer_that_is_not_kept_still_says_when_to_come_again(noor, settings):
    settings.ROOT_URLCONF = (path("api/v1/keys", BusyEndpoints.as_view({"post": "create"})),)
    answer = create(noor)

    assert (answer.status_code, answer["retry-after"]) == (429, "7")
    assert IdempotencyKey.objects.count() == 0


def test_a_first_answer_has_the_headers_of_one_without_a_key(noor):
    without = Client().post("/api/v1/keys", json.dumps(BODY), content_type="application/json", headers=noor.bearer)

    assert {name.lower() for name in create(noor).headers} == {name.lower() for name in without.headers}


def test_where_nothing_is_posted_a_key_changes_nothing(noor):
    key = create(noor)
    answer = Client().post(key["location"], b"{}", "application/json", headers={**noor.bearer, "idempotency-key": "k"})

    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


@contextmanager
def audit_refused_by_the_database():
    """The key is written by then; its audit entry is what fails."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_entry ADD CONSTRAINT refused CHECK (action <> 'key.created') NOT VALID")
    yield
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_entry DROP CONSTRAINT refused")


def test_a_crash_in_the_middle_leaves_nothing_and_a_retry_runs(noor):
    with audit_refused_by_the_database():
        assert create(noor, client=Client(raise_request_exception=False)).status_code == 500
    assert (named("ci"), IdempotencyKey.objects.count()) == (0, 0)

    assert create(noor).status_code == 201
    assert named("ci") == 1


def test_an_answer_that_a_retry_might_better_is_not_kept(noor):
    call = Call.of(scope="s", key="k", method="POST", path="/x", body=b"")

    assert run_once(call, lambda: Answer(503, {}, b"away")).status == 503
    assert run_once(call, lambda: Answer(201, {}, b"done")).body == b"done"


def test_another_body_never_reaches_the_work(noor):
    ran = []
    run_once(Call.of(scope="s", key="k", method="POST", path="/x", body=b"1"), lambda: Answer(201, {}, b""))
    with pytest.raises(KeyReused):
        run_once(
            Call.of(scope="s", key="k", method="POST", path="/x", body=b"2"),
            lambda: ran.append(1) or Answer(201, {}, b""),
        )

    assert ran == []


def _in_thread(work):
    try:
        return work()
    finally:
        connections.close_all()


@pytest.mark.django_db(transaction=True)
def test_fifty_at_once_have_one_effect():
    household = make_household("noor")
    barrier = threading.Barrier(50)

    def one(_):
        barrier.wait()
        return _in_thread(lambda: create(household))

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(one, range(50)))

    statuses = sorted({a.status_code for a in answers})
    assert statuses in ([201], [201, 409])
    assert {a.json()["id"] for a in answers if a.status_code == 201} == {
        ApiKey.objects.across_organizations().get(name="ci").id
    }
    assert all(a["retry-after"] == "1" for a in answers if a.status_code == 409)
    assert sum("idempotency-replayed" not in a for a in answers if a.status_code == 201) == 1


@pytest.mark.django_db(transaction=True)
def test_while_the_first_runs_the_second_is_told_to_wait():
    call = Call.of(scope="s", key="k", method="POST", path="/x", body=b"")
    entered, leave = threading.Event(), threading.Event()

    def slow():
        entered.set()
        leave.wait(60)
        return Answer(201, {}, b"done")

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(_in_thread, lambda: run_once(call, slow))
        assert entered.wait(60)
        with pytest.raises(InProgress) as refused:
            run_once(call, lambda: Answer(201, {}, b"twice"))
        leave.set()
        assert first.result(60).body == b"done"

    assert (refused.value.status, refused.value.retry_after_s) == (409, 1)
    assert run_once(call, lambda: Answer(201, {}, b"twice")).body == b"done"


@pytest.mark.django_db(transaction=True)
def test_a_process_that_dies_in_the_middle_frees_its_key():
    call = Call.of(scope="s", key="k", method="POST", path="/x", body=b"")

    def die():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            pid = cursor.fetchone()[0]
        import psycopg

        with psycopg.connect(
            **{
                k: v
                for k, v in connection.get_connection_params().items()
                if k in {"host", "user", "password", "dbname"}
            }
        ) as killer:
            killer.execute("SELECT pg_terminate_backend(%s)", [pid])
        IdempotencyKey.objects.count()
        raise AssertionError("unreachable")

    with pytest.raises(Exception, match=r"terminat|closed"):
        run_once(call, die)
    connection.close()

    assert run_once(call, lambda: Answer(201, {}, b"done")).body == b"done"


def test_the_former_secret_still_opens_what_it_sealed(noor, settings):
    call = Call.of(scope="s", key="k", method="POST", path="/x", body=b"")
    run_once(call, lambda: Answer(201, {}, b"done"))
    settings.ROOT_SECRETS = ["a-new-secret", *settings.ROOT_SECRETS]

    assert run_once(call, lambda: Answer(500, {}, b"")).body == b"done"


def test_an_answer_that_no_secret_opens_is_told_and_the_work_is_not_done_again(noor, settings):
    create(noor)
    settings.ROOT_SECRETS = ["a-new-secret"]
    answer = create(noor)

    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_answer_lost")
    assert named("ci") == 1


def test_the_secrets_are_those_of_the_settings():
    assert idempotency._sealer()._ciphers
    assert settings.ROOT_SECRETS[0]


def ask_for_reset(email, **headers):
    body = json.dumps({"email": email})
    return Client().post(
        "/api/v1/auth/password/reset",
        body,
        content_type="application/json",
        headers={"idempotency-key": "1", **headers},
    )


def test_visitors_neither_share_a_key_nor_take_it_from_each_other(noor):
    first, other, again = (
        ask_for_reset("a@noor.example"),
        ask_for_reset("b@noor.example"),
        ask_for_reset("a@noor.example"),
    )

    assert [answer.status_code for answer in (first, other, again)] == [202, 202, 202]
    assert ["idempotency-replayed" in answer for answer in (first, other, again)] == [False, False, True]
    assert IdempotencyKey.objects.values("scope").distinct().count() == 2
