import json

import psycopg
import pytest

import brokle
from tests.house import BOOTSTRAP_KEY, House

pytestmark = [pytest.mark.engines]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    started = House(tmp_path_factory.mktemp("commands") / "data")
    started.start()
    yield started
    started.stop()


def printed(home, *arguments, **environment):
    done = home.run(*arguments, "--json", **environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_version_is_printed(home):
    assert home.run("version").stdout == f"{brokle.__version__}\n"
    assert printed(home, "version")["version"] == brokle.__version__


def test_a_key_is_made_used_listed_and_revoked(home):
    key = home.run("keys", "create", "from the shell", "--scope", "gateway").stdout.strip()
    home.wait_for(lambda: home.chat(key=key).status == 200)
    listed = next(row for row in printed(home, "keys", "list")["keys"] if row["name"] == "from the shell")

    assert key not in json.dumps(listed)
    assert (listed["scopes"], listed["revoked_at"]) == (["gateway"], None)
    assert "from the shell" in home.run("keys", "list").stdout
    assert printed(home, "keys", "revoke", listed["id"]) == {"id": listed["id"], "revoked": True}
    home.wait_for(lambda: home.chat(key=key).status == 401)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["keys", "revoke", "key_nothing"], "there is no key key_nothing; `brokle keys list` shows them"),
        (["keys", "create", "x", "--organization", "nobody"], "there is no environment nobody/default/production"),
        (["keys", "create", "x", "--scope", "everything"], "Scopes are any of gateway"),
        (["backup", "/no/such/folder/file.tar"], "there is no folder /no/such/folder"),
        (["restore", "/no/such/file.tar"], "Brokle runs on"),
    ],
)
def test_a_mistake_gets_one_line_with_the_mend(home, arguments, line):
    done = home.run(*arguments)

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"brokle: {line}")
    assert len(done.stderr.strip().splitlines()) == 1
    assert json.loads(home.run(*arguments, "--json").stdout)["error"].startswith(line)


def test_the_doctor_finds_a_running_house_well(home):
    found = printed(home, "doctor", "--smoke", "--key", BOOTSTRAP_KEY)
    checks = {check["name"]: check for check in found["checks"]}

    assert found["ok"] is True
    assert [name for name, check in checks.items() if check["state"] == "bad"] == []
    for name in ("python", "disk", "postgres", "redis", "clickhouse", "migrations", "snapshot", "spool", "clock"):
        assert name in checks
    assert checks["postgres"]["detail"].startswith("PostgreSQL 18")
    assert checks["smoke"]["detail"].startswith("gateway answered in ")


def test_the_doctor_names_what_is_wrong_and_the_mend(home):
    found = home.run("doctor", "--smoke", "--key", "bk_test_wrong_0123456789abcdef", "--json")
    smoke = json.loads(found.stdout)["checks"][-1]

    assert (found.returncode, smoke["state"]) == (1, "bad")
    assert smoke["detail"].startswith("the gateway answered 401")
    dead = home.run(
        "doctor",
        DATABASE_URL="postgresql://nobody@127.0.0.1:1/x",
        REDIS_URL="redis://127.0.0.1:1/0",
        CLICKHOUSE_URL="http://127.0.0.1:1/x",
    )
    assert dead.returncode == 1
    assert dead.stdout.count("does not answer") == 3


def test_the_audit_log_is_verified_and_the_first_bad_entry_named(home):
    assert printed(home, "audit", "verify")["ok"] is True
    with psycopg.connect(home.run_file()["urls"]["DATABASE_URL"], autocommit=True) as database:
        row = database.execute(
            "SELECT id, entry_id, sequence, actor_id FROM audit_entry WHERE action = 'key.created' ORDER BY sequence"
        ).fetchone()
        database.execute("UPDATE audit_entry SET actor_id = 'somebody else' WHERE id = %s", [row[0]])
        try:
            done = home.run("audit", "verify")
            assert done.returncode == 1
            assert f"entry {row[2]} ({row[1]}): its content was changed" in done.stdout
        finally:
            database.execute("UPDATE audit_entry SET actor_id = %s WHERE id = %s", [row[3], row[0]])
    assert printed(home, "audit", "verify")["ok"] is True


def test_a_seed_makes_a_believable_organization_once_and_prod_makes_nobody(home):
    assert printed(home, "seed", "prod")["made"] == []
    made = printed(home, "seed", "demo")["made"]
    assert "organization noor-health" in made
    assert any(line.startswith("owner amal@noor.example with the password ") for line in made)
    assert printed(home, "seed", "demo")["made"] == []
    assert len(printed(home, "keys", "list", "--organization", "noor-health")["keys"]) == 4


def test_operators_are_made_listed_and_unmade_but_never_the_last(home):
    with psycopg.connect(home.run_file()["urls"]["DATABASE_URL"], autocommit=True) as database:
        assert database.execute("SELECT count(*) FROM users WHERE is_staff").fetchone() == (0,)
    home.run("seed", "demo")
    assert home.run("operator", "list").stdout == "nobody; `brokle operator add EMAIL` makes somebody one\n"
    assert home.run("operator", "add", "amal@noor.example").stdout == "amal@noor.example is an operator now\n"
    assert [one["email"] for one in printed(home, "operator", "list")["operators"]] == ["amal@noor.example"]
    last = home.run("operator", "remove", "amal@noor.example")
    assert (last.returncode, last.stderr) == (
        1,
        "brokle: This is the last operator; make somebody else one first.\n",
    )
    nobody = home.run("operator", "add", "nobody@noor.example")
    assert nobody.stderr == "brokle: nobody here has the address nobody@noor.example; they sign up first\n"


def test_the_schema_is_printed(home):
    assert json.loads(home.run("openapi").stdout)["openapi"] == "3.1.0"


def test_commands_work_while_brokle_is_stopped(tmp_path):
    home = House(tmp_path / "data with spaces")
    assert home.run("migrate", "up").returncode == 0
    missing = home.run("keys", "create")
    assert (missing.returncode, "there is no environment default/default/production" in missing.stderr) == (1, True)
    assert printed(home, "seed", "dev")["made"] != []
    key = home.run("keys", "create", "early", "--organization", "noor-health").stdout.strip()
    assert printed(home, "doctor")["ok"] is True
    home.start()
    try:
        assert home.chat(key=key).status == 200
    finally:
        home.stop()


def test_without_tables_the_mend_is_named(tmp_path):
    home = House(tmp_path / "data")
    done = home.run("keys", "list")

    assert done.returncode == 1
    assert done.stderr.strip() == "brokle: the database has no tables of this version; run `brokle migrate up`"
