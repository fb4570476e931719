"""Compiles gettext catalogs, so that neither a build nor a checkout needs GNU gettext."""

import ast
import struct
from dataclasses import dataclass, field
from pathlib import Path

_MAGIC = 0x950412DE
_HEADER_BYTES = 28


class UnableToReadCatalog(Exception):
    pass


@dataclass(slots=True)
class Entry:
    msgid: str = ""
    plural: str | None = None
    context: str | None = None
    translations: dict[int, str] = field(default_factory=dict)
    fuzzy: bool = False

    @property
    def key(self) -> str:
        text = self.msgid if self.plural is None else f"{self.msgid}\0{self.plural}"
        return text if self.context is None else f"{self.context}\4{text}"

    @property
    def value(self) -> str:
        return "\0".join(self.translations[index] for index in sorted(self.translations))

    @property
    def is_complete(self) -> bool:
        return not self.fuzzy and bool(self.translations) and all(self.translations.values())


def parse_po(text: str) -> list[Entry]:
    entries: list[Entry] = []
    for block in text.replace("\r\n", "\n").split("\n\n"):
        entry = _parse_block(block)
        if entry is not None:
            entries.append(entry)
    return entries


def _parse_block(block: str) -> Entry | None:
    entry, parts = Entry(), {}
    keyword = ""
    for line in block.splitlines():
        stripped = line.strip()
        if stripped.startswith("#"):
            entry.fuzzy = entry.fuzzy or (stripped.startswith("#,") and "fuzzy" in stripped)
            continue
        if not stripped:
            continue
        if not stripped.startswith('"'):
            keyword, _, stripped = stripped.partition(" ")
            parts[keyword] = ""
        if keyword not in parts:
            raise UnableToReadCatalog(f"a string without a keyword: {line!r}")
        parts[keyword] += _unquote(stripped)
    if "msgid" not in parts:
        return None
    return _fill(entry, parts)


def _fill(entry: Entry, parts: dict[str, str]) -> Entry:
    entry.msgid, entry.plural, entry.context = parts["msgid"], parts.get("msgid_plural"), parts.get("msgctxt")
    for keyword, value in parts.items():
        if keyword == "msgstr":
            entry.translations[0] = value
        elif keyword.startswith("msgstr["):
            entry.translations[int(keyword[7:-1])] = value
    return entry


def _unquote(text: str) -> str:
    try:
        value = ast.literal_eval(text.strip())
    except (SyntaxError, ValueError):
        raise UnableToReadCatalog(f"not a quoted string: {text!r}") from None
    return str(value)


def compile_mo(entries: list[Entry]) -> bytes:
    """The .mo layout of the GNU gettext manual, without the optional hash table."""
    pairs = sorted((entry.key.encode(), entry.value.encode()) for entry in entries if entry.is_complete)
    count = len(pairs)
    ids_at, strings_at = _HEADER_BYTES, _HEADER_BYTES + 8 * count
    data_at = _HEADER_BYTES + 16 * count
    tables: list[bytes] = []
    data = bytearray()
    for texts in zip(*pairs, strict=True) if pairs else ():
        for text in texts:
            tables.append(struct.pack("<II", len(text), data_at + len(data)))
            data += text + b"\0"
    header = struct.pack("<7I", _MAGIC, 0, count, ids_at, strings_at, 0, data_at)
    return header + b"".join(tables) + bytes(data)


def compile_catalogs(locale: Path) -> None:
    for source in sorted(locale.glob("*/LC_MESSAGES/*.po")):
        compiled = compile_mo(parse_po(source.read_text(encoding="utf-8")))
        target = source.with_suffix(".mo")
        if not target.is_file() or target.read_bytes() != compiled:
            target.write_bytes(compiled)
