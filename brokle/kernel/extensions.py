"""Typed extension points: core declares them, rooms and ee fill them in `AppConfig.ready()`."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from brokle.kernel import features

T = TypeVar("T")


class UnableToExtend(Exception):
    pass


@dataclass(frozen=True, slots=True)
class _Entry(Generic[T]):
    name: str
    value: T
    order: int
    feature: str | None


class Collector(Generic[T]):
    """Many contributions, ordered; those of a feature show only where it is granted."""

    def __init__(self, name: str, kind: type[T], meaning: str) -> None:
        self.name, self.meaning, self._kind = name, meaning, kind
        self._entries: dict[str, _Entry[T]] = {}
        _register_point(self)

    def register(self, name: str, value: T, *, order: int = 100, feature: str | None = None) -> None:
        if name in self._entries:
            raise UnableToExtend(f"{self.name} already has {name!r}")
        if not isinstance(value, self._kind):
            raise UnableToExtend(f"{self.name} takes {self._kind.__name__}, not {type(value).__name__}")
        self._entries[name] = _Entry(name, value, order, feature)

    def collect(self, organization_id: str | None = None) -> list[T]:
        entries = sorted(self._entries.values(), key=lambda entry: (entry.order, entry.name))
        return [e.value for e in entries if e.feature is None or features.granted(e.feature, organization_id)]

    @contextmanager
    def plugged(self, name: str, value: T, *, order: int = 100, feature: str | None = None) -> Iterator[None]:
        """For tests: registered inside the block only."""
        self.register(name, value, order=order, feature=feature)
        try:
            yield
        finally:
            del self._entries[name]


class Policy(Generic[T]):
    """One choice with a core default; a feature's replacement rules only where it is granted."""

    def __init__(self, name: str, default: T, meaning: str) -> None:
        self.name, self.meaning, self._default = name, meaning, default
        self._override: _Entry[T] | None = None
        _register_point(self)

    def register(self, name: str, value: T, *, feature: str | None = None) -> None:
        if self._override is not None:
            raise UnableToExtend(f"{self.name} is already replaced by {self._override.name!r}")
        self._override = _Entry(name, value, 0, feature)

    def choose(self, organization_id: str | None = None) -> T:
        entry = self._override
        if entry is None or (entry.feature and not features.granted(entry.feature, organization_id)):
            return self._default
        return entry.value

    @contextmanager
    def plugged(self, name: str, value: T, *, feature: str | None = None) -> Iterator[None]:
        """For tests: replaced inside the block only."""
        self.register(name, value, feature=feature)
        try:
            yield
        finally:
            self._override = None


_points: dict[str, Collector[Any] | Policy[Any]] = {}


def _register_point(point: Collector[Any] | Policy[Any]) -> None:
    if point.name in _points:
        raise UnableToExtend(f"extension point {point.name!r} is declared twice")
    _points[point.name] = point


def points() -> list[Collector[Any] | Policy[Any]]:
    return [_points[name] for name in sorted(_points)]


@dataclass(frozen=True, slots=True)
class NavigationItem:
    """A line in the sidebar; `parent` puts it below another; titles are translated lazily by the page."""

    key: str
    title: str
    url_name: str
    icon: str = ""
    parent: str = ""


@dataclass(frozen=True, slots=True)
class Command:
    """A line in the ⌘K palette that is not a page of the navigation; some are for operators alone."""

    key: str
    title: str
    url_name: str
    icon: str = "search"
    is_for_operators: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """A line above the pages with one button: `text` is safe HTML in the reader's language, `action` takes a POST."""

    text: str
    action: str
    label: str


@dataclass(frozen=True, slots=True)
class NoticeSource:
    """Gives what this person must not overlook on any page. Asked for every page: whom it never concerns costs none."""

    name: str
    find: Callable[[Any], list[Notice]]


@dataclass(frozen=True, slots=True)
class SettingsTab:
    """`permission` hides it from those who lack it; the page itself asks too."""

    key: str
    title: str
    url_name: str
    permission: str = ""


@dataclass(frozen=True, slots=True)
class AccountDeletionCheck:
    """May keep a person from deleting their account: gives the reason and its mend, in their language, or None.

    `hold` is called first, in the transaction of the deletion: until its end nobody else may bring the obstacle about.
    """

    name: str
    find_obstacle: Callable[[str], str | None]
    hold: Callable[[str], None] | None = None


@dataclass(frozen=True, slots=True)
class OutboxHandler:
    """Called by the worker with each outbox payload of a topic; must be idempotent."""

    topic: str
    handle: Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class SnapshotPart:
    """One kind of edge object: `compile_one(id)` gives its bytes or None, `compile_all()` every id with its bytes."""

    kind: str
    compile_one: Callable[[str], bytes | None]
    compile_all: Callable[[], Iterator[tuple[str, bytes]]]


@dataclass(frozen=True, slots=True)
class ConfigSection:
    """A part of the `BROKLE_CONFIG` file: parsed as `type`, then applied whole; an absent one is applied empty.

    `apply` must be idempotent, and remove what an earlier file made and this one no longer names.
    """

    name: str
    type: Any
    apply: Callable[[Any], None]


@dataclass(frozen=True, slots=True)
class StartStep:
    """Runs at every start after the migrations; must be idempotent."""

    name: str
    run: Callable[[], None]


@dataclass(frozen=True, slots=True)
class PeriodicTask:
    """A Celery task that beat sends every so often; its row may be changed by an operator."""

    name: str
    task: str
    every_seconds: int
    queue: str = "default"


