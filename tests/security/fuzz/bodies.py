"""Bodies for the gateway's POST addresses, spoiled in every way that we can think of, and always the same."""

import gzip
import json
import random
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from tests.security.fuzz.formats import FORM_ADDRESSES, JSON_ADDRESSES, Address
from tests.security.fuzz.nonsense import TEXTS

BOUNDARY = "x" * 30


@dataclass(frozen=True)
class Sent:
    """One POST; `shape` names the form in which refusals must come."""

    path: str
    shape: str
    body: bytes
    about: str
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)
    is_chunked: bool = False


SPOILED: dict[str, Any] = {
    **{kind: TEXTS[kind] for kind in ("markup", "nul", "surrogate", "letters", "blank")},
    "empty": "",
    "null": None,
    "true": True,
    "negative": -1,
    "fraction": 1.5,
    "huge": 10**400,
    "beyond 64 bits": 2**63,
    "nan": float("nan"),
    "infinity": float("inf"),
    "empty list": [],
    "list of lists": [[[]], None],
    "list of objects": [{"a": 1}, {"type": "text"}, None],
    "list of nul": ["\x00", "\ud800"],
    "empty object": {},
    "object": {"$ne": 1, "__proto__": {"type": []}, "type": {"a": 1}, "\x00": "\ud800"},
    "deep": json.loads("[" * 200 + "]" * 200),
}


