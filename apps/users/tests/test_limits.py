import pytest
from django.test import Client

from apps.users.testing import PASSWORD, promised_letters

pytestmark = pytest.mark.engines


def statuses(path, fields, times, client=None):
    return [
        (client or Client()).post(path, fields(n) if callable(fields) else fields).status_code for n in range(times)
    ]


def test_a_password_is_guessed_five_times_and_then_even_the_right_one_waits(amal):
    wrong = {"email": "amal@noor.example", "password": "not-it"}
    assert statuses("/auth/login", wrong, 6) == [422] * 5 + [429]
    response = Client().post("/auth/login", {"email": "amal@noor.example", "password": PASSWORD})

    assert response.status_code == 429
    wait = int(response["retry-after"])
    assert 280 <= wait <= 300
    assert f"Try again in {wait} seconds." in response.content.decode()
    assert "<h1>Too many requests</h1>" in response.content.decode()


def test_one_machine_guesses_ten_addresses_a_minute(amal):
    fields = lambda n: {"email": f"nobody{n}@noor.example", "password": "not-it"}  # noqa: E731

    assert statuses("/auth/login", fields, 11) == [422] * 10 + [429]


def test_another_machine_is_not_held_up(amal):
    fields = lambda n: {"email": f"nobody{n}@noor.example", "password": "not-it"}  # noqa: E731
    statuses("/auth/login", fields, 11)
    there = Client(REMOTE_ADDR="192.0.2.7")

    assert there.post("/auth/login", {"email": "amal@noor.example", "password": PASSWORD}).status_code == 302


def test_a_forwarded_header_makes_no_new_machine(amal):
    fields = {"password": "not-it"}
    answers = [
        Client(headers={"x-forwarded-for": f"203.0.113.{n}", "x-real-ip": f"203.0.113.{n}"})
        .post("/auth/login", {**fields, "email": f"nobody{n}@noor.example"})
        .status_code
        for n in range(11)
    ]

    assert answers[-1] == 429


def test_sign_ups_and_resets_are_limited(amal, mandatory):
    new = lambda n: {"name": "x", "email": f"n{n}@noor.example", "password1": "short"}  # noqa: E731
    assert statuses("/auth/signup", new, 21)[-2:] == [422, 429]
    assert statuses("/auth/password/reset", {"email": "amal@noor.example"}, 6) == [302] * 5 + [429]
    assert len(promised_letters()) == 5


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/auth/reauthenticate", {"password": "not-it"}),
        ("/settings/security/password", {"oldpassword": "not-it", "password1": "another-long-password"}),
        ("/settings/delete", {"confirm": "amal@noor.example", "password": "not-it"}),
    ],
)
def test_the_doors_inside_are_limited_too(amal, path, fields):
    client = Client()
    client.post("/auth/login", {"email": "amal@noor.example", "password": PASSWORD})
    found = statuses(path, fields, 12, client)

    assert found[0] == 422
    assert found[-1] == 429


def test_a_program_gets_a_problem(amal):
    wrong = {"email": "amal@noor.example", "password": "not-it"}
    statuses("/auth/login", wrong, 5)
    response = Client(headers={"accept": "application/json, */*"}).post("/auth/login", wrong)

    assert (response.status_code, response["content-type"]) == (429, "application/problem+json")
    assert response.json()["code"] == "rate_limited"
    assert int(response["retry-after"]) > 0
