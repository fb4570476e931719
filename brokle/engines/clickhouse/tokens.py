"""ClickHouse's lexer, as much of it as is needed to tell code from strings, names and comments."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["word", "name", "string", "number", "mark", "open"]

# Order matters: comments before marks, quoted forms before what opens one and never closes it, that before single
# characters. Such an opening reaches to the end, and nothing in a quoted form is tried twice: any text is read in
# time that grows with its length.
_TOKEN = re.compile(
    r"""
      (?P<skip>\s++ | --[^\n]*+ | \#[ !][^\n]*+ | /\*.*?\*/)
    | (?P<string>'(?:[^'\\]++|\\.|'')*+' | \$(?P<tag>\w*+)\$.*?\$(?P=tag)\$ | \u2018[^\u2019]*+\u2019)
    | (?P<name>`(?:[^`\\]++|\\.|``)*+` | "(?:[^"\\]++|\\.|"")*+" | \u201c[^\u201d]*+\u201d)
    | (?P<open>(?:['`"\u2018\u201c] | \$\w*+\$ | /\*).*)
    | (?P<word>[A-Za-z_][A-Za-z0-9_$]*)
    | (?P<number>[0-9][0-9A-Za-z_.]*)
    | (?P<mark>.)
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Token:
    kind: Kind
    text: str
    start: int
    end: int
    depth: int

    def says(self, *keywords: str) -> bool:
        return self.kind == "word" and self.text.upper() in keywords


def scan(sql: str) -> Iterator[Token]:
    """Significant tokens one by one, each with the depth of brackets around it; lazy, for data may follow the SQL."""
    depth = 0
    for match in _TOKEN.finditer(sql):
        kind = match.lastgroup
        if kind == "skip":
            continue
        if match["string"] is not None:
            kind = "string"
        text = match[0]
        if kind == "mark" and text in ")]}":
            depth -= 1
        yield Token(kind, text, match.start(), match.end(), depth)  # type: ignore[arg-type]
        if kind == "mark" and text in "([{":
            depth += 1
