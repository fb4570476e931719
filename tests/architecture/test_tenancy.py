"""Work in the background and state outside of PostgreSQL say whose they are, or why they are nobody's."""

import ast
import inspect
import re

import pytest
from django.apps import apps
from django.conf import settings

import brokle
from brokle.celery import app
from brokle.ground.tenancy import OrganizationManager

pytestmark = pytest.mark.modes

# Tasks that are given no organization, and why that is right.
INSTALLATION_WIDE = {
    "routing.refresh_catalogue": "writes the installation's list of models and prices",
    "routing.tell_thresholds": "reads every budget and tells each organization of its own",
    "ground.forget_expired": "deletes by age alone and reads nothing",
    "orgs.forget_old": "deletes by age alone and reads nothing",
    "orgs.purge": "finds organizations whose grace is over and handles each by its id",
    "orgs.note_ended_support": "finds accesses whose hour is over and handles each by its organization",
    "orgs.note_key_use": "writes when a key was used to that key's own row",
}
# What stands in Redis, by the beginning of its name, and whose it is.
REDIS = {
    "bk:auth:passkey:": "of a person or a challenge, by its id",
    "bk:auth:session:": "of a session, by its id",
    "bk:auth:sessions:": "of a person, by their id",
    "bk:auth:used:": "of a challenge, by its id",
    "bk:keys:used": "fields are ids of keys",
    "bk:lim:": "of a key by its id, or of an address at a door",
    "bk:live:": "channels, by room: a kind and the id of an environment or a person",
    "bk:slow-queries": "the operator's: statements without values",
    "bk:snap:all:": "the compiled installation, for the data plane alone: by kind, then by hash or id",
    "bk:snap:deltas": "as above, what changed",
    "bk:snap:meta": "version numbers",
    "bk:unacked": "the broker's: tasks under way",
    "bk:workers": "the broker's: nodes and when they were heard",
}
# Django's cache, by what comes before the part that differs.
CACHED = {"seen:": "of a session, by the hash of its key"}
# Models without an organization, and why.
NOBODYS = {
    "account.": "a person's",
    "admin.": "the operator's",
    "auth.": "Django's own",
    "contenttypes.": "Django's own",
    "ee_": "the installation's",
    "mfa.": "a person's",
    "sessions.": "a person's",
    "socialaccount.": "a person's",
    "usersessions.": "a person's",
    "users.": "a person's",
    "ground.IdempotencyKey": "by scope: an organization's key, a person, or what a visitor sent",
    "ground.SnapshotChange": "the compiler's list of ids",
    "ground.SnapshotVersion": "the installation's",
    "ground.Schedule": "the installation's",
    "ground.Installation": "the installation's",
    "orgs.Organization": "the organization itself",
    "routing.CatalogueModel": "the installation's list of what exists",
    "routing.CatalogueProvider": "the installation's list of what exists",
    "routing.CatalogueVersion": "the installation's list of what exists",
    "routing.ListPrice": "the installation's list of prices",
    "orgs.PersonalToken": "a person's",
    "orgs.NotificationPreference": "a person's",
    "orgs.DeviceGrant": "a command line's that nobody has let in yet",
}
SOURCES = sorted(
    path
    for folder in ("brokle", "apps", "ee")
    for path in (brokle.HOUSE / folder).rglob("*.py")
    if "tests" not in path.parts
)


def tasks():
    app.loader.import_default_modules()
    return {name: task for name, task in app.tasks.items() if not name.startswith(("celery.", "tests."))}


def test_a_task_is_given_its_organization_or_says_why_not():
    missing = [
        name
        for name, task in tasks().items()
        if "organization_id" not in inspect.signature(task.run).parameters and name not in INSTALLATION_WIDE
    ]

    assert missing == []
    assert sorted(set(INSTALLATION_WIDE) - set(tasks())) == []


def texts(path):
    """Every piece of text in the code, also those within f-strings; documentation aside."""
    tree = ast.parse(path.read_text())
    notes = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in notes
    ]


def test_every_name_in_redis_is_listed_with_whose_it_is():
    named = {text for path in SOURCES for text in texts(path) if re.match(r"bk:[a-z]", text)}

    assert sorted(name for name in named if not name.startswith(tuple(REDIS))) == []
    assert (
        sorted(known for known in REDIS if not any(name.startswith(known) for name in named | {"bk:snap:all:"})) == []
    )


def test_every_name_in_the_cache_is_listed_with_whose_it_is():
    found = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("cache."):
                found.add(ast.unparse(node.args[0]))

    known = {
        "get_cache_key(request, app=app, action=action, rate=rate, key=key)"
    }  # allauth's own, by address or person
    assert [name for name in found - known if not name.strip("f'\"").startswith(tuple(CACHED))] == []


def test_a_model_belongs_to_an_organization_or_says_why_not():
    def is_of_an_organization(model):
        return any(field.attname == "organization_id" for field in model._meta.concrete_fields)

    missing = [
        model._meta.label
        for model in apps.get_models()
        if not is_of_an_organization(model) and not model._meta.label.startswith(tuple(NOBODYS))
    ]
    assert missing == []


def test_rows_of_an_organization_in_a_room_cannot_be_asked_for_without_it():
    unguarded = [
        model._meta.label
        for model in apps.get_models()
        if model._meta.app_label in settings.ROOMS
        if any(field.attname == "organization_id" for field in model._meta.concrete_fields)
        if not isinstance(model._default_manager, OrganizationManager)
    ]

    assert unguarded == []