@dataclass(frozen=True, slots=True)
class WorkerLoop:
    """Runs beside Celery in every worker.

    `make()` gives the step: called again at once while it returns more than 0, else after a signal on the PostgreSQL
    channel or a second.
    """

    name: str
    make: Callable[[], Callable[[], int]]
    channel: str = ""


@dataclass(frozen=True, slots=True)
class LoginMethod:
    """A button on the sign-in page beside the password."""

    title: str
    href: str
    icon: str = ""


@dataclass(frozen=True, slots=True)
class LiveRoom:
    """A kind of `/ws` room, `kind:object_id`; `may_join(user, object_id)` keeps tenants apart."""

    kind: str
    may_join: Callable[[Any, str], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class BearerPerson:
    """The person behind a token; `credential` names the token for sessions and the audit log."""

    user: Any
    credential: str
    is_read_only: bool = False


@dataclass(frozen=True, slots=True)
class PersonCredential:
    """A kind of token that stands for a person: `claims(token)` by its form, `find(token)` gives whose, or None."""

    name: str
    claims: Callable[[str], bool]
    find: Callable[[str], BearerPerson | None]


@dataclass(frozen=True, slots=True)
class Seed:
    """Fills an installation for `brokle seed PROFILE`; must be idempotent. Returns a line for each thing it made."""

    profiles: frozenset[str]
    run: Callable[[str], list[str]]


@dataclass(frozen=True, slots=True)
class EventType:
    """Something that happens to an organization and that others may be told of. `key` is `noun.past_tense`.

    Whoever holds the permission `audience` is notified, and by e-mail too whoever holds `mailed`, unless they chose
    otherwise. `person` names the member of the event's data with the id of somebody whom it concerns in person.
    `item` is the page of the one thing that it tells of, `url_name` the one that lists such things; who lacks
    `item_needs` is led to the list, who lacks `needs` to the overview. `lists` are the pages of things of other kinds:
    what their ids begin with, the page's name, and what it needs.
    """

    key: str
    title: str
    audience: str = ""
    mailed: str = ""
    person: str = ""
    url_name: str = ""
    needs: str = ""
    item: str = ""
    item_needs: str = ""
    lists: tuple[tuple[str, str, str], ...] = ()

    def list_of(self, thing_id: str) -> tuple[str, str]:
        """The name of the page, and what it needs."""
        found = (page for prefix, *page in self.lists if thing_id.startswith(prefix))
        url_name, needs = next(found, (self.url_name, self.needs))
        return url_name, needs

    @property
    def is_notified(self) -> bool:
        return bool(self.audience or self.person)


@dataclass(frozen=True, slots=True)
class OrganizationPurge:
    """Removes what a room holds of an organization outside of PostgreSQL's cascades; must be idempotent."""

    name: str
    run: Callable[[str], None]


event_types = Collector("event_types", EventType, "Events that webhooks and notifications tell of.")
organization_purges = Collector(
    "organization_purges", OrganizationPurge, "What each room forgets when an organization is gone for good."
)
navigation = Collector("navigation", NavigationItem, "Lines of the console's sidebar.")
commands = Collector("commands", Command, "Lines of the command palette beyond the navigation.")
notices = Collector("notices", NoticeSource, "Lines above every page of the console.")
settings_tabs = Collector("settings_tabs", SettingsTab, "Tabs of the organization's settings page.")
user_settings_tabs = Collector("user_settings_tabs", SettingsTab, "Tabs of a person's own settings page.")
account_deletion_checks = Collector(
    "account_deletion_checks", AccountDeletionCheck, "What keeps a person from deleting their account."
)
outbox_handlers = Collector("outbox_handlers", OutboxHandler, "Receivers of committed outbox rows, by topic.")
snapshot_parts = Collector("snapshot_parts", SnapshotPart, "What each room compiles into the edge's snapshot.")
config_sections = Collector("config_sections", ConfigSection, "Sections of the `BROKLE_CONFIG` file.")
start_steps = Collector("start_steps", StartStep, "What rooms do at every start, after the migrations.")
periodic_tasks = Collector("periodic_tasks", PeriodicTask, "Tasks that beat sends at intervals.")
worker_loops = Collector("worker_loops", WorkerLoop, "Steps that rooms have run again and again in the worker.")
live_rooms = Collector("live_rooms", LiveRoom, "Kinds of rooms on `/ws` and who may join them.")
person_credentials = Collector(
    "person_credentials", PersonCredential, "Tokens that stand for a person, on the management API and `/ws`."
)
seeds = Collector("seeds", Seed, "What `brokle seed` puts into an installation.")
login_methods = Collector("login_methods", LoginMethod, "Ways to sign in beside the password.")


def _nothing_seen(organization_id: str, environment_id: str) -> object | None:
    return None


def _no_home(request: Any) -> object | None:
    return None


home_workspace = Policy(
    "home_workspace", _no_home, "Finds the organization that the sidebar shows on a person's own pages."
)

first_request = Policy("first_request", _nothing_seen, "Finds the first request of an environment, for onboarding.")


def _none_unread(user_id: str) -> int:
    return 0


unread_notifications = Policy("unread_notifications", _none_unread, "Counts what a person has not read, for the bell.")


def find_event_type(key: str) -> EventType | None:
    """An event of the catalogue."""
    return next((known for known in event_types.collect() if known.key == key), None)


def _no_keys(key_hash: str) -> bytes | None:
    return None


api_principal = Policy("api_principal", _no_keys, "Finds an API key by its hash for the management API.")
