"""Every page and every form of the console, by the names the server itself asks for: no nonsense is ever our fault."""

import itertools
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import transaction
from django.http import QueryDict
from django.test import Client

from apps.users.testing import PASSWORD
from tests.security.fuzz.nonsense import CURSORS, TEXTS
from tests.security.idor.rows import ROWS
from tests.security.idor.test_matrix import address
from tests.security.idor.world import Caller, make_world

pytestmark = [pytest.mark.engines, pytest.mark.django_db]

PAGES = sorted(name for name in ROWS if not name.startswith("api-"))
FORMS = [name for name in PAGES if "POST" in ROWS[name].cells]
IN_FORMS = ("markup", "nul", "letters", "digits", "no day", "megabyte")
IN_QUERIES = IN_FORMS[:-1]
# Asked for on every page.
_EVERYWHERE = {"csrfmiddlewaretoken", "sent"}
FORM = "application/x-www-form-urlencoded"
_visitors = itertools.count()

BODIES = {
    "bytes": (b"\xff\xfe=\x80&&&=&%ff%00=%", FORM),
    "many fields": (b"&".join(b"a%d=1" % number for number in range(2000)), FORM),
    "a charset": (b"name=x", "application/x-www-form-urlencoded; charset=nonsense"),
    "utf-7": (b"name=%2BADw-", "application/x-www-form-urlencoded; charset=utf-7"),
    "no boundary": (b"--x\r\n\r\n", "multipart/form-data"),
    "cut off": (b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\nab', "multipart/form-data; boundary=x"),
    "a strange part": (
        b"--x\r\nContent-Disposition: form-data; name=\"\xff\x00\"; filename*=utf-9''%ff\r\nX: \x00\r\n\r\n=\r\n--x--",
        "multipart/form-data; boundary=x",
    ),
    "a file": (
        b'--x\r\nContent-Disposition: form-data; name="name"; filename="../../x"\r\n\r\n\x00\xff\r\n--x--\r\n',
        "multipart/form-data; boundary=x",
    ),
    "json": (b'{"name": "x"}', "application/json"),
}


class Visitor:
    """Of the owner's own browser, or of nobody's; each call comes from another address and is taken back."""

    def __init__(self, caller: Caller, world: Any) -> None:
        self._world, self._caller = world, caller
        self.client = Client(raise_request_exception=False)
        if caller.person is not None:
            self.client.force_login(caller.person)
            self.client.post("/auth/reauthenticate", {"password": PASSWORD})
        self._cookies = self.client.cookies.copy()
        self.faults: list[str] = []
        self.calls = 0

    def send(self, name: str, method: str, note: str, query: str = "", **options: Any) -> Any:
        number = next(_visitors)
        path = address(self._world, name, ROWS[name], self._caller)
        if query:
            path += f"{'&' if '?' in path else '?'}{query}"
        self.client.cookies = self._cookies.copy()
        options["REMOTE_ADDR"] = f"198.51.{number // 250 % 250}.{number % 250 + 1}"
        with transaction.atomic():
            answer = self.client.generic(method, path, **options)
            content = b"".join(answer.streaming_content) if answer.streaming else answer.content
            transaction.set_rollback(True)
        self.calls += 1
        fault = _fault(answer, content)
        if fault:
            self.faults.append(f"{method} {name} {note}: {fault}")
        return answer

    def form(self, name: str, note: str, fields: dict[str, Any]) -> None:
        self.send(name, "POST", note, data=encoded(fields), content_type=FORM)

    def good(self, name: str) -> dict[str, Any]:
        filled: dict[str, Any] = self._world.fill(ROWS[name].cells["POST"].form or {"sent": "yes"}, {})
        return filled


def encoded(fields: dict[str, Any]) -> str:
    """As a browser would if it let everything pass; Django's client takes bytes for a list."""
    sent = {key: [value] if isinstance(value, str) else value for key, value in fields.items()}
    return urlencode([(key, text.encode("utf-8", "surrogatepass")) for key, texts in sent.items() for text in texts])


def _fault(answer: Any, content: bytes) -> str:
    if answer.status_code >= 500:
        return f"answered {answer.status_code}"
    if answer.status_code < 400:
        return ""
    if answer.wsgi_request.content_type == "application/json":  # allauth's forms answer a script as it asks
        return ""
    is_page = answer["content-type"].startswith("text/html") and b"</html>" in content
    return "" if is_page else f"refused {answer.status_code} as {answer['content-type']}, {content[:80]!r}"


@contextmanager
def asked_for() -> Iterator[set[str]]:
    """The names that a view takes from the query or the form, while it runs."""
    names: set[str] = set()

    def recording(original: Any) -> Any:
        def ask(self: Any, name: Any, *more: Any) -> Any:
            names.add(name)
            return original(self, name, *more)

        return ask

    with pytest.MonkeyPatch.context() as patch:
        for method in ("__getitem__", "__contains__", "getlist", "pop"):
            patch.setattr(QueryDict, method, recording(getattr(QueryDict, method)), raising=False)
        yield names
    names -= _EVERYWHERE


@pytest.fixture(params=["the owner", "a visitor"])
def visitor(request, settings):
    """The owner is the operator too, so that no page is closed. How often one may try is another test's matter."""
    settings.ACCOUNT_RATE_LIMITS = False
    told = logging.getLogger("django.request")
    told.disabled = True
    world = make_world()
    owner = world.callers["owner"].person
    owner.is_superuser = owner.is_staff = True
    owner.save()
    yield Visitor(world.callers["owner" if request.param == "the owner" else "anonymous"], world)
    told.disabled = False


def test_nonsense_in_the_query_of_a_page_is_the_callers_mistake(visitor):
    for name in PAGES:
        if "GET" not in ROWS[name].cells:
            continue
        with asked_for() as names:
            visitor.send(name, "GET", "as it is")
        for query, kind in itertools.product(sorted(names), IN_QUERIES):
            visitor.send(name, "GET", f"?{query} {kind}", encoded({query: TEXTS[kind]}))
        for sort, (kind, cursor) in itertools.product(("", "cost"), CURSORS.items() if "cursor" in names else ()):
            visitor.send(name, "GET", f"{kind} by {sort}", encoded({"cursor": cursor, "sort": sort}))

    assert visitor.faults == []


def test_nonsense_in_a_field_of_a_form_is_the_callers_mistake(visitor):
    for name in FORMS:
        good = visitor.good(name)
        with asked_for() as names:
            visitor.form(name, "as it is", good)
        for field, kind in itertools.product(sorted(names), IN_FORMS):
            visitor.form(name, f"{field} {kind}", {**good, field: TEXTS[kind]})
        for field in sorted(names):
            visitor.form(name, f"{field} three times", {**good, field: ["", "\x00", "x"]})

    assert visitor.faults == []


def test_nonsense_for_a_form_is_the_callers_mistake(visitor):
    for name in FORMS:
        for kind, (body, content_type) in BODIES.items():
            visitor.send(name, "POST", kind, data=body, content_type=content_type)

    assert visitor.faults == []


def test_nonsense_for_the_first_account_of_an_installation_is_the_callers_mistake(settings):
    """A page that is there for one moment only."""
    good = {"name": "A", "email": "a@noor.example", "password": PASSWORD, "organization": "Noor"}
    client, answers = Client(raise_request_exception=False), []
    for field, kind in itertools.product(good, TEXTS):
        with transaction.atomic():
            sent = encoded({**good, field: TEXTS[kind]})
            answers.append(client.post("/onboarding", sent, content_type=FORM).status_code)
            transaction.set_rollback(True)

    assert set(answers) <= {302, 422}
