from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection

from apps.orgs.models import Invitation, Membership
from apps.orgs.services import invitations
from apps.orgs.testing import call, make_household, make_member, make_person, signed_in
from brokle.ground.models import AuditEntry, OutboxEntry
from brokle.ground.outbox import deliver_due
from brokle.ground.services import SYSTEM
from brokle.kernel.clock import utc_now

pytestmark = [pytest.mark.engines, pytest.mark.django_db]
ACCEPT = "/api/v1/invitations/accept"


@pytest.fixture
def noor():
    return make_household("noor")


def invitation_list(household):
    return f"/api/v1/organizations/{household.id}/invitations"


def invited(household, email="mei@tan.example", role="developer"):
    answer = call(signed_in(household.owner), "POST", invitation_list(household), {"email": email, "role": role})
    assert answer.status_code == 201
    return answer.json()


def token_of(sent):
    return sent["url"].rsplit("/", 1)[1]


def emails(household):
    return set(Membership.objects.of(household.id).values_list("user__email", flat=True))


def test_an_invitation_makes_exactly_its_person_a_member(noor):
    sent = invited(noor, "Mei@Tan.example")
    mei = make_person("mei@tan.example")
    answer = call(signed_in(mei), "POST", ACCEPT, {"token": token_of(sent)})

    assert (answer.status_code, answer.json()["role"]) == (200, "developer")
    assert emails(noor) == {"owner@noor.example", "mei@tan.example"}
    assert [e.action for e in AuditEntry.objects.filter(target_id=sent["id"]).order_by("sequence")] == [
        "invitation.sent",
        "member.joined",
    ]
    assert token_of(sent) not in str(list(Invitation.objects.of(noor.id).values()))


def test_an_invitation_works_once(noor):
    sent = invited(noor)
    mei = signed_in(make_person("mei@tan.example"))
    call(mei, "POST", ACCEPT, {"token": token_of(sent)})
    again = call(mei, "POST", ACCEPT, {"token": token_of(sent)})

    assert (again.status_code, again.json()["detail"]) == (410, "This invitation was used already.")


def test_somebody_else_cannot_use_it(noor):
    sent = invited(noor)
    answer = call(signed_in(make_person("eve@tan.example")), "POST", ACCEPT, {"token": token_of(sent)})

    assert (answer.status_code, answer.json()["code"]) == (403, "invitation_for_another")
    assert emails(noor) == {"owner@noor.example"}
    assert Invitation.objects.of(noor.id).get().accepted_at is None


def test_after_a_week_it_says_so(noor):
    sent = invited(noor)
    mei = make_person("mei@tan.example")
    with pytest.raises(invitations.InvitationClosed, match="has expired"):
        invitations.accept(
            token=token_of(sent),
            user_id=mei.pk,
            email=mei.email,
            actor=SYSTEM,
            clock=lambda: utc_now() + timedelta(days=7),
        )
    assert emails(noor) == {"owner@noor.example"}


def test_one_taken_back_says_so(noor):
    sent = invited(noor)
    assert call(signed_in(noor.owner), "DELETE", f"{invitation_list(noor)}/{sent['id']}").status_code == 204
    answer = call(signed_in(make_person("mei@tan.example")), "POST", ACCEPT, {"token": token_of(sent)})

    assert (answer.status_code, answer.json()["detail"]) == (410, "This invitation was taken back.")
    assert emails(noor) == {"owner@noor.example"}


def test_sending_again_replaces_the_token(noor):
    sent = invited(noor)
    path = f"{invitation_list(noor)}/{sent['id']}/resend"
    too_soon = call(signed_in(noor.owner), "POST", path)
    invitation = Invitation.objects.of(noor.id).get()
    later = utc_now() + timedelta(minutes=2)
    second = invitations.resend(invitation=invitation, link=str, actor=SYSTEM, clock=lambda: later)
    mei = signed_in(make_person("mei@tan.example"))

    assert (too_soon.status_code, int(too_soon["retry-after"]) <= 60) == (429, True)
    assert call(mei, "POST", ACCEPT, {"token": token_of(sent)}).status_code == 404
    assert call(mei, "POST", ACCEPT, {"token": second.url}).status_code == 200


def test_nobody_is_invited_twice_or_as_a_member(noor):
    invited(noor)
    owner = signed_in(noor.owner)
    twice = call(owner, "POST", invitation_list(noor), {"email": "MEI@tan.example", "role": "viewer"})
    member = call(owner, "POST", invitation_list(noor), {"email": "owner@noor.example", "role": "viewer"})

    assert [(a.status_code, a.json()["field"]) for a in (twice, member)] == [(409, "email")] * 2
    assert Invitation.objects.of(noor.id).count() == 1


def test_only_an_owner_invites_owners(noor):
    admin = signed_in(make_member(noor, "admin"))
    refused = call(admin, "POST", invitation_list(noor), {"email": "x@y.example", "role": "owner"})
    allowed = call(admin, "POST", invitation_list(noor), {"email": "x@y.example", "role": "admin"})

    assert (refused.status_code, allowed.status_code) == (403, 201)
    assert [i.role for i in Invitation.objects.of(noor.id)] == ["admin"]


def test_open_invitations_hold_the_plans_places(noor):
    noor.made.organization.members_limit = 2
    noor.made.organization.save()
    invited(noor)
    answer = call(signed_in(noor.owner), "POST", invitation_list(noor), {"email": "b@y.example", "role": "viewer"})

    assert (answer.status_code, answer.json()["code"]) == (409, "limit_reached")
    assert Invitation.objects.of(noor.id).count() == 1


@pytest.mark.parametrize("email", ["", "no-at", "a@b", "a" * 300 + "@x.example", "a\u0000@x.example", "'; --@x"])
def test_addresses_that_are_none_are_refused(noor, email):
    answer = call(signed_in(noor.owner), "POST", invitation_list(noor), {"email": email, "role": "viewer"})
    assert (answer.status_code, answer.json()["field"]) == (422, "email")
    assert not Invitation.objects.of(noor.id).exists()


@pytest.mark.parametrize("token", ["x", "' OR 1=1 --", "\u202e", "a" * 100])
def test_unknown_tokens_find_nothing(noor, token):
    assert call(signed_in(noor.owner), "POST", ACCEPT, {"token": token}).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_of_two_who_accept_at_once_one_joins():
    noor = make_household("noor")
    sent = invited(noor)
    mei = make_person("mei@tan.example")

    def accept(_):
        try:
            return call(signed_in(mei), "POST", ACCEPT, {"token": token_of(sent)}).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        statuses = sorted(pool.map(accept, range(6)))
    assert statuses == [200, 410, 410, 410, 410, 410]
    assert Membership.objects.of(noor.id).filter(user=mei).count() == 1


@pytest.mark.parametrize(("language", "subject"), [("en", "You are invited to Noor"), ("ar", "أنت مدعو إلى Noor")])
def test_the_mail_goes_out_in_the_readers_language_with_the_only_copy_of_the_link(noor, mailoutbox, language, subject):
    body = {"email": "mei@tan.example", "role": "viewer", "language": language}
    sent = call(signed_in(noor.owner), "POST", invitation_list(noor), body).json()
    assert token_of(sent) not in str(list(OutboxEntry.objects.values()))
    deliver_due()

    (mail,) = [mail for mail in mailoutbox if mail.to == ["mei@tan.example"]]
    assert mail.subject == subject
    assert sent["url"] in mail.body
    assert sent["url"] in mail.alternatives[0][0]
