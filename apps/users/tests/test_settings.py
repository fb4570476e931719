import pytest
from allauth.account.models import EmailAddress
from django.test import Client

from apps.users.models import User
from apps.users.testing import PASSWORD, account_actions, link_in, make_verified_person, promised_letters
from brokle.kernel.extensions import AccountDeletionCheck, SettingsTab, account_deletion_checks, user_settings_tabs

pytestmark = pytest.mark.engines

PROFILE = {"name": "Amal H.", "language": "ar", "theme": "dark", "time_zone": "Asia/Riyadh"}
PAGES = ["/settings", "/settings/email", "/settings/security", "/settings/sessions", "/settings/delete"]


def signed_in(*, proven=True, email="amal@noor.example"):
    client = Client()
    client.post("/auth/login", {"email": email, "password": PASSWORD})
    if proven:
        client.post("/auth/reauthenticate", {"password": PASSWORD})
    return client


@pytest.mark.parametrize("path", [*PAGES, "/settings/security/password", "/settings/security/recovery-codes"])
def test_a_visitor_is_sent_to_the_sign_in(amal, path):
    assert Client().get(path)["location"].startswith("/auth/login?next=/settings")


def test_each_tab_marks_itself(amal):
    client = signed_in()
    current = {
        path: client.get(path).content.decode().split('aria-current="page">')[-1].split("<")[0] for path in PAGES
    }

    assert current == dict(zip(PAGES, ["Profile", "E-mail", "Security", "Sessions", "Delete account"], strict=True))


def test_another_room_hangs_its_tab_before_the_last(amal):
    with user_settings_tabs.plugged("notices", SettingsTab("notices", "Notices", "dashboard")):
        html = signed_in().get("/settings").content.decode()

    assert html.index(">Sessions<") < html.index('href="/dashboard">Notices<') < html.index(">Delete account<")


def test_the_profile_is_kept_and_shown_at_once(amal):
    client = signed_in()
    response = client.post("/settings", PROFILE)

    assert (response.status_code, response["location"]) == (302, "/settings")
    assert (response.cookies["brokle_language"].value, response.cookies["brokle_theme"].value) == ("ar", "dark")
    user = User.objects.get()
    assert (user.name, user.language, user.theme, user.time_zone) == ("Amal H.", "ar", "dark", "Asia/Riyadh")
    assert "حُفظ." in client.get("/settings").content.decode()
    assert account_actions() == ["signed_in", "profile_changed"]


@pytest.mark.parametrize(
    "change",
    [
        {"language": "tlh"},
        {"theme": "neon"},
        {"time_zone": "Mars/Olympus"},
        {"time_zone": "../../etc/passwd"},
        {"name": "x" * 121},
        {"name": "a\x00b"},
    ],
)
def test_a_profile_of_nonsense_changes_nothing(amal, change):
    response = signed_in().post("/settings", {**PROFILE, **change})

    assert response.status_code == 422
    assert User.objects.get().name == "Amal Haddad"
    assert account_actions() == ["signed_in"]


def test_the_address_changes_when_the_new_mailbox_answers(amal):
    client = signed_in()
    client.post("/settings/email", {"email": "Amal@Qalam.example"})
    letter = promised_letters()[0]
    assert (letter.to, letter.subject) == ("amal@qalam.example", "Confirm your new e-mail address")
    assert User.objects.get().email == "amal@noor.example"
    path, anyone = link_in(letter), Client()
    assert anyone.get(path).status_code == 200
    assert User.objects.get().email == "amal@noor.example"
    anyone.post(path)

    assert User.objects.get().email == "amal@qalam.example"
    assert list(EmailAddress.objects.values_list("email", "verified", "primary")) == [
        ("amal@qalam.example", True, True)
    ]
    told = promised_letters()[1]
    assert (told.to, told.subject) == ("amal@noor.example", "Your e-mail address was changed")
    assert account_actions() == ["signed_in", "email_changed"]
    assert Client().post("/auth/login", {"email": "amal@qalam.example", "password": PASSWORD}).status_code == 302
    assert Client().post("/auth/login", {"email": "amal@noor.example", "password": PASSWORD}).status_code == 422
    again = Client().post(path)
    assert again.status_code == 410


def test_the_address_is_not_changed_without_a_fresh_proof(amal):
    response = signed_in(proven=False).post("/settings/email", {"email": "amal@qalam.example"})

    assert response["location"].startswith("/auth/reauthenticate?next=")
    assert promised_letters() == []


def test_an_address_taken_meanwhile_is_not_taken_over(amal):
    client = signed_in()
    client.post("/settings/email", {"email": "amal@qalam.example"})
    make_verified_person("amal@qalam.example")
    response = Client().post(link_in(promised_letters()[0]))

    assert response.status_code == 410
    assert User.objects.get(pk=amal.pk).email == "amal@noor.example"


@pytest.mark.parametrize("token", ["x", "WyJhIl0:1tJ:abc", "%00", "a" * 5000])
def test_an_invented_link_is_dead(amal, token):
    assert Client().post(f"/settings/email/confirm/{token}").status_code == 410


def test_an_unconfirmed_address_can_ask_for_its_link_again(amal):
    EmailAddress.objects.update(verified=False)
    client = signed_in()
    assert "Not confirmed" in client.get("/settings/email").content.decode()
    client.post("/settings/email/send")

    assert [letter.subject for letter in promised_letters()] == ["Confirm your e-mail address"]


def deletion(client, **changes):
    return client.post("/settings/delete", {"confirm": "amal@noor.example", "password": PASSWORD, **changes})


def test_an_account_is_deleted_with_everything_that_opens_it(amal):
    client, other = signed_in(), signed_in()
    response = deletion(client)

    assert (response.status_code, response["location"]) == (302, "/auth/login")
    assert (User.objects.count(), EmailAddress.objects.count()) == (0, 0)
    assert other.get("/settings").status_code == 302
    assert account_actions()[-1] == "account_deleted"
    assert Client().post("/auth/login", {"email": "amal@noor.example", "password": PASSWORD}).status_code == 422


@pytest.mark.parametrize("change", [{"password": "not-it"}, {"confirm": "someone@noor.example"}, {"confirm": ""}])
def test_a_deletion_wants_the_address_and_the_password(amal, change):
    assert deletion(signed_in(), **change).status_code == 422
    assert User.objects.count() == 1
    assert "account_deleted" not in account_actions()


def test_a_room_may_keep_somebody_with_a_reason(amal):
    check = AccountDeletionCheck("debts", lambda user_id: f"{user_id} owes us something")
    with account_deletion_checks.plugged("debts", check):
        response = deletion(signed_in())

    assert response.status_code == 409
    assert f"{amal.pk} owes us something" in response.content.decode()
    assert User.objects.count() == 1
