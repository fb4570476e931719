"""The cast of the matrix: an organization with everything in it, and everybody who should not get at it."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from cryptography.hazmat.primitives.asymmetric import ec
from django.apps import apps
from django.contrib.auth import get_user_model
from django.test import Client
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import Aaguid, AttestationObject, AttestedCredentialData, AuthenticatorData

from apps.orgs.models import ApiKey, Invitation, Membership, Notification, ProjectMembership, SupportAccess
from apps.orgs.selectors.organizations import find_standing
from apps.orgs.services.deliveries import send_test
from apps.orgs.services.invitations import invite
from apps.orgs.services.keys import issue_key, revoke_key
from apps.orgs.services.projects import create_project
from apps.orgs.services.support import begin_support
from apps.orgs.services.tokens import issue_token
from apps.orgs.services.webhooks import create_webhook
from apps.orgs.testing import bearer, make_household, make_member, make_operator, make_person
from apps.routing.models import Recosting
from apps.routing.services.credentials import add_credential
from apps.routing.services.definitions import Definition, TargetEntry
from apps.routing.services.limits import create_limit
from apps.routing.services.providers import add_model, create_provider
from apps.routing.services.routes import create_route, update_route
from brokle.edge.principal import SCOPES
from brokle.engines.clickhouse_url import connect
from brokle.engines.migrations.clickhouse import ClickHouseMigrator
from brokle.engines.migrations.upgrade import clickhouse_folder
from brokle.ground.services import SYSTEM
from brokle.kernel.clock import utc_now
from brokle.kernel.ids import new_id
from brokle.settings.env import env

ROLES = ("admin", "developer", "viewer", "billing", "consumer")


@dataclass(frozen=True, slots=True)
class Caller:
    person: Any = None
    headers: dict[str, str] | None = None
    # What this caller writes into the address in place of the victim's: their own organization around foreign objects.
    own: dict[str, str] | None = None

    def call(self, method: str, path: str, body: Any, form: Any = None) -> Any:
        client = Client()
        if self.person is not None:
            client.force_login(self.person)
        if form is not None:
            return client.post(path, form, headers=self.headers)
        data = "" if method == "GET" else json.dumps({} if body is None else body)
        return client.generic(method, path, data, content_type="application/json", headers=self.headers)


@dataclass(frozen=True, slots=True)
class World:
    params: dict[str, str]
    callers: dict[str, Caller]
    markers: frozenset[str]
    organization_id: str
    owner_id: str

    def fill(self, value: Any, own: dict[str, str]) -> Any:
        if isinstance(value, str):
            return value.format(**{**self.params, **own}) if "{" in value else value
        if isinstance(value, dict):
            return {name: self.fill(inner, own) for name, inner in value.items()}
        return value

    def state(self) -> dict[str, list[Any]]:
        """Every row that says it belongs to the organization, as it is now."""
        found = {model._meta.label: _rows(model, self.organization_id) for model in _tenant_models()}
        for model in apps.get_models():
            if "user_id" in _columns(model):
                found[f"own {model._meta.label}"] = list(
                    model._base_manager.filter(user_id=self.owner_id).order_by("pk").values_list()
                )
        kept = ("pk", "email", "password", "is_active", "is_staff", "lock_reason")
        found["people"] = list(get_user_model()._base_manager.order_by("pk").values_list(*kept))
        return found


def _tenant_models() -> list[Any]:
    return [
        model for model in apps.get_models() if "organization_id" in _columns(model) or model.__name__ == "Organization"
    ]


def _columns(model: Any) -> set[str]:
    return {field.attname for field in model._meta.concrete_fields}


def _rows(model: Any, organization_id: str) -> list[Any]:
    name = "pk" if model.__name__ == "Organization" else "organization_id"
    return list(model._base_manager.filter(**{name: organization_id}).order_by("pk").values_list())


def make_world() -> World:
    noor, zahra = make_household("noor"), make_household("zahra")
    people = {role: make_member(noor, role) for role in ROLES}
    target = make_person("target@noor.example")
    seat = Membership.objects.create(organization=noor.made.organization, user=target, role="viewer")
    ProjectMembership.objects.create(
        organization=noor.made.organization, project=noor.made.project, membership=seat, role="viewer"
    )
    invitation = _invitation(noor)
    victim = issue_key(environment=noor.production, name="victim", scopes=SCOPES, actor=SYSTEM)
    other_key = issue_key(environment=noor.made.development, name="development", scopes=SCOPES, actor=SYSTEM)
    narrow = issue_key(environment=noor.production, name="narrow", scopes=["gateway"], actor=SYSTEM)
    params = {
        "organization": noor.made.organization.slug,
        "organization_id": noor.id,
        "project_id": noor.made.project.id,
        "environment_id": noor.production.id,
        "member_id": seat.id,
        "target_id": target.pk,
        "target_email": target.email,
        "invitation_id": invitation.id,
        "key_id": victim.key_id,
        **_account_objects(noor.owner),
        "token_id": issue_token(user_id=noor.owner.pk, name="laptop", actor=SYSTEM).token.id,
        **_told(noor),
        **_routed(noor),
        "person_id": target.pk,
        "act_name": "end-sessions",
        "access_id": _supported(noor).id,
    }
    mixed = {"organization_id": zahra.id, "organization": "zahra"}
    callers = {
        "owner": Caller(noor.owner),
        **{role: Caller(person) for role, person in people.items()},
        "guest": Caller(_guest(noor)),
        "operator": Caller(make_operator()),
        "key": Caller(headers=bearer(noor.key)),
        "other_key": Caller(headers=bearer(other_key)),
        "narrow_key": Caller(headers=bearer(narrow)),
        **_ended_keys(noor),
        "anonymous": Caller(),
        "outsider": Caller(zahra.owner),
        "outsider_mixed": Caller(zahra.owner, own=mixed),
        "outsider_key": Caller(headers=bearer(zahra.key)),
        "outsider_key_mixed": Caller(headers=bearer(zahra.key), own=mixed),
    }
    markers = {value for name, value in params.items() if len(value) > 12} | {"noor.example", '"noor"'}
    return World(params, callers, frozenset(markers), noor.id, noor.owner.pk)


def _account_objects(owner: Any) -> dict[str, str]:
    kept = {"name": "key", "credential": _credential()}
    passkey = Authenticator.objects.create(user=owner, type=Authenticator.Type.WEBAUTHN, data=kept)
    session = UserSession.objects.create(user=owner, ip="192.0.2.1", session_key="s" * 32, user_agent="curl")
    linked = SocialAccount.objects.create(user=owner, provider="github", uid="1")
    return {"pk": str(passkey.pk), "session_id": str(session.pk), "account_id": str(linked.pk)}


def _credential() -> dict[str, Any]:
    """What a browser sends when a passkey is added."""
    public = ES256.from_cryptography_key(ec.generate_private_key(ec.SECP256R1()).public_key())
    attested = AttestedCredentialData.create(Aaguid.NONE, b"a-credential-id!", public)
    flags = AuthenticatorData.FLAG.UP | AuthenticatorData.FLAG.UV | AuthenticatorData.FLAG.AT
    known = AuthenticatorData.create(hashlib.sha256(b"testserver").digest(), flags, 0, attested)
    attestation = AttestationObject.create("none", known, {})
    return {
        "id": websafe_encode(attested.credential_id),
        "rawId": websafe_encode(attested.credential_id),
        "type": "public-key",
        "response": {
            "clientDataJSON": websafe_encode(
                b'{"type":"webauthn.create","challenge":"AA","origin":"http://testserver"}'
            ),
            "attestationObject": websafe_encode(bytes(attestation)),
        },
        "clientExtensionResults": {"credProps": {"rk": True}},
    }


def _told(household: Any) -> dict[str, str]:
    """A webhook with a delivery, and what its owner was notified of."""
    webhook = create_webhook(organization_id=household.id, url="https://93.184.216.34/", actor=SYSTEM).webhook
    delivery = send_test(webhook=webhook, actor=SYSTEM)
    notification = Notification.objects.create(
        organization=household.made.organization, user=household.owner, event_id="evt_told", event="key.created"
    )
    return {"webhook_id": webhook.id, "delivery_id": delivery.id, "notification_id": notification.id}


def _routed(household: Any) -> dict[str, str]:
    """A provider with a key and a model of its own, a route of two versions, and past requests charged again."""
    place = {"organization_id": household.id, "project_id": household.made.project.id}
    provider = create_provider(
        **place, name="noors-own", kind="openai-compatible", base_url="http://127.0.0.1:9/v1", actor=SYSTEM
    )
    credential = add_credential(provider=provider, secret="sk-of-noor-nobody-reads", name="noors-key", actor=SYSTEM)
    model = add_model(provider=provider, name="noors-model", actor=SYSTEM)
    definition = Definition([TargetEntry("noors-own/noors-model")])
    route = create_route(**place, name="noors-route", definition=definition, actor=SYSTEM)
    update_route(route=route, definition=Definition([TargetEntry("echo/fast")]), actor=SYSTEM)
    limit = create_limit(
        **place,
        actor=SYSTEM,
        name="noors-limit",
        subject="user",
        only="",
        measured="requests",
        amount=9,
        window="minute",
    )
    job = Recosting.objects.of(household.id).create(
        organization_id=household.id, environment=household.production, since=utc_now(), until=utc_now()
    )
    return {
        "provider_id": provider.id,
        "credential_id": credential.id,
        "model_id": model.id,
        "route_id": route.id,
        "number": "1",
        "recosting_id": job.id,
        "limit_id": limit.id,
        "request_id": _logged(household),
    }


def _logged(household: Any) -> str:
    """A call in production, as the log keeps it."""
    _prepare_log()
    row = {
        "request_id": new_id("req"),
        "organization_id": household.id,
        "project_id": household.made.project.id,
        "environment_id": household.production.id,
        "at": utc_now(),
        "user_id": "patient@noor.example",
        "status": 200,
    }
    connect(env.text("CLICKHOUSE_URL")).insert("request_logs", [list(row.values())], column_names=list(row))
    return str(row["request_id"])


@lru_cache(maxsize=1)
def _prepare_log() -> None:
    list(ClickHouseMigrator(env.text("CLICKHOUSE_URL"), clickhouse_folder()).up(None))


def _guest(household: Any) -> Any:
    """Nobody in the organization, but a developer in another project of it."""
    guest, organization = make_person("guest@noor.example"), household.made.organization
    seat = Membership.objects.create(organization=organization, user=guest, role="consumer")
    other = create_project(organization_id=household.id, name="Other", actor=SYSTEM)
    ProjectMembership.objects.create(organization=organization, project=other, membership=seat, role="developer")
    return guest


def _supported(household: Any) -> SupportAccess:
    """By an operator who is no caller here: it opens nothing to anybody else."""
    colleague = make_operator("colleague@brokle.example")
    return begin_support(organization_id=household.id, user_id=colleague.pk, reason="a ticket", actor=SYSTEM)


def _invitation(noor: Any) -> Invitation:
    standing = find_standing(user_id=noor.owner.pk, organization_id=noor.id)
    earlier: Callable[[], Any] = lambda: utc_now() - timedelta(hours=1)  # noqa: E731
    sent = invite(
        standing=standing, email="mei@noor.example", role="viewer", language="en", link=str, actor=SYSTEM, clock=earlier
    )
    return sent.invitation


def _ended_keys(noor: Any) -> dict[str, Caller]:
    made = {
        name: issue_key(environment=noor.production, name=name, scopes=SCOPES, actor=SYSTEM)
        for name in ("revoked", "expired")
    }
    rows = ApiKey.objects.of(noor.id)
    revoke_key(key=rows.get(id=made["revoked"].key_id), actor=SYSTEM, at=utc_now())
    rows.filter(id=made["expired"].key_id).update(expires_at=utc_now() - timedelta(seconds=2))
    return {f"{name}_key": Caller(headers=bearer(key)) for name, key in made.items()}
