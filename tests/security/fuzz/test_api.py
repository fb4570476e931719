"""Every operation of the management API, every field, query and part of its address: no nonsense is ever our fault."""

import itertools
import json
import logging
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from django.test import Client

from apps.orgs.services.tokens import issue_token
from brokle.engines.state import state
from brokle.ground.services import SYSTEM
from tests.security.fuzz.nonsense import BODIES, CONTENT_TYPES, CURSORS, SHORT, VALUES
from tests.security.fuzz.operations import Operation, operations
from tests.security.idor.world import World, make_world

pytestmark = [pytest.mark.engines, pytest.mark.django_db]

# RFC 8628 has its own form of refusal.
_OAUTH = "/api/v1/auth/device/token"
_visitors = itertools.count()


class Sender:
    """The owner of the world and an operator, by token; each call from a new address, and what it did is undone."""

    def __init__(self) -> None:
        self.world: World = make_world()
        get_user_model().objects.filter(pk=self.world.owner_id).update(is_staff=True, is_superuser=True)
        token = issue_token(user_id=self.world.owner_id, name="fuzz", actor=SYSTEM).value
        self._client = Client(raise_request_exception=False, headers={"authorization": f"Bearer {token}"})
        self._client.get("/api/v1/auth/me")  # notes the token's use, which otherwise every call would
        self.faults: list[str] = []
        self.statuses: dict[int, int] = {}

    def send(self, operation: Operation, note: str, *, path: str = "", body: bytes | None = None, **more: Any) -> int:
        number = next(_visitors)
        address = f"198.51.{number // 250 % 250}.{number % 250 + 1}"
        if "auth/" in operation.path:
            state().flushdb()  # what was tried before counts for nothing
        options = {"content_type": "application/json", "REMOTE_ADDR": address, **more}
        with transaction.atomic():
            answer = self._client.generic(operation.method, path or self.path(operation), body or b"", **options)
            content = b"".join(answer.streaming_content) if answer.streaming else answer.content
            transaction.set_rollback(True)
        self.statuses[answer.status_code] = self.statuses.get(answer.status_code, 0) + 1
        fault = _fault(operation, answer, content)
        if fault:
            self.faults.append(f"{operation} {note}: {fault}")
        return int(answer.status_code)

    def path(self, operation: Operation, **parts: str) -> str:
        path = operation.path.format(**{"id": self.world.params["pk"], **self.world.params, **parts})
        return path + (
            f"?environment={self.world.params['environment_id']}" if "environment" in operation.queries else ""
        )

    def body(self, operation: Operation) -> dict[str, Any]:
        filled: dict[str, Any] = self.world.fill(operation.body or {}, {})
        return filled


def _fault(operation: Operation, answer: Any, content: bytes) -> str:
    status = answer.status_code
    if status >= 500:
        return f"answered {status}"
    if status < 400:
        return ""
    if operation.path == _OAUTH and status == 400 and answer["content-type"] == "application/json":
        return "" if set(json.loads(content)) == {"error", "error_description"} else "refused in no form"
    if answer["content-type"] != "application/problem+json":
        return f"refused as {answer['content-type']}"
    problem = json.loads(content)
    is_whole = problem["status"] == status and problem["request_id"] == answer["x-request-id"] and problem["code"]
    return "" if is_whole else f"refused incompletely: {problem}"


@pytest.fixture
def sender():
    """Thousands of refusals would be thousands of lines in the report of a failure."""
    told = logging.getLogger("django.request")
    told.disabled = True
    yield Sender()
    told.disabled = False


def test_the_calls_that_are_varied_are_good_ones(sender):
    """Else the nonsense would stop at the first check and prove nothing of those behind it."""
    refused = [
        operation.path.removeprefix("/api/v1/")
        for operation in operations()
        if sender.send(operation, "as it is", body=json.dumps(sender.body(operation)).encode()) >= 400
    ]

    assert sender.faults == []
    # These ask for a secret, or for a state, that nobody has beforehand.
    assert refused == [
        *("auth/device/token", "auth/login", "auth/me", "auth/mfa/passkeys", "auth/mfa/totp", "auth/mfa/verify"),
        *("auth/mfa/verify/options", "auth/password/reset/confirm", "auth/refresh", "catalogue/models/{model_id}"),
        *("invitations/accept", "operator/organizations/{organization_id}/resume"),
        *("operator/organizations/{organization_id}/support-access",) * 2,
        *(f"operator/people/{{person_id}}/{name}" for name in ("operator", "remove-second-factors", "unlock")),
        "organizations/{organization_id}/restore",
    ]


def test_nonsense_in_a_field_is_the_callers_mistake(sender):
    for operation in operations():
        good = sender.body(operation)
        for field, (name, value) in itertools.product(good, VALUES.items()):
            sender.send(operation, f"{field} {name}", body=json.dumps({**good, field: value}).encode())

    assert sender.faults == []
    assert sender.statuses[422] > 500


def test_nonsense_for_a_body_is_the_callers_mistake(sender):
    for operation in operations():
        takes_one = operation.body is not None
        for name, body in list(BODIES.items())[: None if takes_one else 6]:
            sender.send(operation, name, body=body)
        for kind in CONTENT_TYPES[: None if takes_one else 2]:
            sender.send(operation, kind, body=b"{}", content_type=kind)

    assert sender.faults == []


def test_nonsense_in_a_query_is_the_callers_mistake(sender):
    for operation in operations():
        for query, (name, text) in itertools.product(operation.queries or ("unknown",), SHORT.items()):
            path = sender.path(operation).split("?")[0]
            asked = urlencode({query: text.encode("utf-8", "surrogatepass")})
            sender.send(operation, f"?{query} {name}", path=f"{path}?{asked}")
        for name, cursor in CURSORS.items() if "cursor" in operation.queries else ():
            sender.send(operation, name, path=f"{sender.path(operation).split('?')[0]}?cursor={cursor}")

    assert sender.faults == []
    assert sender.statuses[400] > 500


def test_nonsense_in_an_address_is_the_callers_mistake(sender):
    for operation in operations():
        for part, (name, text) in itertools.product(operation.parts, SHORT.items()):
            path = sender.path(operation, **{part: quote(text.encode("utf-8", "surrogatepass"), safe="")})
            sender.send(operation, f"{part} {name}", path=path)

    assert sender.faults == []


def test_an_idempotency_key_of_nonsense_is_the_callers_mistake(sender):
    for operation in operations():
        if operation.method != "POST":
            continue
        body = json.dumps(sender.body(operation)).encode()
        for name, text in SHORT.items():
            value = text.encode("utf-8", "surrogatepass").decode("latin-1")
            sender.send(operation, f"Idempotency-Key {name}", body=body, HTTP_IDEMPOTENCY_KEY=value)

    assert sender.faults == []
