"""`brokle migrate` against a real PostgreSQL, with a small Django project of its own."""

import json
import subprocess
import sys
import textwrap
import uuid
from pathlib import Path

import psycopg
import pytest

import brokle
from brokle.engines.layout import Layout
from brokle.engines.postgres import Postgres
from brokle.engines.process import wait_until
from brokle.settings.env import env

pytestmark = pytest.mark.engines

_ADVISORY_LOCK = 7266553001
_SETTINGS = """
from brokle.settings.base import DATABASES
SECRET_KEY = "a secret of a test"
INSTALLED_APPS = ["sample"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
"""
_MIGRATION = """
from django.db import migrations

class Migration(migrations.Migration):
    dependencies = [{dependency}]
    atomic = {atomic}
    operations = [migrations.RunSQL(sql, reverse) for sql, reverse in {operations!r}]
"""


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory):
    if env.given("DATABASE_URL"):
        yield env.text("DATABASE_URL")
        return
    layout = Layout.at(tmp_path_factory.mktemp("postgres"))
    layout.prepare()
    postgres = Postgres(layout, env.for_child())
    postgres.prepare()
    child = postgres.child()
    child.start()
    postgres.wait_ready(child)
    yield postgres.url
    child.stop()


class Project:
    """A Django project with one app, a database of its own, and the command."""

    def __init__(self, folder, url):
        self.url = url
        self._migrations = folder / "sample" / "migrations"
        self._migrations.mkdir(parents=True)
        (folder / "sample" / "__init__.py").touch()
        (self._migrations / "__init__.py").touch()
        (folder / "sample_settings.py").write_text(_SETTINGS)
        self._environment = env.for_child(
            DATABASE_URL=url,
            BROKLE_SECRET_KEY="a secret of a test",
            DJANGO_SETTINGS_MODULE="sample_settings",
            PYTHONPATH=f"{folder}:{Path(brokle.__file__).parent.parent}",
        )

    def migration(self, name, *operations, after=None, atomic=True):
        dependency = f'("sample", "{after}")' if after else ""
        text = _MIGRATION.format(dependency=dependency, atomic=atomic, operations=operations)
        (self._migrations / f"{name}.py").write_text(textwrap.dedent(text))

    def popen(self, *arguments):
        command = [sys.executable, "-m", "brokle", "migrate", *arguments, "--db", "postgres"]
        return subprocess.Popen(
            command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments):
        process = self.popen(*arguments)
        out, err = process.communicate(timeout=300)
        return process.returncode, out, err

    def states(self):
        code, out, err = self.run("status", "--json")
        assert code == 0, err
        return {entry["version"]: entry["state"] for entry in json.loads(out)["migrations"]}

    def tables(self):
        with psycopg.connect(self.url) as connection:
            found = connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
            ).fetchall()
        return [row[0] for row in found if not row[0].startswith(("django_", "migration_"))]


@pytest.fixture
def project(postgres_url, tmp_path):
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    head, _, query = postgres_url.partition("?")
    url = f"{head.rsplit('/', 1)[0]}/{name}" + (f"?{query}" if query else "")
    made = Project(tmp_path, url)
    made.migration("0001_one", ("CREATE TABLE one (x int)", "DROP TABLE one"))
    made.migration("0002_two", ("CREATE TABLE two (x int)", "DROP TABLE two"), after="0001_one")
    yield made
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_up_and_down_go_step_by_step(project):
    assert project.states() == {"sample.0001_one": "pending", "sample.0002_two": "pending"}
    assert project.run("up", "--steps", "1")[0] == 0
    assert project.tables() == ["one"]
    code, out, _ = project.run("up", "--json")
    assert code == 0
    assert [step["version"] for step in json.loads(out)["steps"]] == ["sample.0002_two"]
    assert project.states() == {"sample.0001_one": "applied", "sample.0002_two": "applied"}
    assert project.run("up")[1] == "nothing to do\n"
    assert project.run("down", "--yes")[0] == 0
    assert project.tables() == ["one"]


def test_destructive_commands_need_a_yes(project):
    project.run("up")
    for command in ("down", "reset", "drop"):
        code, _, err = project.run(command)
        assert code == 1
        assert err.count("\n") == 1
        assert "--yes" in err
    assert project.tables() == ["one", "two"]


