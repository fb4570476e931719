import pytest

from apps.orgs.testing import bearer, call, make_household, make_member, signed_in
from apps.routing.edge.book import decode_book
from apps.routing.models import Credential, DataKey, Owner, Provider, ProviderModel
from apps.routing.snapshot import compile_book
from apps.routing.testing import put_small_catalogue
from brokle.ground.models import AuditEntry, SnapshotChange

pytestmark = [pytest.mark.engines, pytest.mark.django_db]
PATH = "/api/v1/providers"
SECRET = "sk-very-secret-value-1234"


@pytest.fixture
def noor():
    return make_household("noor")


@pytest.fixture
def ask(noor, client):
    """As a program with noor's key, which stands in production."""
    return lambda method, path, body=None, **more: call(client, method, path, body, **{**noor.bearer, **more})


@pytest.fixture
def at(noor):
    return f"?environment={noor.production.id}"


def connected(ask, **more):
    made = ask("POST", PATH, {"name": "groq", "kind": "groq", "api_key": SECRET, **more})
    assert made.status_code == 201, made.content
    return made.json()


def book_of(noor):
    return decode_book(compile_book(noor.made.project.id))


def test_a_provider_is_connected_by_its_name_in_the_catalogue(ask, noor):
    made = connected(ask)

    assert (made["base_url"], made["dialect"]) == ("https://api.groq.com/openai/v1", "openai-compatible")
    assert (made["project_id"], made["is_open"], made["owner"]) == (noor.made.project.id, True, "people")
    [record] = book_of(noor).providers
    assert (record.name, record.kind, record.auth, record.dialect) == ("groq", "groq", "bearer", "openai-compatible")
    assert len(record.credentials) == 1


def test_the_key_is_nowhere_to_be_read(ask, noor):
    made = connected(ask)
    [credential] = ask("GET", f"{PATH}/{made['id']}/credentials").json()["data"]
    entries = AuditEntry.objects.filter(organization_id=noor.id)

    assert credential["hint"] == "…1234"
    assert SECRET not in str(made) + str(credential) + str([(e.before, e.after) for e in entries])
    assert SECRET.encode() not in bytes(Credential.objects.of(noor.id).get().sealed)
    told = entries.filter(target_kind__in=["provider", "credential"]).order_by("sequence")
    assert list(told.values_list("action", flat=True)) == [
        "provider.created",
        "credential.created",
    ]


def test_an_address_with_places_wants_them_filled(ask, noor):
    bare = ask("POST", PATH, {"name": "az", "kind": "azure"})
    wild = ask("POST", PATH, {"name": "az", "kind": "azure", "options": {"resource": "evil.example/"}})
    made = ask("POST", PATH, {"name": "az", "kind": "azure", "options": {"resource": "noor-east"}})

    assert (bare.status_code, bare.json()["field"]) == (422, "options")
    assert wild.status_code == 422
    assert made.status_code == 201
    [record] = book_of(noor).providers
    assert record.base_url == "https://noor-east.openai.azure.com/openai"
    assert (record.dialect, record.auth, "responses" in record.endpoints) == ("azure", "api-key", True)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "x", "kind": "nobody"}, "kind"),
        ({"name": "x", "kind": "openai-compatible"}, "base_url"),
        ({"name": "x", "kind": "groq", "base_url": "ftp://a.example"}, "base_url"),
        ({"name": "x", "kind": "groq", "base_url": "https://user:pass@a.example"}, "base_url"),
    ],
)
def test_what_could_not_be_called_is_refused(ask, noor, body, field):
    answer = ask("POST", PATH, body)

    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert Provider.objects.of(noor.id).count() == 0


def test_a_name_is_taken_once(ask):
    connected(ask)

    assert ask("POST", PATH, {"name": "groq", "kind": "groq"}).status_code == 409


def test_the_same_idempotency_key_connects_once(ask, noor):
    body = {"name": "groq", "kind": "groq", "api_key": SECRET}
    first = ask("POST", PATH, body, **{"idempotency-key": "one"})
    again = ask("POST", PATH, body, **{"idempotency-key": "one"})

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert Provider.objects.of(noor.id).count() == 1


