"""Quotes, NUL, a megabyte and strange letters in every field: the sender's mistake, never ours."""

from urllib.parse import urlencode

import pytest
from django.test import Client

from apps.users.models import User
from apps.users.testing import PASSWORD, forget_limits

pytestmark = pytest.mark.engines

NASTY = {
    "quotes": "'\"`;--</script><b>{{7*7}}{% now %}",
    "nul": "a\x00b@noor.example",
    "megabyte": "x" * 1_000_000,
    "emoji": "😀\u200d🔥@\ufeff\u202e.example",
    "surrogate": "\udcff\udc80",
    "empty": "",
    "newlines": "a@noor.example\r\nBcc: b@noor.example",
    "arabic": "أمل@نور.example",
    "percent": "%00%ff%s%n",
}
VISITOR = [
    ("/auth/login", "email", {"password": PASSWORD}),
    ("/auth/login", "password", {"email": "amal@noor.example"}),
    ("/auth/login", "next", {"email": "amal@noor.example", "password": "not-it"}),
    ("/auth/signup", "name", {"email": "n@noor.example", "password1": "short"}),
    ("/auth/signup", "email", {"name": "n", "password1": PASSWORD}),
    ("/auth/signup", "password1", {"name": "n", "email": "n@noor.example"}),
    ("/auth/password/reset", "email", {}),
]
PERSON = [
    ("/settings", "name", {"language": "en", "theme": "dark", "time_zone": "UTC"}),
    ("/settings", "time_zone", {"language": "en", "theme": "dark", "name": "A"}),
    ("/settings", "language", {"theme": "dark", "time_zone": "UTC"}),
    ("/settings", "theme", {"language": "en", "time_zone": "UTC"}),
    ("/settings/email", "email", {}),
    ("/settings/delete", "confirm", {"password": PASSWORD}),
    ("/settings/delete", "password", {"confirm": "amal@noor.example"}),
    ("/settings/security/password", "oldpassword", {"password1": "another-long-password"}),
    ("/settings/security/password", "password1", {"oldpassword": PASSWORD}),
    ("/settings/security/codes", "code", {}),
    ("/settings/security/passkeys/add", "name", {"credential": "{}"}),
    ("/auth/reauthenticate", "password", {}),
    ("/auth/reauthenticate", "next", {"password": PASSWORD}),
]


def post_with(client, path, field, text, others):
    """As bytes of a form: the client's own encoding takes bytes for a list of numbers."""
    sent = urlencode({**others, field: text.encode("utf-8", "surrogateescape")})
    return client.post(path, sent, content_type="application/x-www-form-urlencoded")


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY.keys())
@pytest.mark.parametrize(("path", "field", "others"), VISITOR, ids=[f"{path} {field}" for path, field, _ in VISITOR])
def test_a_visitors_nonsense_never_breaks_a_page(amal, path, field, others, text):
    client = Client(raise_request_exception=False)
    response = post_with(client, path, field, text, others)

    assert response.status_code in {200, 302, 400, 422}, response.status_code
    assert User.objects.filter(pk=amal.pk, email="amal@noor.example").exists()


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY.keys())
@pytest.mark.parametrize(("path", "field", "others"), PERSON, ids=[f"{path} {field}" for path, field, _ in PERSON])
def test_a_persons_nonsense_never_breaks_a_page(amal, path, field, others, text):
    client = Client(raise_request_exception=False)
    client.force_login(amal)
    client.post("/auth/reauthenticate", {"password": PASSWORD})
    forget_limits()
    response = post_with(client, path, field, text, others)

    assert response.status_code in {200, 302, 400, 422}, response.status_code
    is_new = (path, response.status_code) == ("/settings/security/password", 302)
    assert User.objects.get(pk=amal.pk).check_password(text if is_new else PASSWORD)


@pytest.mark.parametrize("name", ["user-agent", "x-forwarded-for", "accept-language", "referer", "cookie", "host"])
@pytest.mark.parametrize(
    "text", ["'\"<b>", "x" * 100_000, "\xff\xfe", "a;b=c,,,;"], ids=["quotes", "long", "bytes", "odd"]
)
def test_headers_of_nonsense_never_break_the_sign_in(amal, name, text):
    client = Client(raise_request_exception=False, headers={name: text})
    response = client.post("/auth/login", {"email": "amal@noor.example", "password": PASSWORD})

    assert response.status_code in {302, 400}


@pytest.mark.parametrize("method", ["put", "delete", "patch", "options", "trace"])
@pytest.mark.parametrize("path", ["/auth/login", "/auth/signup", "/settings", "/settings/delete", "/auth/logout"])
def test_a_method_that_is_not_offered_changes_nothing(amal, path, method):
    client = Client(raise_request_exception=False)
    client.force_login(amal)

    assert getattr(client, method)(path).status_code < 500
    assert client.get("/settings").status_code == 200
