import re

from brokle.kernel.ids import new_id


def test_ids_are_prefixed_sortable_and_unique():
    ids = [new_id("org") for _ in range(2000)]

    assert all(re.fullmatch(r"org_[0-9a-hjkmnp-tv-z]{26}", one) for one in ids)
    assert len(set(ids)) == 2000
    stamps = [one[4:14] for one in ids]
    assert stamps == sorted(stamps)
    assert ids[0] < new_id("org") or ids[0][4:14] == new_id("org")[4:14]
