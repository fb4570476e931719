"""Keys that a caller brings for one call: sent to the provider they are for, kept nowhere, told to nobody."""

import re
from typing import Final

from apps.routing.edge.plan import Book
from brokle.edge.http import Request
from brokle.kernel.errors import BadRequest, Forbidden

HEADER: Final = b"x-brokle-provider-key"
OwnKeys = dict[str, str]
NONE: Final[OwnKeys] = {}

_NAME: Final = r"[a-z0-9][a-z0-9._-]{0,59}"
# A key may hold commas itself, as those do that are JSON; what follows one is a name only where it reads like one.
_BETWEEN: Final = re.compile(rf"\s*,\s*(?={_NAME}=)")
_ONE: Final = re.compile(rf"({_NAME})=(\S.{{0,8191}})")
_WRITTEN: Final = "`x-brokle-provider-key` is written as `provider=key`, several with commas between them"
_FIELD: Final = HEADER.decode()


class OwnKeysRefused(Forbidden):
    code, title = "own_keys_not_allowed", "This project takes no keys of its callers"


def find_own_keys(request: Request, book: Book) -> OwnKeys:
    """By the provider's name. Refused unless the project allows it; what is wrong is told without the key."""
    if HEADER not in request.headers:
        return NONE
    if not book.allows_own_keys:
        raise OwnKeysRefused(
            f"`{_FIELD}` is not taken by this project; whoever manages its providers can allow it", field=_FIELD
        )
    found: OwnKeys = {}
    for name, value in request.scope["headers"]:
        if name == HEADER:
            for part in _BETWEEN.split(value.decode("latin-1").strip()):
                found |= _read(part, book)
    return found


def _read(part: str, book: Book) -> OwnKeys:
    told = _ONE.fullmatch(part.strip())
    if told is None:
        raise BadRequest(_WRITTEN, field=_FIELD)
    if not book.has_provider(told[1]):
        raise BadRequest(f"`{_FIELD}`: this project has no provider `{told[1]}`", field=_FIELD)
    return {told[1]: told[2]}
