"""The cast: who they are, and from where they work."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from apps.users import facade as users
from brokle.ground.services import Actor

_CHROME: Final = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
)
_SAFARI: Final = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/26.0 Safari/605.1.15"
)
_FIREFOX: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0"
_PHONE: Final = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/26.0 Mobile/15E148 Safari/604.1"
)


# Longer than the oldest organization of the story.
_HERE_FOR: Final = timedelta(days=37, hours=2)


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    email: str
    language: str
    ip: str
    user_agent: str
    user_id: str = ""

    def acting(self, request_id: str) -> Actor:
        return Actor("user", self.user_id, self.ip, self.user_agent, request_id)


_CAST: Final = {
    "amal": Person("أمل حداد", "amal@noor.example", "ar", "203.0.113.24", _SAFARI),
    "sami": Person("سامي الخطيب", "sami@noor.example", "ar", "203.0.113.31", _CHROME),
    "jonas": Person("Jonas Weber", "jonas@noor.example", "en", "198.51.100.7", _FIREFOX),
    "layla": Person("ليلى منصور", "layla@noor.example", "ar", "203.0.113.58", _PHONE),
    "mei": Person("Mei Tan", "mei@noor.example", "en", "198.51.100.90", _CHROME),
    "priya": Person("Priya Nair", "priya@noor.example", "en", "198.51.100.112", _CHROME),
    "tomas": Person("Tomás Silva", "tomas@partner.example", "en", "2001:db8:51::17", _SAFARI),
    "sofia": Person("Sofia Rossi", "sofia@noor.example", "en", "2001:db8:7::2c", _FIREFOX),
    "noura": Person("نورة السالم", "noura@ufuq.example", "ar", "203.0.113.140", _CHROME),
}
_WORDS: Final = {
    "amal": "owner",
    "sami": "administrator",
    "jonas": "developer",
    "layla": "developer",
    "mei": "viewer",
    "priya": "billing",
    "tomas": "consumer",
    "sofia": "viewer",
    "noura": "owner of the other organization",
}


def make_people(password: str, *, now: datetime) -> tuple[dict[str, Person], list[str]]:
    """Whoever is there already stays as they are, with their own password."""
    people, made = {}, []
    for key, person in _CAST.items():
        user_id = users.find_user_id(email=person.email)
        if user_id is None:
            user_id = users.create_owner(
                email=person.email,
                password=password,
                name=person.name,
                language=person.language,
                created_at=now - _HERE_FOR,
            )
            made.append(f"{_WORDS[key]} {person.email} with the password {password}")
        people[key] = Person(person.name, person.email, person.language, person.ip, person.user_agent, user_id)
    return people, made
