"""Surgery on JSON bytes: a member is replaced, added or taken away, and every other byte stays as it was written."""

import re
from typing import Final

import msgspec

Members = dict[str, msgspec.Raw]

_decode_members: Final = msgspec.json.Decoder(Members).decode
_encode: Final = msgspec.json.Encoder().encode


def members_of(body: bytes) -> Members:
    """The members of a JSON object with their bytes; raises msgspec.DecodeError for anything else."""
    return _decode_members(body)


def joined(members: Members) -> bytes:
    """An object of these members; what stood between the values is not kept, the values are."""
    return b"{%b}" % b",".join(b"%b:%b" % (_encode(name), bytes(value)) for name, value in members.items())


def with_last_member(body: bytes, name: bytes, value: bytes) -> bytes:
    """`body` is a JSON object; all of its bytes stay around the new last member."""
    end = body.rindex(b"}")
    is_empty = body[:end].rstrip().endswith(b"{")
    return b'%b%b"%b":%b%b' % (body[:end], b"" if is_empty else b",", name, value, body[end:])


class Renaming:
    """Puts the name the caller asked for where the upstream wrote its own, in every event of one answer.

    A quote inside a JSON string is escaped, so that text which only mentions the member is left alone.
    """

    __slots__ = ("_new", "_old", "_raw", "_to")

    def __init__(self, raw: bytes, asked: str) -> None:
        """`raw` is the value of the upstream's `model` member as written, quotes included."""
        self._raw = raw
        self._to = _encode(asked)
        self._old, self._new = b'"model":' + raw, b'"model":' + self._to

    def apply(self, text: bytes) -> bytes:
        """An upstream writes the member with the same blanks all through its answer."""
        if self._old not in text:
            found = re.search(rb'"model"\s*:\s*' + re.escape(self._raw), text)
            if found is None:
                return text
            self._old = found.group()
            self._new = self._old.removesuffix(self._raw) + self._to
        return text.replace(self._old, self._new)
