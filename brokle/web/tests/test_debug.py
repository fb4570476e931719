import threading
import tracemalloc

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.urls import reverse

from brokle.web import queries
from brokle.web.debug import memory, plans, processor

pytestmark = [pytest.mark.engines, pytest.mark.django_db]

PAGES = ["debug-processor", "debug-memory", "debug-queries", "debug-redis", "debug-clickhouse"]


@pytest.fixture
def operator(client):
    client.force_login(get_user_model().objects.create_superuser("op@noor.example", "a-long-enough-password"))
    return client


@pytest.fixture
def slow(settings):
    queries.forget_slow_queries()
    settings.SLOW_QUERY_MS = 500
    yield
    queries.forget_slow_queries()


def run_slowly(value="a secret value"):
    with connection.cursor() as cursor:
        cursor.execute("SELECT email FROM users RIGHT JOIN pg_sleep(0.6) ON email = %s AND name <> 'a secret'", [value])


@pytest.mark.parametrize("page", PAGES)
def test_the_operator_sees_every_page(operator, page):
    response = operator.get(reverse(page))

    assert response.status_code == 200
    assert b"aria-current" in response.content


@pytest.mark.parametrize("page", PAGES)
def test_for_everybody_else_debug_does_not_exist(client, page):
    assert client.get(reverse(page)).status_code == 404
    client.force_login(get_user_model().objects.create_user("member@noor.example", "a-long-enough-password"))
    assert client.get(reverse(page)).status_code == 404


def test_the_keys_of_redis_show_nobodys_session(operator, settings):
    session = operator.cookies[settings.SESSION_COOKIE_NAME].value
    html = operator.get(reverse("debug-redis")).content.decode()

    assert "sessions.cached_db" in html
    assert session not in html


def test_an_outsider_starts_and_forgets_nothing(client, slow):
    run_slowly()
    client.post(reverse("debug-memory-recording"), {"recording": "start"})
    client.post(reverse("debug-queries-forget"))

    assert not memory.is_recording()
    assert len(queries.list_slow_queries()) == 1


def test_a_slow_statement_is_kept_without_its_values(slow):
    run_slowly()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")

    [kept] = queries.list_slow_queries()
    assert kept.sql == "SELECT email FROM users RIGHT JOIN pg_sleep(0.6) ON email = %s AND name <> '?'"
    assert kept.ms >= 600
    assert kept.alias == "default"


def test_no_threshold_keeps_nothing(slow, settings):
    settings.SLOW_QUERY_MS = 0
    run_slowly()

    assert queries.list_slow_queries() == []


def test_a_kept_statement_is_explained_without_running_it(operator, slow):
    run_slowly()
    [kept] = queries.list_slow_queries()

    html = operator.post(reverse("debug-query-plan", args=[kept.id])).content.decode()

    assert "on users" in html
    assert "cost=" in html
    assert operator.post(reverse("debug-query-plan", args=["slq_gone"])).status_code == 404


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("TRUNCATE users", "only SELECT, INSERT, UPDATE and DELETE have plans"),
        ("SELECT nothing FROM nowhere", 'relation "nowhere" does not exist'),
    ],
)
def test_a_statement_without_a_plan_says_why(sql, reason):
    with pytest.raises(plans.UnableToExplain, match=reason):
        plans.explain(queries.SlowQuery("slq_1", 0.0, 1.0, sql, "default"))


def test_only_the_first_of_several_statements_would_be_planned_so_none_is():
    several = "SELECT 1; SELECT set_config('brokle.ran', 'yes', false)"
    with pytest.raises(plans.UnableToExplain, match="one statement"):
        plans.explain(queries.SlowQuery("slq_1", 0.0, 1.0, several, "default"))

    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('brokle.ran', true)")
        assert cursor.fetchone() == (None,)


def test_placeholders_are_numbered():
    assert plans.numbered("a = %s AND b LIKE '%%x' AND c = %(name)s") == "a = $1 AND b LIKE '%x' AND c = $2"


def test_the_profile_finds_who_is_busy():
    stopping = threading.Event()

    def spin_the_wheel():
        while not stopping.is_set():
            sum(range(200))

    thread = threading.Thread(target=spin_the_wheel)
    thread.start()
    try:
        profile = processor.sample(2)
    finally:
        stopping.set()
        thread.join()

    busiest = [line for line in profile.busiest if line.function.endswith("spin_the_wheel")]
    assert profile.samples > 1
    assert 0 < busiest[0].total <= 1
    assert busiest[0].file == "web/tests/test_debug.py"


def test_recording_memory_is_started_and_stopped_by_hand(operator):
    address = reverse("debug-memory-recording")
    assert operator.post(address, {"recording": "start"}).status_code == 302
    try:
        assert tracemalloc.is_tracing()
        assert memory.list_allocations()
        assert b"Stop recording" in operator.get(reverse("debug-memory")).content
    finally:
        operator.post(address, {"recording": "stop"})
    assert not tracemalloc.is_tracing()


def test_this_process_is_among_the_processes():
    assert [line.is_this for line in memory.list_processes()].count(True) == 1
