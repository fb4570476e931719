import pytest
import redis
from django.conf import settings as django_settings

from brokle.settings.env import Environment
from brokle.web import checks


def found(**values):
    environment = Environment(values)
    return [message.id for check in checks.OF_SETTINGS for message in check(environment)]


PUBLIC = {
    "BROKLE_HOST": "192.0.2.10",
    "BROKLE_BASE_URL": "https://ai.example.com",
    "EMAIL_URL": "smtps://u:p@mail.example.com:465",
    "BROKLE_EMAIL_FROM": "AI <ai@example.com>",
    "BROKLE_SECRET_KEY": "x" * 32,
}


def test_a_newcomers_start_has_nothing_to_mend():
    assert found() == []


def test_a_well_set_public_installation_has_nothing_to_mend():
    assert found(**PUBLIC) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"BROKLE_BASE_URL": ""}, ["brokle.W001"]),
        ({"BROKLE_BASE_URL": "http://ai.example.com"}, ["brokle.W002"]),
        ({"BROKLE_BASE_URL": "http://localhost:8080"}, []),
        ({"BROKLE_BASE_URL": "http://[::1]:8080"}, []),
        ({"BROKLE_BASE_URL": "ai.example.com"}, ["brokle.E001"]),
        ({"BROKLE_ALLOWED_HOSTS": "other.example.com"}, ["brokle.E002"]),
        ({"BROKLE_ALLOWED_HOSTS": ".example.com"}, []),
        ({"BROKLE_ALLOWED_HOSTS": "*"}, ["brokle.W004"]),
        ({"BROKLE_TRUSTED_PROXIES": "10.0.0.0/8,0.0.0.0/0"}, ["brokle.W005"]),
        ({"BROKLE_TRUSTED_PROXIES": "::/0"}, ["brokle.W005"]),
        ({"BROKLE_TRUSTED_PROXIES": "the proxy"}, ["brokle.E003"]),
        ({"EMAIL_URL": "console://"}, ["brokle.W006"]),
        ({"EMAIL_URL": "console://", "BROKLE_SMTP_URL": "smtp+starttls://u:p@mail.example.com:587"}, []),
        ({"BROKLE_SMTP_URL": "mail.example.com"}, ["brokle.E011"]),
        ({"BROKLE_EMAIL_FROM": ""}, ["brokle.W012"]),
        ({"EMAIL_URL": "console://", "BROKLE_EMAIL_VERIFICATION": "mandatory"}, ["brokle.W006", "brokle.W013"]),
        ({"BROKLE_SIGNUP": "everybody"}, ["brokle.E012"]),
        ({"BROKLE_SIGNUP": "Invited", "BROKLE_EMAIL_VERIFICATION": "optional"}, []),
        ({"BROKLE_EMAIL_VERIFICATION": "yes"}, ["brokle.E012"]),
        ({"BROKLE_LIMITS_WITHOUT_REDIS": "ajar"}, ["brokle.E012"]),
        ({"BROKLE_LIMITS_WITHOUT_REDIS": "Closed"}, []),
        ({"BROKLE_GITHUB_CLIENT_ID": "x"}, ["brokle.W014"]),
        ({"BROKLE_GOOGLE_CLIENT_ID": "x", "BROKLE_GOOGLE_CLIENT_SECRET": "y"}, []),
        ({"BROKLE_SECRET_KEY": "short"}, ["brokle.W007"]),
        ({"BROKLE_ALOWED_HOSTS": "a"}, ["brokle.W003"]),
        ({"BROKLE_URL": "http://a", "BROKLE_API_KEY": "bk_x"}, []),
    ],
)
def test_each_mistake_is_told_by_its_number(change, told):
    assert found(**{**PUBLIC, **change}) == told


def test_a_probable_typo_names_what_was_meant():
    [message] = checks.check_names(Environment({"BROKLE_ALOWED_HOSTS": "a"}))

    assert checks.line_of(message) == (
        "warning brokle.W003: BROKLE_ALOWED_HOSTS is no setting of Brokle; did you mean BROKLE_ALLOWED_HOSTS?"
    )


def test_a_data_dir_in_memory_and_a_small_disk_are_told(settings, tmp_path):
    settings.DATA_DIR = type(tmp_path)("/dev/shm")

    ids = [message.id for message in checks.check_disk(Environment({"BROKLE_SPOOL_MAX_MB": "999999999"}))]

    assert ids == ["brokle.W008", "brokle.W009"]
    settings.DATA_DIR = tmp_path
    assert list(checks.check_disk(Environment({"BROKLE_SPOOL_MAX_MB": "1", "BROKLE_SPOOL_RESERVE_MB": "0"}))) == []


@pytest.mark.engines
@pytest.mark.django_db
def test_our_own_engines_have_nothing_to_mend():
    surroundings = [checks.check_postgres, checks.check_redis, checks.check_clickhouse]

    assert [message.msg for check in surroundings for message in check(Environment({}))] == []


@pytest.mark.engines
def test_a_redis_that_evicts_is_told():
    client = redis.Redis.from_url(django_settings.REDIS_URL)
    client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        ids = [message.id for message in checks.check_redis(Environment({}))]
    finally:
        client.config_set("maxmemory-policy", "noeviction")

    assert ids == ["brokle.W011"]


@pytest.mark.engines
def test_engines_that_are_away_are_told(settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    settings.CLICKHOUSE_URL = "http://127.0.0.1:1/default"

    assert [m.id for m in checks.check_redis(Environment({}))] == ["brokle.E007"]
    assert [m.id for m in checks.check_clickhouse(Environment({}))] == ["brokle.E009"]


@pytest.mark.engines
@pytest.mark.django_db
def test_a_postgres_without_pgvector_of_another_time_or_age_is_told():
    from django.db import connection

    class Other:
        """PostgreSQL's answer as an old server in another time would give it."""

        def __call__(self, execute, sql, params, many, context):
            if "server_version_num" in sql:
                sql = "SELECT 140005, extract(epoch FROM clock_timestamp()) + 60, false"
            return execute(sql, params, many, context)

    with connection.execute_wrapper(Other()):
        ids = [message.id for message in checks.check_postgres(Environment({}))]

    assert ids == ["brokle.E005", "brokle.E006", "brokle.W010"]


@pytest.mark.parametrize(("text", "version"), [("7.0.15", (7, 0)), ("26.1.2.3", (26, 1)), ("8", (8, 0)), ("?", (0, 0))])
def test_versions_are_read(text, version):
    assert checks.version_of(text) == version