def test_what_all_projects_share_is_managed_by_people_only(ask, noor, client, at):
    shared = {"name": "shared", "kind": "openai", "for_all_projects": True}
    assert ask("POST", PATH, shared).status_code == 403
    owner = signed_in(noor.owner)
    made = call(owner, "POST", PATH + at, shared).json()

    assert made["project_id"] is None
    assert [row["name"] for row in ask("GET", PATH).json()["data"]] == ["shared"]
    assert ask("PATCH", f"{PATH}/{made['id']}", {"is_enabled": False}).status_code == 403
    assert ask("DELETE", f"{PATH}/{made['id']}").status_code == 403
    assert Provider.objects.of(noor.id).get().is_enabled


def test_a_viewer_sees_and_does_not_change(ask, noor, at):
    made = connected(ask)
    viewer = signed_in(make_member(noor, "viewer"))

    assert call(viewer, "GET", f"{PATH}/{made['id']}{at}").status_code in {200, 400}
    assert call(viewer, "PATCH", f"{PATH}/{made['id']}{at}", {"is_enabled": False}).status_code == 403
    assert Provider.objects.of(noor.id).get().is_enabled


def test_a_disabled_provider_leaves_the_book(ask, noor):
    made = connected(ask)
    before = SnapshotChange.objects.count()
    changed = ask("PATCH", f"{PATH}/{made['id']}", {"is_enabled": False}).json()

    assert changed["is_enabled"] is False
    assert compile_book(noor.made.project.id) is None
    assert SnapshotChange.objects.count() == before + 1
    assert ask("PATCH", f"{PATH}/{made['id']}", {"is_enabled": False}).status_code == 200
    assert SnapshotChange.objects.count() == before + 1


def test_what_the_file_owns_is_changed_there(ask, noor):
    made = connected(ask)
    Provider.objects.of(noor.id).update(owner=Owner.FILE)

    for method, path, body in (
        ("PATCH", "", {"is_enabled": False}),
        ("DELETE", "", None),
        ("POST", "/credentials", {"name": "b", "api_key": "sk-b"}),
        ("POST", "/models", {"name": "m"}),
    ):
        answer = ask(method, f"{PATH}/{made['id']}{path}", body)
        assert answer.status_code == 409, (method, path)
        assert "configuration file" in answer.json()["detail"]


def test_keys_have_weights_and_environments_and_are_replaced(ask, noor):
    made = connected(ask)
    path = f"{PATH}/{made['id']}/credentials"
    own = ask(
        "POST",
        path,
        {"name": "production", "api_key": "sk-production-only-9999", "weight": 3}
        | {"environment_id": noor.production.id},
    )
    sealed = bytes(Credential.objects.of(noor.id).get(id=own.json()["id"]).sealed)
    renewed = ask("POST", f"{path}/{own.json()['id']}/rotate", {"api_key": "sk-another-secret-0000"})
    weighed = ask("PATCH", f"{path}/{own.json()['id']}", {"weight": 7})

    assert (own.status_code, own.json()["environment_id"]) == (201, noor.production.id)
    assert (renewed.status_code, renewed.json()["hint"]) == (200, "…0000")
    assert renewed.json()["rotated_at"]
    assert weighed.json()["weight"] == 7
    assert bytes(Credential.objects.of(noor.id).get(id=own.json()["id"]).sealed) != sealed
    assert [row["name"] for row in ask("GET", path).json()["data"]] == ["production", "first"]
    assert ask("DELETE", f"{path}/{own.json()['id']}").status_code == 204
    assert Credential.objects.of(noor.id).count() == 1


def test_anothers_environment_takes_no_key(ask, noor):
    zahra = make_household("zahra")
    made = connected(ask)
    body = {"name": "x", "api_key": "sk-x", "environment_id": zahra.production.id}

    assert ask("POST", f"{PATH}/{made['id']}/credentials", body).status_code == 404
    assert Credential.objects.of(noor.id).count() == 1


