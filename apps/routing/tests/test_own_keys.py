"""Keys that callers bring: who allows them, how they are written, and which door they open."""

import pytest

from apps.orgs.testing import call, make_household, make_member, signed_in
from apps.routing.edge.book import BookRecord, CredentialRecord, ProviderRecord, decode_book
from apps.routing.edge.own_keys import OwnKeysRefused, find_own_keys
from apps.routing.edge.plan import Book
from apps.routing.edge.workshop import Workshop
from apps.routing.models import GatewaySettings
from apps.routing.snapshot import compile_book, compile_books
from brokle.edge.egress import EgressClient, Policy
from brokle.edge.http import Request
from brokle.ground.models import AuditEntry
from brokle.kernel.errors import BadRequest

PATH = "/api/v1/gateway/settings"
PAGE = "/noor/providers"
ACCOUNT = '{"client_email": "a@b", "private_key": "k"}'


@pytest.fixture
def noor():
    return make_household("noor")


@pytest.fixture
def ask(noor, client):
    client.force_login(noor.owner)
    place = f"?environment={noor.production.id}"
    return lambda method, body=None: call(client, method, f"{PATH}{place}", body)


@pytest.mark.engines
@pytest.mark.django_db
def test_a_project_allows_them_and_the_edge_knows(ask, noor):
    project_id = noor.made.project.id
    assert ask("GET").json() == {"project_id": project_id, "allows_own_keys": False}
    assert compile_book(project_id) is None

    changed = ask("PATCH", {"allows_own_keys": True})
    assert (changed.status_code, changed.json()["allows_own_keys"]) == (200, True)
    assert decode_book(compile_book(project_id)).allows_own_keys is True
    assert [name for name, _ in compile_books()] == [project_id]
    assert ask("PATCH", {"allows_own_keys": True}).status_code == 200
    assert ask("PATCH", {"allows_own_keys": False}).status_code == 200
    assert compile_book(project_id) is None
    found = AuditEntry.objects.filter(action="gateway_settings.changed").order_by("sequence")
    assert [(one.before, one.after) for one in found] == [
        ({"allows_own_keys": False}, {"allows_own_keys": True}),
        ({"allows_own_keys": True}, {"allows_own_keys": False}),
    ]


@pytest.mark.engines
@pytest.mark.django_db
def test_a_viewer_reads_and_does_not_allow(noor, client):
    viewer = make_member(noor, "viewer")
    client.force_login(viewer)
    place = f"{PATH}?environment={noor.production.id}"
    assert call(client, "GET", place, None).status_code == 200
    assert call(client, "PATCH", place, {"allows_own_keys": True}).status_code == 403
    assert signed_in(viewer).post(f"{PAGE}/own-keys", {"allows": "yes"}).status_code == 403
    assert not GatewaySettings.objects.of(noor.id).exists()


@pytest.mark.engines
@pytest.mark.django_db
def test_the_page_says_which_it_is_and_changes_it(noor):
    owner = signed_in(noor.owner)
    assert "Not allowed" in owner.get(PAGE).content.decode()
    assert owner.post(f"{PAGE}/own-keys", {"allows": "yes"}).status_code == 302
    page = owner.get(PAGE).content.decode()
    assert "Allow it no longer" in page
    assert "x-brokle-provider-key: openai=sk-…" in page
    assert owner.post(f"{PAGE}/own-keys", {"allows": "no"}).status_code == 302
    assert GatewaySettings.objects.of(noor.id).get().allows_own_keys is False


def bringing(*values):
    headers = [(b"x-brokle-provider-key", value.encode()) for value in values]
    return Request({"method": "POST", "path": "/", "headers": headers}, None, None)


@pytest.fixture
async def book():
    providers = [
        ProviderRecord("p1", "openai", "openai", "https://a.example/v1", [CredentialRecord("c", b"")]),
        ProviderRecord("p2", "my.azure-1", "azure", "https://noor.openai.azure.com/openai"),
        ProviderRecord("p3", "cloud", "vertex", "https://here-aiplatform.googleapis.com/v1", options={"project": "p"}),
        ProviderRecord("p4", "aws", "bedrock", "https://bedrock-runtime.eu-west-1.amazonaws.com"),
    ]
    async with EgressClient(Policy()) as egress:
        workshop = Workshop(egress, None, lambda _kind, _model: None)
        yield Book(BookRecord("p", providers, allows_own_keys=True), workshop)


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([], {}),
        (["openai=sk-1"], {"openai": "sk-1"}),
        (["openai=sk-1,my.azure-1=abc=="], {"openai": "sk-1", "my.azure-1": "abc=="}),
        (["openai=sk-1", "my.azure-1=2"], {"openai": "sk-1", "my.azure-1": "2"}),
        ([f"cloud={ACCOUNT}, openai=sk-1"], {"cloud": ACCOUNT, "openai": "sk-1"}),
    ],
)
async def test_keys_are_written_by_the_name_of_their_provider(book, values, found):
    assert find_own_keys(bringing(*values), book) == found


@pytest.mark.parametrize(
    "value", ["sk-secret-1", "openai=", "=sk-secret-1", "OpenAI=sk-secret-1", "nobody=sk-secret-1"]
)
async def test_what_is_no_key_of_a_provider_is_told_without_it(book, value):
    with pytest.raises(BadRequest) as caught:
        find_own_keys(bringing(value), book)
    assert caught.value.field == "x-brokle-provider-key"
    assert "sk-secret" not in caught.value.detail


async def test_a_project_that_does_not_allow_them_refuses(book):
    book.allows_own_keys = False
    assert find_own_keys(bringing(), book) == {}
    with pytest.raises(OwnKeysRefused) as caught:
        find_own_keys(bringing("openai=sk-secret-1"), book)
    assert (caught.value.status, caught.value.code) == (403, "own_keys_not_allowed")
    assert "sk-secret" not in caught.value.detail


async def test_a_key_opens_the_door_of_its_provider_alone_and_of_no_other_key(book):
    openai, azure = book.find("openai/m"), book.find("my.azure-1/m")
    keys = {"openai": "sk-own"}
    [own] = openai.doors_for(keys, "env", 0.0)
    assert own.secret == "sk-own"
    assert own not in openai.doors
    assert azure.doors_for(keys, "env", 0.0) == azure.doors
    assert openai.doors_for({}, "env", 0.0) == openai.doors


async def test_a_key_that_would_be_given_elsewhere_for_a_token_is_not_taken(book):
    application = '{"tenant_id": "t", "client_id": "c", "client_secret": "s"}'
    for model, secret in (("cloud/gemini", ACCOUNT), ("my.azure-1/m", application)):
        upstream = book.find(model)
        with pytest.raises(BadRequest, match="bring the token"):
            upstream.doors_for({upstream.provider: secret}, "env", 0.0)
    [signing] = book.find("aws/m").doors_for({"aws": "AKIAIOSFODNN7EXAMPLE:secret"}, "env", 0.0)
    assert signing.signer is not None
