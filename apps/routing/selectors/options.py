"""What a provider is told beside its address and its keys, by the way it is spoken to."""

from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext_noop

from apps.routing.selectors.providers import dialect_of, places_in


@dataclass(frozen=True, slots=True)
class Option:
    """`choices` are the values that there are, with their titles; without any it is free text."""

    name: str
    title: str
    meaning: str = ""
    is_needed: bool = False
    choices: tuple[tuple[str, str], ...] = ()


_REGION: Final = Option("region", gettext_noop("Region"), gettext_noop("Where it does not stand in the address."))
_LOCATION: Final = Option("location", gettext_noop("Region"), gettext_noop("Without one, that of all regions."))
_ANSWERS: Final = (("", gettext_noop("As found out")), ("yes", gettext_noop("Yes")), ("no", gettext_noop("No")))
_RESPONSES: Final = Option(
    "responses",
    gettext_noop("Knows kept answers"),
    gettext_noop("Whether the server speaks the newer format of answers itself."),
    choices=_ANSWERS,
)
_BY_DIALECT: Final[dict[str, tuple[Option, ...]]] = {
    "azure": (
        Option("resource", gettext_noop("Resource"), gettext_noop("Its name, as the address has it.")),
        Option(
            "api_version",
            gettext_noop("Edition of the interface"),
            gettext_noop("A day, or the name of a form without days; without one, the usual edition."),
        ),
    ),
    "vertex": (Option("project", gettext_noop("Project at the provider"), is_needed=True), _LOCATION),
    "bedrock": (
        _REGION,
        Option(
            "access_key_id",
            gettext_noop("Identifier of the access key"),
            gettext_noop("Where it is not part of the key itself."),
        ),
    ),
    "anthropic": (
        Option(
            "anthropic_version",
            gettext_noop("Edition of the interface"),
            gettext_noop("Without one, the usual edition."),
        ),
    ),
    "openai-compatible": (_RESPONSES,),
    "openai": (_RESPONSES,),
}


def options_of(kind: str, base_url: str) -> list[Option]:
    """What the address leaves open is needed; of the rest it depends. `resource` is asked only by an address."""
    places = places_in(base_url)
    known = {option.name: option for option in _BY_DIALECT.get(dialect_of(kind), ())}
    asked = [_of_place(place, known) for place in places]
    return asked + [option for name, option in known.items() if name not in places and name != "resource"]


def _of_place(place: str, known: dict[str, Option]) -> Option:
    """A place that we have no word for is called as the address calls it."""
    option = known.get(place)
    return Option(place, option.title if option is not None else "", is_needed=True)