def test_a_broken_migration_is_dirty_until_mended_and_leaves_nothing_half_made(project):
    broken = ("CREATE TABLE three (x int)", "DROP TABLE three"), ("CREATE TABLE one (x int)", "")
    project.migration("0003_three", *broken, after="0002_two")
    code, _, err = project.run("up")
    assert code == 1
    assert err.count("\n") == 1
    assert 'sample.0003_three failed: relation "one" already exists' in err
    assert "brokle migrate force sample.0003_three" in err
    assert project.tables() == ["one", "two"]
    _, out, _ = project.run("status", "--json")
    dirty = json.loads(out)["migrations"][-1]
    assert (dirty["state"], dirty["error"]) == ("dirty", 'relation "one" already exists')
    assert "dirty" in project.run("up")[2]
    project.migration("0003_three", broken[0], after="0002_two")
    code, out, _ = project.run("force", "sample.0003_three")
    assert (code, out) == (0, "postgres sample.0003_three is now pending\n")
    assert project.run("up")[0] == 0
    assert set(project.states().values()) == {"applied"}
    assert project.tables() == ["one", "three", "two"]


def test_a_broken_migration_outside_a_transaction_counts_as_applied_when_forced(project):
    project.migration("0003_three", ("CREATE TABLE three (x int)", ""), ("SELEKT", ""), after="0002_two", atomic=False)
    assert project.run("up")[0] == 1
    assert project.tables() == ["one", "three", "two"]
    assert project.states()["sample.0003_three"] == "dirty"
    assert project.run("force", "sample.0003_three")[1] == "postgres sample.0003_three is now applied\n"
    assert project.run("up")[1] == "nothing to do\n"


def test_a_lock_that_does_not_come_stops_the_migration_and_leaves_no_mark(project):
    project.run("up")
    project.migration("0003_three", ("ALTER TABLE one ADD COLUMN y int", ""), after="0002_two")
    with psycopg.connect(project.url) as other:
        other.execute("SELECT * FROM one")
        code, _, err = project.run("up")
    assert code == 1
    assert "did not get its lock within 3000 ms" in err
    assert project.states()["sample.0003_three"] == "pending"
    assert project.run("up")[0] == 0


def test_two_at_once_wait_for_each_other(project):
    with psycopg.connect(project.url, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [_ADVISORY_LOCK])
        process = project.popen("up")
        waiting = (
            "SELECT count(*) FROM pg_locks JOIN pg_database AS here ON here.oid = database "
            "WHERE locktype = 'advisory' AND NOT granted AND here.datname = current_database()"
        )
        assert wait_until(lambda: other.execute(waiting).fetchone()[0] == 1, 120)
        assert project.tables() == []
        other.execute("SELECT pg_advisory_unlock(%s)", [_ADVISORY_LOCK])
        out, err = process.communicate(timeout=300)
    assert (process.returncode, err) == (0, "brokle: another migration runs; waiting for it\n")
    assert out.count("↑") == 2


def test_a_dry_run_prints_the_sql_and_changes_nothing(project):
    code, out, _ = project.run("up", "--dry-run")
    assert code == 0
    assert "CREATE TABLE one (x int);" in out
    assert project.tables() == []


def test_drop_and_reset_begin_anew(project):
    project.run("up")
    with psycopg.connect(project.url) as connection:
        connection.execute("INSERT INTO one VALUES (1)")
    assert project.run("reset", "--yes")[0] == 0
    with psycopg.connect(project.url) as connection:
        assert connection.execute("SELECT count(*) FROM one").fetchone() == (0,)
    assert project.run("drop", "--yes")[0] == 0
    assert project.tables() == []


def test_an_unreachable_database_is_one_line(project):
    project._environment["DATABASE_URL"] = "postgresql://nobody@127.0.0.1:1/nothing"
    code, _, err = project.run("status")
    assert code == 1
    assert err.count("\n") == 1
    assert "PostgreSQL cannot be reached" in err


def test_create_scaffolds_an_empty_migration(project, tmp_path):
    code, out, err = project.run("create", "more", "--app", "sample")
    assert code == 0, err
    assert "0003_more.py" in out
    assert (tmp_path / "sample" / "migrations" / "0003_more.py").exists()
    assert project.run("create", "more", "--app", "nothing")[0] == 1
