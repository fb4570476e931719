"""What operators do with accounts: keep somebody out, let somebody in again, and make each other."""

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.test import Client, RequestFactory

from apps.users import facade
from apps.users.models import User
from apps.users.services import api_sessions
from apps.users.testing import PASSWORD, account_actions, make_verified_person, promised_letters
from brokle.ground.models import AuditEntry
from brokle.ground.services import SYSTEM, Actor
from brokle.kernel.errors import Conflict, Invalid, NotFound, Unauthorized

pytestmark = pytest.mark.engines


@pytest.fixture
def root(db):
    return make_verified_person("root@brokle.example", is_staff=True, is_superuser=True)


@pytest.fixture
def actor(root):
    return Actor("operator", root.pk)


def browser(email="amal@noor.example"):
    client = Client()
    client.post("/auth/login", {"email": email, "password": PASSWORD})
    return client


def is_signed_in(client):
    return client.get("/settings").status_code == 200


def lock(person, actor, reason="stolen laptop"):
    facade.lock_person(user_id=person.pk, reason=reason, actor=actor)


def facts(person):
    return facade.describe_person(user_id=person.pk)


def test_a_locked_person_is_out_of_browsers_and_programs_at_once(amal, actor, django_capture_on_commit_callbacks):
    client, pair = browser(), api_sessions.begin(user_id=amal.pk)
    assert is_signed_in(client)
    with django_capture_on_commit_callbacks(execute=True):
        lock(amal, actor)

    assert not is_signed_in(client)
    assert api_sessions.find_bearer(pair.access_token) is None
    with pytest.raises(Unauthorized):
        api_sessions.refresh(pair.refresh_token)
    assert (UserSession.objects.count(), facts(amal).is_locked, facts(amal).lock_reason) == (0, True, "stolen laptop")
    entry = AuditEntry.objects.get(action="account.locked")
    assert (entry.actor_kind, entry.actor_id, entry.target_id) == ("operator", actor.id, amal.pk)
    assert entry.after == {"reason": "stolen laptop"}


def test_unlocking_lets_sign_in_again_and_brings_no_session_back(amal, actor):
    client = browser()
    lock(amal, actor)
    facade.unlock_person(user_id=amal.pk, actor=actor)

    assert not is_signed_in(client)
    assert is_signed_in(browser())
    assert (facts(amal).is_locked, facts(amal).locked_at, facts(amal).lock_reason) == (False, None, "")


@pytest.mark.parametrize("method", ["right password", "wrong password"])
def test_a_locked_account_looks_like_none_at_every_door(amal, actor, method):
    from apps.users.tests.test_enumeration import plain

    lock(amal, actor)
    password = PASSWORD if method == "right password" else "not-the-password"
    pages = [
        plain(Client().post("/auth/login", {"email": email, "password": password}), email)
        for email in ("amal@noor.example", "nobody@noor.example")
    ]
    answers = [
        Client().post("/api/v1/auth/login", {"email": email, "password": password}, content_type="application/json")
        for email in ("amal@noor.example", "nobody@noor.example")
    ]

    assert pages[0] == pages[1]
    bodies = [{name: value for name, value in one.json().items() if name != "request_id"} for one in answers]
    assert (answers[0].status_code, bodies[0]) == (answers[1].status_code, bodies[1]) == (401, bodies[1])


def test_no_lock_without_a_reason_nor_twice_nor_of_oneself(amal, root, actor):
    with pytest.raises(Invalid):
        lock(amal, actor, reason=" ")
    with pytest.raises(Conflict, match="yourself"):
        lock(root, actor)
    lock(amal, actor)
    with pytest.raises(Conflict, match="already"):
        lock(amal, actor, reason="another")

    assert (facts(amal).lock_reason, facts(root).is_locked) == ("stolen laptop", False)
    assert account_actions() == ["locked"]


def test_every_session_ends_and_tokens_of_sessions_too(amal, actor, django_capture_on_commit_callbacks):
    clients, pair = [browser(), browser()], api_sessions.begin(user_id=amal.pk)
    with django_capture_on_commit_callbacks(execute=True):
        facade.end_sessions(user_id=amal.pk, actor=actor)

    assert [is_signed_in(client) for client in clients] == [False, False]
    assert api_sessions.find_bearer(pair.access_token) is None
    assert is_signed_in(browser())
    assert AuditEntry.objects.get(action="account.sessions_ended").after == {"browsers": 2}


def test_second_factors_are_removed_and_the_person_is_told(amal, actor):
    for kind in (Authenticator.Type.TOTP, Authenticator.Type.RECOVERY_CODES):
        Authenticator.objects.create(user=amal, type=kind, data={})
    assert sorted(facts(amal).second_factors) == ["recovery_codes", "totp"]
    facade.remove_second_factors(user_id=amal.pk, actor=actor)

    assert facts(amal).second_factors == []
    assert [(letter.to, letter.subject) for letter in promised_letters()] == [
        ("amal@noor.example", "Your second factors were removed")
    ]
    entry = AuditEntry.objects.get(action="account.second_factors_removed")
    assert (entry.actor_id, entry.before) == (actor.id, {"types": ["recovery_codes", "totp"]})
    assert is_signed_in(browser())
    with pytest.raises(Conflict):
        facade.remove_second_factors(user_id=amal.pk, actor=actor)