def test_a_models_own_price_wins_and_changes_are_another_revision(ask, noor):
    made = connected(ask)
    path = f"{PATH}/{made['id']}/models"
    prices = {"input": "0.15", "output": 0.6}
    model = ask("POST", path, {"name": "mine", "upstream_name": "llama-x", "context": 8192, "prices": prices}).json()
    cheaper = ask("PATCH", f"{path}/{model['id']}", {"prices": {"input": "0.1", "output": "0.6"}}).json()

    assert model["prices"] == {"input": "0.15", "output": "0.6"}
    assert (model["price_version"], cheaper["price_version"]) == (f"{model['id']}.1", f"{model['id']}.2")
    [record] = book_of(noor).providers[0].models
    assert (record.upstream, record.price.input, record.price.version) == ("llama-x", 100_000, f"{model['id']}.2")
    unpriced = ask("PATCH", f"{path}/{model['id']}", {"prices": {}}).json()
    assert unpriced["price_version"] == ""
    assert not book_of(noor).providers[0].models[0].price.is_known


@pytest.mark.parametrize("prices", [{"input": -1}, {"input": 1_000_001}, {"input": "much"}, {"input": "NaN"}])
def test_a_price_is_a_sum_of_money(ask, noor, prices):
    made = connected(ask)

    assert ask("POST", f"{PATH}/{made['id']}/models", {"name": "m", "prices": prices}).status_code == 422
    assert ProviderModel.objects.of(noor.id).count() == 0


def test_removing_a_provider_takes_keys_and_models_along(ask, noor):
    made = connected(ask)
    ask("POST", f"{PATH}/{made['id']}/models", {"name": "m"})

    assert ask("DELETE", f"{PATH}/{made['id']}").status_code == 204
    assert (Credential.objects.of(noor.id).count(), ProviderModel.objects.of(noor.id).count()) == (0, 0)
    assert DataKey.objects.of(noor.id).count() == 1
    assert compile_book(noor.made.project.id) is None


def test_lists_are_filtered_and_paged(ask):
    for name in ("a", "b", "c"):
        connected(ask, name=name)
    first = ask("GET", f"{PATH}?limit=2").json()
    rest = ask("GET", f"{PATH}?limit=2&cursor={first['next_cursor']}").json()

    assert [row["name"] for row in first["data"] + rest["data"]] == ["c", "b", "a"]
    assert [row["name"] for row in ask("GET", f"{PATH}?name=b").json()["data"]] == ["b"]
    assert ask("GET", f"{PATH}?nmae=b").status_code == 400


def test_the_catalogue_is_searched(ask):
    put_small_catalogue()
    [groq] = ask("GET", "/api/v1/catalogue/providers?name=groq").json()["data"]
    mini = ask("GET", "/api/v1/catalogue/models?provider=openai&search=4o-MINI&mode=chat&capability=tools").json()[
        "data"
    ]
    [exact] = ask("GET", "/api/v1/catalogue/models?provider=openai&name=gpt-4o-mini").json()["data"]
    prices = ask("GET", f"/api/v1/catalogue/prices?version={exact['price_version']}").json()["data"]

    assert (groq["env"], groq["dialect"], "groq" in groq["source"]) == ("GROQ_API_KEY", "openai-compatible", True)
    assert "gpt-4o-mini" in {row["name"] for row in mini}
    assert (exact["prices"]["input"], exact["context"]) == ("0.15", 128_000)
    assert ask("GET", f"/api/v1/catalogue/models/{exact['id']}").json() == exact
    assert [(row["model"], row["prices"]["output"]) for row in prices] == [("gpt-4o-mini", "0.6")]
    assert len(ask("GET", "/api/v1/catalogue/models?limit=200").json()["data"]) == 200


def test_a_narrow_key_does_not_manage(noor, client):
    from apps.orgs.services.keys import issue_key
    from brokle.ground.services import SYSTEM

    narrow = issue_key(environment=noor.production, name="narrow", scopes=["gateway"], actor=SYSTEM)
    assert call(client, "GET", PATH, **bearer(narrow)).status_code == 403
