"""Every route of the data plane by every kind of key: what a key may not do is not done, what it does is its own."""

import json
from dataclasses import dataclass, replace
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings

from apps.orgs.models import ApiKey
from apps.orgs.services.keys import issue_key
from apps.orgs.services.organizations import request_deletion
from apps.orgs.services.tokens import issue_token
from apps.orgs.snapshot import compile_keys
from apps.orgs.testing import bearer
from brokle.edge.dispatch import Dispatch, Endpoint
from brokle.edge.frames import Record, read
from brokle.edge.passes import write_pass
from brokle.edge.principal import SCOPES
from brokle.edge.runtime import Runtime, RuntimeSettings
from brokle.ground.services import SYSTEM
from tests.security.idor.world import World, make_world

pytestmark = [pytest.mark.engines, pytest.mark.django_db]


@dataclass(frozen=True, slots=True)
class Route:
    """`path` is one of the endpoint's; an endpoint without a scope is open to all and shows nobody's.

    `served` is what a live key gets: 400 where the only provider of this world, echo, has no such endpoint.
    """

    path: str
    body: dict[str, Any] | None = None
    served: int = 200


_CHAT = {"model": "echo/fast", "messages": [{"role": "user", "content": "hi"}]}
_ONE_SHOT = (
    "/v1/audio/speech",
    "/v1/audio/transcriptions",
    "/v1/audio/translations",
    "/v1/embeddings",
    "/v1/images/edits",
    "/v1/images/generations",
    "/v1/moderations",
    "/v1/rerank",
)
_OPENAI = {
    "/v1/chat/completions": Route("/v1/chat/completions", _CHAT),
    "/v1/completions": Route("/v1/completions", {"model": "echo/fast", "prompt": "hi"}),
    "/v1/responses": Route("/v1/responses", {"model": "echo/fast", "input": "hi"}),
    "/v1/responses/": Route("/v1/responses/resp_1", served=404),
    **{path: Route(path, {"model": "echo/fast", "input": "hi"}, served=400) for path in _ONE_SHOT},
    "/v1/models": Route("/v1/models"),
    "/v1/models/": Route("/v1/models/echo/fast"),
}
_UNDATED = ("/v1/responses", "/v1/responses/", "/v1/models", "/v1/models/")
# By the endpoint's own path. A route without a row fails the suite.
ROUTES = {
    **_OPENAI,
    **{f"/openai{path}": replace(route, path=f"/openai{route.path}") for path, route in _OPENAI.items()},
    **{
        path.replace("/v1", "/openai"): replace(_OPENAI[path], path=_OPENAI[path].path.replace("/v1", "/openai"))
        for path in _UNDATED
    },
    "/openai/deployments/": Route("/openai/deployments/echo/fast/chat/completions", _CHAT),
    "/v1/messages": Route("/v1/messages", {**_CHAT, "max_tokens": 9}),
    "/v1/messages/count_tokens": Route("/v1/messages/count_tokens", _CHAT),
    "/v1beta/models/": Route("/v1beta/models/echo/fast:generateContent", {"contents": [{"parts": [{"text": "hi"}]}]}),
}
STRANGERS = {"revoked_key", "expired_key", "unknown", "a person's token", "anonymous"}


class Edge:
    """The data plane of one process with the keys of now, and what it wrote down."""

    def __init__(self, folder: Any) -> None:
        self._folder = folder
        self._keys = list(compile_keys())
        self.endpoints = async_to_sync(self._endpoints)()

    def _open(self) -> Runtime:
        runtime = Runtime(RuntimeSettings(self._folder, settings.REDIS_URL, settings.ROOT_SECRETS[0]))
        for object_id, raw in self._keys:
            runtime.snapshot.apply("key", object_id, raw)
        return runtime

    async def _endpoints(self) -> dict[str, Endpoint]:
        return {endpoint.path: endpoint for endpoint in self._open()._endpoints}

    async def ask(self, calls: list[tuple[Route, str, dict[str, str]]]) -> list[tuple[int, bytes]]:
        runtime = self._open()
        await runtime.spool.start()
        answers = [await self._call(runtime.dispatch(), *call) for call in calls]
        await runtime.spool.stop()
        return answers

    async def _call(self, dispatch: Dispatch, route: Route, method: str, headers: dict[str, str]) -> tuple[int, bytes]:
        body, sent = json.dumps(route.body).encode() if route.body else b"", []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "method": method, "path": route.path, "headers": raw, "query_string": b""}
        endpoint = dispatch.find(route.path)
        assert endpoint is not None
        await dispatch.serve(endpoint, scope, receive, send)
        return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])

    def places(self) -> set[tuple[str, str, str]]:
        """Whose the records are that were written."""
        found = [
            record
            for path in (self._folder / "spool").iterdir()
            if path.is_file()
            for record in read(path.read_bytes())
        ]
        lines = [json.loads(record.payload) for record in found if isinstance(record, Record)]
        return {(line["organization_id"], line["environment_id"], line["key_id"]) for line in lines}


