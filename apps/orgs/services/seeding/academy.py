"""A second, small organization under an Arabic name, where the hospital's owner is an administrator."""

from typing import Final

from apps.orgs.services.seeding import keys, places
from apps.orgs.services.seeding.chronicle import Chronicle
from apps.orgs.services.seeding.people import Person

SLUG: Final = "ufuq-academy"
_NAME: Final = "أكاديمية الأفق"


def tell(chronicle: Chronicle, people: dict[str, Person]) -> list[str]:
    began, noura, amal = chronicle.on(9, "07:51"), people["noura"], people["amal"]
    organization = places.make_organization(chronicle, began, name=_NAME, slug=SLUG, by=noura)
    tutor = places.make_project(chronicle, began, organization, name="المعلم", slug="default", by=noura, is_first=True)
    places.welcome(chronicle, chronicle.on(8, "09:20"), organization, amal, role="admin", by=noura)
    _key, line = keys.make_key(
        chronicle,
        chronicle.on(8, "07:58"),
        tutor["development"],
        "classroom",
        ("gateway", "ingest"),
        by=noura,
        used_at=chronicle.ago(hours=9),
    )
    return [f"organization {SLUG}", line]