def sent(count: int, seed: int) -> Iterator[Sent]:
    """Always the same bodies: each place spoiled in each way once, the odd ones, and dice for the rest."""
    dice = random.Random(seed)  # noqa: S311 - chosen, not secret
    fixed = [*odd_ones(), *forms(dice, count // 20), *wrong_types()]
    dice.shuffle(fixed)
    yield from fixed[:count]
    yield from (_rolled(dice) for _ in range(count - len(fixed)))


def wrong_types() -> Iterator[Sent]:
    """Addresses that take the same body, and models that hear of it in their own dialect, have their turns."""
    for body in {id(address.body): address.body for address in JSON_ADDRESSES}.values():
        askers = cycle([(a, model) for a in JSON_ADDRESSES if a.body is body for model in a.models])
        for place in _places(body):
            for kind, value in SPOILED.items():
                address, model = next(askers)
                yield _of(address, model, _with(body, place, value), f"{'.'.join(map(str, place))} is {kind}")


def odd_ones() -> Iterator[Sent]:
    """What is no JSON object, or hardly one."""
    whole = {
        "nothing": b"",
        "null": b"null",
        "a list": b"[]",
        "deep lists": b"[" * 10_000,
        "deep and closed": b"[" * 10_000 + b"]" * 10_000,
        "deep objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        "many digits": b'{"model": ' + b"9" * 5000 + b"}",
        "zip of nonsense": gzip.compress(b"\x00" * 100_000),
        "half a zip": gzip.compress(b'{"model": "echo/fast"}')[:20],
    }
    for address in JSON_ADDRESSES:
        for model in address.models:
            good = _said(address, model)
            for kind, body in (whole | _damaged(good)).items():
                yield _of(address, model, body, kind)
            yield Sent(_path(address, model), address.shape, gzip.compress(good), "zipped", _kind("", "gzip"))
            yield Sent(_path(address, model), address.shape, b"\x1f\x8b" + good, "no zip", _kind("", "gzip"))
            for charset in ("utf-16", "nonsense", "\xff", "latin-1"):
                yield Sent(_path(address, model), address.shape, good, f"charset {charset!r}", _kind(charset))


def _damaged(good: bytes) -> dict[str, bytes]:
    deep = b"[" * 10_000 + b"]" * 10_000
    return {
        "bom": b"\xef\xbb\xbf" + good,
        "utf-16": good.decode().encode("utf-16"),
        "utf-32": good.decode().encode("utf-32"),
        "twice": good + good,
        "nul after": good + b"\x00",
        "bytes in texts": good.replace(b"what?", b"\xff\xfe\x80"),
        "surrogate bytes in texts": good.replace(b"what?", b"\xed\xa0\x80"),
        "bytes in names": good.replace(b'"type"', b'"typ\xff"'),
        "control signs in texts": good.replace(b"what?", b"a\x00\n\x1b"),
        "members twice": good.replace(b'"model":', b'"model": {"a": 1}, "model":', 1),
        "depth within": good.replace(b'"what?"', deep),
        "depth within unread": good[:-1] + b', "x_vendor": ' + deep + b"}",
        "nan": good.replace(b"0.5", b"NaN"),
        "infinity": good.replace(b"0.5", b"-Infinity"),
        "huge": good.replace(b"0.5", b"1e999999"),
        "many digits": good.replace(b"0.5", b"9" * 5000),
        "single quotes": good.replace(b'"', b"'"),
        "comma too many": good[:-1] + b",}",
    }


def _rolled(dice: random.Random) -> Sent:
    address = dice.choice(JSON_ADDRESSES)
    model = dice.choice(address.models)
    about, body = dice.choice((_random_bytes, _hit_bytes, _cut, _shuffled))(dice, _said(address, model))
    is_chunked = dice.random() < 0.1
    return Sent(_path(address, model), address.shape, body, about, is_chunked=is_chunked)


def _random_bytes(dice: random.Random, good: bytes) -> tuple[str, bytes]:
    return "random bytes", dice.randbytes(dice.randrange(2000))


def _hit_bytes(dice: random.Random, good: bytes) -> tuple[str, bytes]:
    body = bytearray(good)
    for _ in range(dice.randrange(1, 6)):
        at = dice.randrange(len(body))
        body[at : at + dice.randrange(3)] = dice.choice(
            (dice.randbytes(1), b'"', b"{", b"]", b"\\", b"null", b"\\ud800")
        )
    return "bytes hit", bytes(body)


def _cut(dice: random.Random, good: bytes) -> tuple[str, bytes]:
    return "cut off", good[: dice.randrange(len(good))]


def _shuffled(dice: random.Random, good: bytes) -> tuple[str, bytes]:
    """Values that are right, in the wrong places."""
    body = json.loads(good)
    for _ in range(dice.randrange(1, 4)):
        places = _places(body)
        here, there = dice.choice(places), dice.choice(places)
        body = _with(body, here, deepcopy(_at(body, there)))
    return "places exchanged", json.dumps(body).encode()


def forms(dice: random.Random, count: int) -> Iterator[Sent]:
    file = b'content-disposition: form-data; name="file"; filename="a.wav"\r\ncontent-type: audio/wav\r\n\r\n'
    model = b'content-disposition: form-data; name="model"\r\n\r\n%b'
    kinds = (f"multipart/form-data; boundary={BOUNDARY}", "multipart/form-data", "application/json", "multipart/mixed")
    for number in range(count):
        parts = [
            file + dice.randbytes(dice.randrange(3000)),
            model % dice.choice((b"relay/m", b"echo/fast", b"", b"\xff")),
        ]
        dice.shuffle(parts)
        mark = b"--" + BOUNDARY.encode()
        whole = b"".join(mark + b"\r\n" + part + b"\r\n" for part in parts) + mark + b"--\r\n"
        about, body = dice.choice((_hit_bytes, _cut, _cut, _random_bytes))(dice, whole)
        kind = kinds[0] if number % 4 else dice.choice(kinds)
        path = FORM_ADDRESSES[number % len(FORM_ADDRESSES)]
        yield Sent(path, "openai", body, f"form, {about}", (("content-type", kind),), is_chunked=number % 5 == 0)


Place = tuple[str | int, ...]


def _places(value: Any, place: Place = ()) -> list[Place]:
    found = [place] if place else []
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return found + [held for name, one in inner for held in _places(one, (*place, name))]


def _at(value: Any, place: Place) -> Any:
    for name in place:
        value = value[name]
    return value


def _with(body: Any, place: Place, value: Any) -> Any:
    found = deepcopy(body)
    _at(found, place[:-1])[place[-1]] = value
    return found


def _said(address: Address, model: str) -> bytes:
    body = {**address.body, "model": model} if "model" in address.body else address.body
    return json.dumps(body).encode()


def _path(address: Address, model: str) -> str:
    return address.path.format(model=model)


def _kind(charset: str, encoding: str = "") -> tuple[tuple[str, str], ...]:
    said = ("content-type", f"application/json; charset={charset}" if charset else "application/json")
    return (said, ("content-encoding", encoding)) if encoding else (said,)


def _of(address: Address, model: str, body: Any, about: str) -> Sent:
    """The model in turn, where the body still has a place for it."""
    if isinstance(body, dict) and body.get("model") == address.body.get("model") and "model" in body:
        body = {**body, "model": model}
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Sent(_path(address, model), address.shape, raw, f"{about} ({model})")
