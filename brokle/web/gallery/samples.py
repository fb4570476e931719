"""Believable data for looking at pages before their rooms exist, and for tests that look at every page."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django import forms
from django.utils.translation import gettext, gettext_lazy, gettext_noop

from brokle.engines.burn import Budget, Burn
from brokle.kernel.money import Money
from brokle.web.context import Person
from brokle.web.navigation import SECTIONS, Line
from brokle.web.overview import Row, Tile, range_menu, requests_table
from brokle.web.snippets import chat_command, chat_snippets
from brokle.web.tables import Sort, Table
from brokle.web.workspace import Choice, Quota, Workspace

KEY = "bk_test_01JC9V7K2M8ZQ4X0T5_r8Vt2mYp6Lw0Qe4Zs1Hn9Kd7Ua3_9f2c81aa"
ADDRESS = "http://127.0.0.1:8080"
PERSON = Person("Amal Haddad", "amal@noor.example")
WORKSPACE = Workspace(
    organization="Noor Health",
    plan=gettext_noop("Business plan"),
    environment=gettext_noop("production"),
    environment_tone="ok",
    choices=[
        Choice("Noor Health", "Business plan", "#", active=True),
        Choice("Qalam Labs", "Free plan", "#"),
    ],
    quota=Quota(612_480, 1_000_000),
)

_PAGES_OF = {
    "route": [
        gettext_noop("Playground"),
        gettext_noop("Routes"),
        gettext_noop("Providers"),
        gettext_noop("Caches"),
        gettext_noop("Guardrails"),
        gettext_noop("Prompts"),
    ],
}


def sections(current: str) -> list[Line]:
    lines = []
    for item in SECTIONS:
        titles = _PAGES_OF.get(item.key, [])
        is_open = item.key == current
        pages = [Line(title, gettext(title), "#", is_current=is_open and n == 1) for n, title in enumerate(titles)]
        lines.append(Line(item.key, gettext(item.title), "#", item.icon, is_open and not pages, is_open, pages))
    return lines


def _organization_field() -> forms.CharField:
    return forms.CharField(
        label=gettext_lazy("Organization"),
        max_length=120,
        help_text=gettext_lazy("Your company or team; it can be renamed later."),
        widget=forms.TextInput(attrs={"autocomplete": "organization", "dir": "auto"}),
    )


# As those of the rooms, which a page of the ground floor may not import; a test compares them.
class OwnerForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("Your name"),
        max_length=120,
        widget=forms.TextInput(attrs={"autocomplete": "name", "dir": "auto"}),
    )
    email = forms.EmailField(
        label=gettext_lazy("E-mail"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email", "dir": "ltr"}),
    )
    password = forms.CharField(
        label=gettext_lazy("Password"),
        max_length=200,
        help_text=gettext_lazy("At least 10 characters."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "dir": "ltr"}),
    )
    organization = _organization_field()


class OrganizationForm(forms.Form):
    organization = _organization_field()
    project = forms.CharField(
        label=gettext_lazy("First project"),
        max_length=120,
        required=False,
        help_text=gettext_lazy("What you are building; empty calls it default."),
        widget=forms.TextInput(attrs={"dir": "auto"}),
    )


class SignInForm(forms.Form):
    email = forms.EmailField(
        label=gettext_lazy("E-mail"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "username webauthn", "dir": "ltr"}),
    )
    password = forms.CharField(
        label=gettext_lazy("Password"),
        max_length=200,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "dir": "ltr"}),
    )


@dataclass(frozen=True, slots=True)
class Seen:
    model: str
    at: datetime
    duration_ms: float
    tokens: int
    cost: Money


@dataclass(frozen=True, slots=True)
class Sample:
    template: str
    context: Callable[[], dict[str, object]]
    section: str = "overview"


def wave(phase: float, spike_at: int | None = None) -> list[float]:
    values = [6 + 3 * math.sin(i / 40 * 6.28 + phase) + 0.5 * math.sin(i * 1.7 + phase) for i in range(40)]
    if spike_at is not None:
        values[spike_at] *= 2.1
    return values


TILES = [
    Tile(gettext_noop("Requests"), "1.28M", "+12.4%", "good", wave(-1.9), "c1"),
    Tile(gettext_noop("Latency, 95th percentile"), "842 ms", "\N{MINUS SIGN}6.1%", "good", wave(-1.2), "c3"),
    Tile(gettext_noop("First token, 95th percentile"), "311 ms", "+0.4%", "flat", wave(-0.7), "c3"),
    Tile(gettext_noop("Cost"), "$418.20", "\N{MINUS SIGN}18.0%", "good", wave(-1.5), "c2"),
    Tile(gettext_noop("Errors"), "0.31%", "+0.12", "poor", wave(0.4, 31), "c4"),
]
_OK, _LIMITED, _FAILED = gettext_noop("OK"), gettext_noop("Rate limited"), gettext_noop("Provider failed")
_CACHED, _FALLBACK = gettext_noop("cached"), gettext_noop("fallback")
_SHAPES = [
    ("claude-sonnet-4.5", "support-chat", 2_914, 14_200, 1_840, "ok", _OK, ""),
    ("gpt-4o-mini", "classify", 402, 100, 41, "ok", _OK, _CACHED),
    ("gpt-4o-mini", "support-chat", 1_208, 600, 920, "ok", _OK, _FALLBACK),
    ("gemini-2.5-flash", "summaries", None, 0, 38, "warn", _LIMITED, ""),
    ("claude-sonnet-4.5", "support-chat", 3_377, 16_800, 2_120, "ok", _OK, ""),
    ("llama-3.3-70b", "summaries", None, 0, 30_004, "bad", _FAILED, ""),
    ("echo/fast", "ci", 12, 0, 0.6, "ok", _OK, ""),
    ("gpt-4o-mini", "classify", 388, 90, 512, "ok", _OK, ""),
]


def rows() -> list[Row]:
    now = datetime.now(UTC)
    return [
        Row(
            f"req_{n:02}",
            now - timedelta(seconds=n * 37),
            model,
            key,
            tokens,
            Money(micros),
            ms,
            tone,
            status,
            note,
            "#",
        )
        for n, (model, key, tokens, micros, ms, tone, status, note) in enumerate(_SHAPES)
    ]


def table(next_cursor: str = "next") -> Table:
    return requests_table(Sort("time"), next_cursor)


def _page(**context: object) -> dict[str, object]:
    return {"room": "requests", **range_menu(), **context}


def _overview() -> dict[str, object]:
    return _page(tiles=TILES, rows=rows(), table=table())


def _overview_empty() -> dict[str, object]:
    tiles = [Tile(t.title, "0" if n in {0, 4} else "—", "", "", [], t.color) for n, t in enumerate(TILES)]
    return _page(tiles=tiles, rows=[], table=table(""), command=chat_command(ADDRESS, "$BROKLE_API_KEY"))


def _overview_away() -> dict[str, object]:
    return _page(tiles=[], rows=[], table=table(""), is_away=True)


def _key(*, seen: Seen | None = None) -> dict[str, object]:
    return {
        "key": "" if seen else KEY,
        "key_hint": "bk_test_01JC…81aa",
        "key_name": "first key",
        "environment": "production",
        "snippets": chat_snippets(ADDRESS, KEY),
        "room": "requests",
        "seen": seen,
        "next_href": "#",
    }


def _key_seen() -> dict[str, object]:
    return _key(seen=Seen("echo/fast", datetime.now(UTC), 0.6, 12, Money(0)))


def _welcome_errors() -> dict[str, object]:
    form = OwnerForm({"name": "Amal Haddad", "email": "amal", "password": "", "organization": "Noor Health"})
    form.is_valid()
    return {"form": form}


def _login() -> dict[str, object]:
    method = {"title": gettext_noop("Continue with GitHub"), "href": "#", "icon": "git-branch"}
    return {"form": SignInForm(), "methods": [method], "passkey_url": "#", "may_sign_up": True}


PAGES: dict[str, Sample] = {
    "welcome": Sample("onboarding/welcome.html", lambda: {"form": OwnerForm()}),
    "welcome-errors": Sample("onboarding/welcome.html", _welcome_errors),
    "organization": Sample("onboarding/organization.html", lambda: {"form": OrganizationForm(), "back": "#"}),
    "login": Sample("auth/login.html", _login),
    "key": Sample("onboarding/key.html", _key),
    "key-seen": Sample("onboarding/key.html", _key_seen),
    "overview": Sample("overview.html", _overview),
    "overview-empty": Sample("overview.html", _overview_empty),
    "overview-away": Sample("overview.html", _overview_away),
    "shell": Sample("gallery/shell.html", dict, "route"),
}


def _burn(now: datetime) -> Burn:
    return Burn(Budget("sample", 50_000_000, "month", now - timedelta(days=90)), 41_870_000_000, now)


def for_components() -> dict[str, object]:
    return {
        "rows": rows()[:3],
        "table": table(),
        "money": Money(418_200_000),
        "burn": _burn(datetime.now(UTC)),
        "moment": datetime.now(UTC) - timedelta(minutes=2),
        "values": wave(-1.9),
        "quota": Quota(912_480, 1_000_000),
        "form": SignInForm({"email": "amal"}),
        "tile": TILES[0],
        "options": [("hour", gettext("Last hour")), ("day", gettext("Last 24 hours"))],
        "tabs": [Line("keys", gettext("Keys"), "#", is_current=True), Line("members", gettext("Members"), "#")],
        "facts": [
            {"title": gettext("Model"), "value": "claude-sonnet-4.5", "code": True},
            {"title": gettext("Request id"), "value": "req_01JC9V7K2M8ZQ4X0T5", "copyable": True},
            {"title": gettext("Latency"), "value": "2.19 s"},
        ],
        "snippets": chat_snippets(ADDRESS, KEY),
        "command": chat_command(ADDRESS, "$BROKLE_API_KEY"),
        "swatches": [
            "canvas",
            "surface",
            "sunken",
            "accent",
            "accent-soft",
            "ok",
            "warn",
            "bad",
            "c1",
            "c2",
            "c3",
            "c4",
            "c5",
            "c6",
        ],
        "pages": [*PAGES, "400", "403", "404", "429", "500"],
    }