@pytest.fixture
def world():
    return make_world()


def callers(world: World) -> dict[str, dict[str, str]]:
    found = {who: caller.headers for who, caller in world.callers.items() if caller.headers and caller.own is None}
    token = issue_token(user_id=world.owner_id, name="cli", actor=SYSTEM).value
    unknown = f"Bearer bk_live_{'a' * 12}_{'b' * 40}_{'c' * 6}"
    strangers = {"unknown": unknown, "a person's token": f"Bearer {token}"}
    return {**found, **{who: {"authorization": value} for who, value in strangers.items()}, "anonymous": {}}


def asked(edge: Edge, by: dict[str, dict[str, str]], path: str) -> dict[str, tuple[int, bytes]]:
    method = "GET" if "GET" in edge.endpoints[path].methods else "POST"
    answers = async_to_sync(edge.ask)([(ROUTES[path], method, headers) for headers in by.values()])
    return dict(zip(by, answers, strict=True))


def test_every_route_of_the_data_plane_has_its_row(world, tmp_path):
    assert sorted(Edge(tmp_path).endpoints) == sorted(ROUTES)


@pytest.mark.parametrize("path", ROUTES)
def test_a_route_serves_live_keys_and_is_shut_to_all_others(world, tmp_path, path):
    edge, by = Edge(tmp_path), callers(world)
    answers = asked(edge, by, path)

    assert {who for who, (status, _) in answers.items() if status == 401} == STRANGERS
    assert {who for who, (status, _) in answers.items() if status == ROUTES[path].served} == set(by) - STRANGERS
    shown = [who for who, (_, body) in answers.items() if any(marker in body.decode() for marker in world.markers)]
    assert shown == []


def test_what_a_key_did_is_written_down_as_its_own(world, tmp_path):
    edge, by = Edge(tmp_path), callers(world)
    asked(edge, by, "/v1/chat/completions")
    live = {by[who]["authorization"].split("_", 2)[2][-4:] for who in set(by) - STRANGERS}
    keys = ApiKey.objects.across_organizations().filter(last_four__in=live, revoked_at=None, expires_at=None)

    expected = {(key.organization_id, key.environment_id, key.id) for key in keys}
    assert len(expected) == len(live) == 4
    assert edge.places() == expected


@pytest.mark.parametrize("path", ROUTES)
def test_a_key_without_the_scope_of_a_route_is_refused(world, tmp_path, path):
    environment = ApiKey.objects.of(world.organization_id).get(name="victim").environment
    wanted = Edge(tmp_path).endpoints[path].scope
    others = [scope for scope in SCOPES if scope != wanted]
    key = issue_key(environment=environment, name="others", scopes=others, actor=SYSTEM)
    edge = Edge(tmp_path)

    assert asked(edge, {"others": bearer(key)}, path)["others"][0] == 403
    assert edge.places() == set()


@pytest.mark.parametrize("path", ROUTES)
def test_keys_of_an_organization_that_is_being_deleted_open_nothing(world, tmp_path, path):
    request_deletion(organization_id=world.organization_id, actor=SYSTEM)
    answers = asked(Edge(tmp_path), callers(world), path)

    assert {who for who, (status, _) in answers.items() if status == ROUTES[path].served} == {"outsider_key"}


def passes(world: World) -> dict[str, dict[str, str]]:
    """One of the owner's, beside their session, somebody else's and none."""
    place = ApiKey.objects.of(world.organization_id).get(name="victim")
    token = write_pass(
        settings.PASS_KEY,
        user_id=world.owner_id,
        organization_id=world.organization_id,
        project_id=place.project_id,
        environment_id=place.environment_id,
        session_key="of-the-owner",
    )
    sent = {"authorization": f"Bearer {token}"}
    cookies = {"own": "brokle_session=of-the-owner", "stolen": "brokle_session=of-somebody-else"}
    return {**{who: {**sent, "cookie": cookie} for who, cookie in cookies.items()}, "bare": sent}


@pytest.mark.parametrize("path", ROUTES)
def test_a_pass_serves_beside_its_own_session_alone(world, tmp_path, path):
    answers = asked(Edge(tmp_path), passes(world), path)
    wanted = ROUTES[path].served

    assert {who: status for who, (status, _) in answers.items()} == {"own": wanted, "stolen": 401, "bare": 401}


def test_what_a_person_did_by_a_pass_is_written_down_as_theirs(world, tmp_path):
    edge = Edge(tmp_path)
    asked(edge, passes(world), "/v1/chat/completions")
    place = ApiKey.objects.of(world.organization_id).get(name="victim")

    assert edge.places() == {(world.organization_id, place.environment_id, world.owner_id)}
