"""What is known of models that nobody listed: price, context and capabilities by kind of provider and name.

One object of the snapshot holds all kinds; a kind is unpacked when a request first asks for one of its models.
"""

import re
import zlib
from collections.abc import Callable
from typing import Final

import msgspec

from apps.routing.edge.book import ModelRecord
from brokle.edge.runtime import Runtime

KIND: Final = "catalogue"
OBJECT: Final = "models"
_REMEMBERED: Final = 4096
_LONGEST: Final = 200
_COMPACT_DATE: Final = re.compile(r"(?<!\d)(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?!\d)")

EQUALS, STARTS, ENDS, CONTAINS, PATTERN, ANY, ALL = range(7)
_TESTS: Final[tuple[Callable[[str, str], bool], ...]] = (
    str.__eq__,
    str.startswith,
    str.endswith,
    str.__contains__,
    lambda name, pattern: re.search(pattern, name) is not None,
)


class Clause(msgspec.Struct, array_like=True, frozen=True):
    """One condition on a model's name, in lower case: a test of its text, or any or all of several."""

    kind: int
    text: str = ""
    parts: list["Clause"] = []

    def fits(self, name: str) -> bool:
        if self.kind == ANY:
            return any(part.fits(name) for part in self.parts)
        if self.kind == ALL:
            return all(part.fits(name) for part in self.parts)
        return _TESTS[self.kind](name, self.text)


class Rule(msgspec.Struct, array_like=True, frozen=True):
    """Names that a price list knows by their form, such as dated ones; the first that fits counts."""

    clause: Clause
    model: ModelRecord


class Shelf(msgspec.Struct, array_like=True, frozen=True):
    """One kind's models by name, its rules, and the kinds whose rules hold after its own."""

    models: dict[str, ModelRecord] = {}
    rules: list[Rule] = []
    fallbacks: list[str] = []


class CatalogueRecord(msgspec.Struct, array_like=True, frozen=True):
    version: str
    shelves: dict[str, bytes] = {}


_decoder: Final = msgspec.msgpack.Decoder(CatalogueRecord)
_shelf_decoder: Final = msgspec.msgpack.Decoder(Shelf)
NOTHING: Final = Shelf()


def encode_shelf(shelf: Shelf) -> bytes:
    return zlib.compress(msgspec.msgpack.encode(shelf), 9)


def encode_catalogue(record: CatalogueRecord) -> bytes:
    return msgspec.msgpack.encode(record)


class Catalogue:
    """The compiled catalogue of this moment. What was asked for once is found by one look into a dictionary."""

    __slots__ = ("_found", "_opened", "_shelves", "version")

    def __init__(self, record: CatalogueRecord) -> None:
        self.version = record.version
        self._shelves = record.shelves
        self._opened: dict[str, Shelf] = {}
        self._found: dict[tuple[str, str], ModelRecord | None] = {}

    @classmethod
    def of(cls, raw: bytes) -> "Catalogue":
        return cls(_decoder.decode(raw))

    def find(self, kind: str, model: str) -> ModelRecord | None:
        asked = (kind, model)
        if asked in self._found:
            return self._found[asked]
        found = self._look(kind, model) if len(model) <= _LONGEST else None
        if len(self._found) >= _REMEMBERED:
            self._found.clear()
        self._found[asked] = found
        return found

    def _look(self, kind: str, model: str) -> ModelRecord | None:
        shelf = self._shelf(kind)
        exact = shelf.models.get(model)
        if exact is not None:
            return exact
        name = model.lower()
        found = self._by_rule(shelf, name)
        if found is None and (dashed := _COMPACT_DATE.sub(r"\1-\2-\3", name)) != name:
            found = self._by_rule(shelf, dashed)
        return msgspec.structs.replace(found, name=model, upstream=model) if found else None

    def _by_rule(self, shelf: Shelf, name: str) -> ModelRecord | None:
        for rules in (shelf.rules, *(self._shelf(kind).rules for kind in shelf.fallbacks)):
            for rule in rules:
                if rule.clause.fits(name):
                    return rule.model
        return None

    def _shelf(self, kind: str) -> Shelf:
        opened = self._opened.get(kind)
        if opened is None:
            raw = self._shelves.get(kind)
            if raw is None:
                return NOTHING
            opened = self._opened[kind] = _shelf_decoder.decode(zlib.decompress(raw))
        return opened


class Catalogues:
    """The catalogue as the snapshot holds it; without one nothing is known."""

    __slots__ = ("_kind",)

    def __init__(self, runtime: Runtime) -> None:
        self._kind = runtime.snapshot.register(KIND, Catalogue.of)

    def find(self, kind: str, model: str) -> ModelRecord | None:
        held = self._kind.find(OBJECT)
        return held.find(kind, model) if held is not None else None