def test_the_mail_of_a_lost_second_factor_is_in_the_persons_language(actor):
    basim = make_verified_person("basim@noor.example", language="ar")
    Authenticator.objects.create(user=basim, type=Authenticator.Type.TOTP, data={})
    facade.remove_second_factors(user_id=basim.pk, actor=actor)

    assert promised_letters()[0].subject == "أُزيلت عواملك الثانية"


def test_an_address_is_verified_on_the_operators_word(amal, actor, mandatory):
    EmailAddress.objects.all().delete()
    assert not is_signed_in(browser())
    facade.verify_address(user_id=amal.pk, actor=actor)

    assert (facts(amal).is_verified, is_signed_in(browser())) == (True, True)
    with pytest.raises(Conflict):
        facade.verify_address(user_id=amal.pk, actor=actor)
    assert AuditEntry.objects.get(action="account.address_verified").actor_id == actor.id


def test_the_mail_to_a_new_password_is_sent_to_the_person_unless_locked(amal, actor):
    request = RequestFactory().get("/", headers={"host": "localhost"})
    facade.send_password_reset(request, user_id=amal.pk, actor=actor)
    lock(amal, actor)
    with pytest.raises(Conflict, match="unlock"):
        facade.send_password_reset(request, user_id=amal.pk, actor=actor)

    assert [(letter.to, letter.subject) for letter in promised_letters()] == [
        ("amal@noor.example", "Set a new password")
    ]


def test_operators_make_and_unmake_each_other_but_never_the_last_nor_oneself(amal, root, actor):
    with pytest.raises(Conflict, match="last operator"):
        facade.unmake_operator(user_id=root.pk, actor=SYSTEM)
    with pytest.raises(Conflict, match="last operator"):
        lock(root, SYSTEM)
    facade.make_operator(user_id=amal.pk, actor=actor)
    facade.make_operator(user_id=amal.pk, actor=actor)
    with pytest.raises(Conflict, match="yourself"):
        facade.unmake_operator(user_id=root.pk, actor=actor)
    assert [one.email for one in facade.list_operators()] == ["amal@noor.example", "root@brokle.example"]
    facade.unmake_operator(user_id=amal.pk, actor=actor)

    assert User.objects.filter(is_staff=True).get() == root
    assert account_actions() == ["operator_made", "operator_unmade"]


def test_a_locked_operator_does_not_count_as_another(amal, root, actor):
    facade.make_operator(user_id=amal.pk, actor=actor)
    lock(amal, actor)

    with pytest.raises(Conflict, match="last operator"):
        facade.unmake_operator(user_id=root.pk, actor=SYSTEM)


def test_people_are_found_by_address_name_and_id(amal, root):
    def found(text):
        return sorted(facade.people_matching(facade.people(), text).values_list("email", flat=True))

    assert found("noor.ex") == found("haddad") == found(amal.pk) == ["amal@noor.example"]
    assert found("") == ["amal@noor.example", "root@brokle.example"]
    assert found(amal.pk[:-1]) == []


def test_nobody_is_not_found(actor):
    for act in (facade.unlock_person, facade.end_sessions, facade.make_operator, facade.verify_address):
        with pytest.raises(NotFound):
            act(user_id="usr_nobody", actor=actor)
    with pytest.raises(NotFound):
        facade.describe_person(user_id="usr_nobody")


def deletion(person, path="/settings/delete"):
    client = browser(person.email)
    return client.post(path, {"confirm": person.email, "password": PASSWORD})


def deletion_by_api(person):
    token = api_sessions.begin(user_id=person.pk).access_token
    headers = {"authorization": f"Bearer {token}"}
    body = {"password": PASSWORD}
    return Client().delete("/api/v1/auth/me", body, content_type="application/json", headers=headers)


def test_the_last_operator_keeps_the_account_and_hears_how_to_leave(root):
    page, answer = deletion(root), deletion_by_api(root)
    told = "You are the last operator of this installation. Make somebody else one first"

    assert (page.status_code, answer.status_code, answer.json()["code"]) == (409, 409, "conflict")
    assert told in page.content.decode()
    assert "with <bdi>brokle operator add</bdi> on the machine" in page.content.decode()
    assert answer.json()["detail"].startswith(told)
    assert answer.json()["detail"].endswith("with brokle operator add on the machine.")
    assert User.objects.filter(pk=root.pk).exists()
    assert "account_deleted" not in account_actions()


@pytest.mark.parametrize("leave", [deletion, deletion_by_api])
def test_an_operator_may_go_where_another_one_stays(amal, root, actor, leave):
    facade.make_operator(user_id=amal.pk, actor=actor)

    assert leave(root).status_code in (204, 302)
    assert [one.email for one in facade.list_operators()] == ["amal@noor.example"]


def test_a_locked_operator_does_not_let_the_last_one_go(amal, root, actor):
    facade.make_operator(user_id=amal.pk, actor=actor)
    lock(amal, actor)

    assert deletion(root).status_code == 409
