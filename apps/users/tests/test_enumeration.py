"""Nobody learns from outside whether an address has an account."""

import re
import time

import pytest
from allauth.account.models import EmailAddress
from django.test import Client

from apps.users.models import User
from apps.users.testing import PASSWORD, forget_limits, promised_letters
from brokle.ground.models import AuditEntry

pytestmark = pytest.mark.engines

KNOWN, UNKNOWN = "amal@noor.example", "nobody@noor.example"


def plain(response, email):
    """The page without what belongs to this one request."""
    text = response.content.decode().replace(email, "EMAIL")
    text = re.sub(r'(csrfmiddlewaretoken" value="|nonce=")[^"]+', r"\1X", text)
    text = re.sub(r'"X-CSRFToken": "[^"]+"', "X", text)
    location = response.headers.get("location", "").replace(email, "EMAIL")
    return (response.status_code, location, text, sorted(response.cookies))


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/auth/login", {"password": "not-the-password"}),
        ("/auth/password/reset", {}),
        ("/auth/signup", {"name": "Basim", "password1": PASSWORD}),
    ],
)
def test_known_and_unknown_addresses_are_answered_alike(amal, mandatory, path, fields):
    known = Client().post(path, {"email": KNOWN, **fields})
    unknown = Client().post(path, {"email": UNKNOWN, **fields})

    assert plain(known, KNOWN) == plain(unknown, UNKNOWN)


@pytest.mark.parametrize("path", ["/auth/password/reset", "/auth/signup"])
def test_the_page_after_is_the_same_too(amal, mandatory, path):
    pages = []
    for email in (KNOWN, UNKNOWN):
        client = Client()
        response = client.post(path, {"email": email, "name": "Basim", "password1": PASSWORD}, follow=True)
        pages.append(plain(response, email))

    assert pages[0] == pages[1]


def test_only_the_mailbox_is_told(amal, mandatory):
    Client().post("/auth/signup", {"email": KNOWN.upper(), "name": "Basim", "password1": PASSWORD})
    Client().post("/auth/password/reset", {"email": UNKNOWN})
    Client().post("/auth/password/reset", {"email": KNOWN})

    assert [(letter.to, letter.subject) for letter in promised_letters()] == [
        (KNOWN, "You already have an account"),
        (UNKNOWN, "There is no account with this address"),
        (KNOWN, "Set a new password"),
    ]
    assert (User.objects.count(), EmailAddress.objects.count()) == (1, 1)


def test_a_failed_sign_in_leaves_the_same_entry_for_both(amal):
    for email in (KNOWN, UNKNOWN):
        Client().post("/auth/login", {"email": email, "password": "not-the-password"})
    first, second = AuditEntry.objects.order_by("sequence")

    assert (first.action, first.after, first.target_kind) == (second.action, second.after, second.target_kind)
    assert first.target_id != second.target_id


def test_too_many_attempts_look_alike(amal):
    answers = {}
    for email in (KNOWN, UNKNOWN):
        forget_limits()
        tries = [Client().post("/auth/login", {"email": email, "password": "not-the-password"}) for _ in range(6)]
        answers[email] = [response.status_code for response in tries]

    assert answers[KNOWN] == answers[UNKNOWN] == [422] * 5 + [429]


def test_changing_to_an_address_that_is_taken_tells_only_its_mailbox(amal):
    from apps.users.testing import make_verified_person

    make_verified_person("basim@noor.example")
    client = Client()
    client.post("/auth/login", {"email": KNOWN, "password": PASSWORD})
    client.post("/auth/reauthenticate", {"password": PASSWORD})
    answers = [client.post("/settings/email", {"email": new}) for new in ("basim@noor.example", "free@noor.example")]

    assert [(one.status_code, one["location"]) for one in answers] == [(302, "/settings/email")] * 2
    assert [(letter.to, letter.subject) for letter in promised_letters()] == [
        ("basim@noor.example", "This address has another account"),
        ("free@noor.example", "Confirm your new e-mail address"),
    ]
    assert User.objects.get(pk=amal.pk).email == KNOWN


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/auth/login", {"password": "not-the-password"}),
        ("/auth/password/reset", {}),
        ("/auth/signup", {"name": "Basim", "password1": PASSWORD}),
    ],
)
def test_both_take_about_as_long(amal, mandatory, settings, path, fields):
    settings.PASSWORD_HASHERS = ["brokle.web.passwords.Argon2"]
    amal.set_password(PASSWORD)
    amal.save()

    def seconds(email):
        """Of work, not of waiting: what others do on the machine meanwhile is no part of it."""
        forget_limits()
        began = time.process_time()
        Client().post(path, {"email": email, **fields})
        return time.process_time() - began

    seconds(UNKNOWN.replace("nobody", "warm"))
    rounds = range(7)
    known = min(seconds(KNOWN) for _ in rounds)
    unknown = min(seconds(f"nobody{n}@noor.example") for n in rounds)

    # A password's hash takes 60 to 100 ms here; to skip it would halve the work.
    assert 0.7 < known / unknown < 1.4
