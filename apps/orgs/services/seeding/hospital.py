"""Noor Health: five weeks of a team with three projects, one of everything that the settings can show."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from apps.orgs.models import BudgetWindow, Environment, Membership, Organization, Webhook
from apps.orgs.services.keys import Bounds
from apps.orgs.services.seeding import hooks, keys, places
from apps.orgs.services.seeding.chronicle import Chronicle, Happening
from apps.orgs.services.seeding.people import Person
from brokle.edge.principal import SCOPES

SLUG: Final = "noor-health"
_FORMER_NAME: Final = "Noor"
_HOURS: Final = timedelta(hours=1)
_KEY_EVENTS: Final = ("key.created", "key.updated", "key.rotated", "key.revoked")
_TEAM_EVENTS: Final = ("member.joined", "member.left", "member.role_changed", "invitation.sent")


@dataclass(slots=True)
class _World:
    chronicle: Chronicle
    people: dict[str, Person]
    organization: Organization
    triage: dict[str, Environment]
    members: dict[str, Membership]


def tell(chronicle: Chronicle, people: dict[str, Person]) -> list[str]:
    began = chronicle.on(36, "08:12")
    amal = people["amal"]
    organization = places.make_organization(chronicle, began, name=_FORMER_NAME, slug=SLUG, by=amal)
    triage = places.make_project(
        chronicle, began, organization, name="Patient triage", slug="default", by=amal, is_first=True
    )
    world = _World(chronicle, people, organization, triage, {})
    _gather(world)
    mobile, library = _build(world)
    made = [*_keys(world, mobile, library), *_tokens(world)]
    _change(world)
    _invite(world)
    _hooks(world)
    return [f"organization {SLUG}", *made]


def _gather(world: _World) -> None:
    """The team grows."""
    arrivals = (
        ("sami", "admin", "amal", 35, "09:05"),
        ("jonas", "developer", "amal", 34, "09:18"),
        ("layla", "developer", "sami", 31, "10:40"),
        ("mei", "developer", "sami", 27, "08:33"),
        ("priya", "billing", "amal", 24, "11:02"),
        ("tomas", "consumer", "sami", 19, "13:47"),
        ("sofia", "viewer", "sami", 12, "09:26"),
    )
    for name, role, by, days_ago, clock_time in arrivals:
        at = world.chronicle.on(days_ago, clock_time)
        person, host = world.people[name], world.people[by]
        world.members[name] = places.welcome(world.chronicle, at, world.organization, person, role=role, by=host)


def _build(world: _World) -> tuple[dict[str, Environment], dict[str, Environment]]:
    chronicle, sami = world.chronicle, world.people["sami"]
    mobile = places.make_project(
        chronicle, chronicle.on(29, "09:50"), world.organization, name="Mobile app", slug="mobile-app", by=sami
    )
    triage = world.triage["production"].project
    world.triage["staging"] = places.add_environment(
        chronicle, chronicle.on(28, "10:15"), triage, places.STAGING, by=sami
    )
    library = places.make_project(
        chronicle,
        chronicle.on(15, "12:08"),
        world.organization,
        name="المكتبة الطبية",
        slug="medical-library",
        by=sami,
        kinds=(places.PRODUCTION, places.STAGING, places.DEVELOPMENT),
    )
    at = chronicle.on(18, "09:02")
    places.give_project_role(chronicle, at, world.members["tomas"], mobile["production"].project, "developer", by=sami)
    at = chronicle.ago(minutes=34)
    places.give_project_role(chronicle, at, world.members["sofia"], library["production"].project, "developer", by=sami)
    return mobile, library


def _keys(world: _World, mobile: dict[str, Environment], library: dict[str, Environment]) -> list[str]:
    """Bounded, rotating, about to expire, expired, revoked, never used."""
    return [_rotated_key(world), *_everyday_keys(world, mobile), *_short_lived_keys(world, library)]


def _rotated_key(world: _World) -> str:
    chronicle, jonas, now = world.chronicle, world.people["jonas"], world.chronicle.ago(minutes=1)
    bounds = Bounds(
        allowed_models=["openai/gpt-4o", "anthropic/claude-sonnet-4"],
        allowed_ips=["203.0.113.0/24"],
        requests_per_minute=1200,
        tokens_per_minute=400_000,
        budget_usd_micros=2_500_000_000,
    )
    at, place, scopes = chronicle.on(33, "10:21"), world.triage["production"], ("gateway", "ingest")
    key, _ = keys.make_key(chronicle, at, place, "triage service", scopes, by=jonas, bounds=bounds, used_at=now)
    return keys.rotate(chronicle, chronicle.on(1, "08:40"), key, by=jonas, overlap=72 * _HOURS, used_at=now)


def _everyday_keys(world: _World, mobile: dict[str, Environment]) -> list[str]:
    chronicle, people = world.chronicle, world.people
    origins = Bounds(allowed_origins=["https://app.noor.example"], requests_per_minute=300)
    allowance = Bounds(budget_usd_micros=40_000_000, budget_window=BudgetWindow.DAY)
    made = [
        keys.make_key(
            chronicle,
            chronicle.on(28, "14:30"),
            mobile["production"],
            "mobile app",
            ("decide", "ingest"),
            by=people["layla"],
            bounds=origins,
            used_at=chronicle.ago(minutes=1),
        ),
        keys.make_key(
            chronicle,
            chronicle.on(22, "16:05"),
            world.triage["staging"],
            "nightly evaluation",
            ("gateway",),
            by=people["jonas"],
            bounds=allowance,
            used_at=chronicle.on(1, "02:00"),
        ),
        keys.make_key(
            chronicle,
            chronicle.on(26, "11:55"),
            world.triage["development"],
            "notebooks",
            SCOPES,
            by=people["mei"],
            used_at=chronicle.ago(hours=20),
        ),
    ]
    return [line for _key, line in made]


def _short_lived_keys(world: _World, library: dict[str, Environment]) -> list[str]:
    chronicle, layla, sami = world.chronicle, world.people["layla"], world.people["sami"]
    soon = Bounds(requests_per_minute=60, expires_at=chronicle.now + timedelta(days=4))
    _, pilot = keys.make_key(
        chronicle,
        chronicle.on(10, "09:45"),
        library["production"],
        "university pilot",
        ("invoke",),
        by=layla,
        bounds=soon,
        used_at=chronicle.ago(hours=5),
    )
    over = Bounds(expires_at=chronicle.on(3, "18:00"))
    keys.make_key(
        chronicle,
        chronicle.on(17, "15:12"),
        world.triage["production"],
        "load test",
        ("gateway",),
        by=layla,
        bounds=over,
        used_at=chronicle.on(4, "17:31"),
    )
    prototype, _ = keys.make_key(
        chronicle,
        chronicle.on(30, "13:33"),
        world.triage["production"],
        "old prototype",
        ("gateway", "admin"),
        by=layla,
        used_at=chronicle.on(6, "15:01"),
    )
    keys.revoke(chronicle, chronicle.on(6, "15:20"), prototype, by=sami)
    _, fresh = keys.make_key(
        chronicle,
        chronicle.ago(hours=4, minutes=20),
        library["staging"],
        "search index",
        ("gateway", "ingest"),
        by=layla,
    )
    return [pilot, fresh]


def _tokens(world: _World) -> list[str]:
    chronicle, amal, jonas = world.chronicle, world.people["amal"], world.people["jonas"]
    laptop = {"expires_at": chronicle.now + timedelta(days=68), "last_used_at": chronicle.ago(minutes=48)}
    report = {"expires_at": chronicle.on(2, "09:00"), "last_used_at": chronicle.on(3, "06:00"), "is_read_only": True}
    made = keys.make_token(chronicle, chronicle.on(22, "08:58"), amal, "work laptop", **laptop)
    keys.make_token(chronicle, chronicle.on(32, "10:00"), amal, "weekly report", **report)
    return [*made, *keys.make_token(chronicle, chronicle.on(21, "10:31"), jonas, "brokle on ci-runner-2")]


def _change(world: _World) -> None:
    """Small things of everyday, up to this hour."""
    chronicle, amal, sami, jonas = (world.chronicle, *(world.people[name] for name in ("amal", "sami", "jonas")))
    mei, staging = world.members["mei"], world.triage["staging"]
    mei.role = "viewer"
    mei.save(update_fields=["role"])
    chronicle.tell(
        chronicle.on(9, "10:11"),
        "member.role_changed",
        mei,
        by=sami,
        before={"role": "developer"},
        after={"role": "viewer"},
    )
    world.organization.name = "Noor Health"
    world.organization.save(update_fields=["name"])
    chronicle.tell(
        chronicle.on(5, "12:40"),
        "organization.updated",
        world.organization,
        by=amal,
        before={"name": _FORMER_NAME, "slug": SLUG},
        after={"name": "Noor Health", "slug": SLUG},
    )
    facts: dict[str, Any] = {"slug": "staging", "project": staging.project_id, "is_live": False}
    chronicle.tell(
        chronicle.ago(hours=2, minutes=50),
        "environment.updated",
        staging,
        by=jonas,
        before={**facts, "name": "staging", "color": "idle"},
        after={**facts, "name": "staging", "color": "accent"},
    )


def _invite(world: _World) -> None:
    """Open, expired and taken back; those who came stand in `_gather`."""
    chronicle, amal, sami = world.chronicle, world.people["amal"], world.people["sami"]

    def invite(at: Any, email: str, role: str, by: Person, language: str = "en") -> Any:
        return places.invite(chronicle, at, world.organization, email=email, role=role, by=by, language=language)

    invite(chronicle.on(13, "09:30"), "omar.aziz@noor.example", "developer", sami, "ar")
    mistake = invite(chronicle.on(11, "14:02"), "finance@nour.example", "billing", amal)
    places.take_back(chronicle, chronicle.on(11, "14:09"), mistake, by=amal)
    invite(chronicle.on(2, "10:17"), "hessa@noor.example", "developer", amal, "ar")
    invite(chronicle.ago(minutes=52), "daniel.okafor@noor.example", "viewer", sami)


def _hooks(world: _World) -> None:
    """One that works, one that fails since this morning, one whose receiver is gone."""
    chronicle, sami, amal = world.chronicle, world.people["sami"], world.people["amal"]
    team = hooks.make_webhook(
        chronicle,
        chronicle.on(23, "09:14"),
        world.organization,
        url="https://hooks.noor.example/brokle/security",
        description="Security channel",
        by=sami,
        event_types=_KEY_EVENTS,
    )
    archive = hooks.make_webhook(
        chronicle,
        chronicle.on(20, "10:36"),
        world.organization,
        url="https://archive.noor.example/events",
        description="Compliance archive",
        by=amal,
    )
    crm = hooks.make_webhook(
        chronicle,
        chronicle.on(25, "15:41"),
        world.organization,
        url="https://crm.partner.example/in/8f2c",
        description="Partner CRM",
        by=sami,
        event_types=_TEAM_EVENTS,
    )
    hooks.rotate_secret(chronicle, chronicle.on(2, "11:25"), team, by=sami, overlap=96 * _HOURS)
    heard = [event for event in chronicle.events(since=crm.created_at) if hooks.listens(crm, event)]
    last = next(event for event in heard if event.at > chronicle.on(12, "00:00"))
    hooks.switch_off(chronicle, last.at + timedelta(seconds=1), crm)
    failing = next(event for event in chronicle.events(since=chronicle.now - 6 * _HOURS))
    hooks.fail_since(archive, failing.at + timedelta(seconds=1))
    for number, event in enumerate(chronicle.events(since=crm.created_at)):
        busy = (hooks.BUSY,) * hooks.tries_until(chronicle.now, event)
        _deliver(chronicle, team, event, (hooks.BUSY, hooks.OK) if number % 6 == 0 else (hooks.OK,))
        _deliver(chronicle, archive, event, busy if event.at >= failing.at else (hooks.OK,))
        if event.at <= last.at:
            _deliver(chronicle, crm, event, (hooks.GONE,) if event is last else (hooks.OK,))


def _deliver(chronicle: Chronicle, webhook: Webhook, event: Happening, answers: Sequence[hooks.Answer]) -> None:
    if event.at > webhook.created_at and hooks.listens(webhook, event):
        hooks.deliver(chronicle, webhook, event, answers)
