import pytest

from brokle.ground.audit_chain import verify_chains
from brokle.ground.models import AuditEntry
from brokle.ground.services import SYSTEM, audit

pytestmark = [pytest.mark.engines, pytest.mark.django_db]


@pytest.fixture
def chain():
    return [
        audit(organization_id=org, actor=SYSTEM, action="a", target_kind="t", target_id=str(n), after={"n": n})
        for org in ("org_1", "org_2")
        for n in range(5)
    ]


def broken():
    return [(found.organization_id, found.sequence, found.reason) for found in verify_chains().broken]


def test_what_was_written_is_whole(chain):
    verdict = verify_chains()

    assert (verdict.entries, verdict.organizations, verdict.broken) == (10, 2, ())


@pytest.mark.parametrize("column", ["actor_id", "action", "target_id", "request_id", "user_agent", "entry_id"])
def test_an_edit_is_found(chain, column):
    AuditEntry.objects.filter(id=chain[2].id).update(**{column: "x"})

    assert broken() == [("org_1", 3, "its content was changed")]


def test_an_edit_with_a_new_hash_breaks_the_next(chain):
    from brokle.ground.services import hash_of

    entry = chain[2]
    entry.action = "b"
    AuditEntry.objects.filter(id=entry.id).update(action="b", hash=hash_of(entry))

    assert broken() == [("org_1", 4, "it does not follow the entry before it")]


def test_a_deleted_entry_is_missed(chain):
    AuditEntry.objects.filter(id=chain[6].id).delete()

    assert broken() == [("org_2", 3, "entry 2 is missing")]


def test_swapped_entries_are_found(chain):
    AuditEntry.objects.filter(id=chain[1].id).update(sequence=99)
    AuditEntry.objects.filter(id=chain[2].id).update(sequence=2)
    AuditEntry.objects.filter(id=chain[1].id).update(sequence=3)

    assert broken() == [("org_1", 2, "it does not follow the entry before it")]
