"""What a request's SQL is: a query with a format, or an INSERT whose data follows in the same body."""

from dataclasses import dataclass

from brokle.engines.clickhouse.errors import SYNTAX_ERROR, refusal
from brokle.engines.clickhouse.tokens import Token, scan

_STREAMING_VERBS = frozenset({"SELECT", "WITH", "FROM"})
_ANSWERING_VERBS = _STREAMING_VERBS | {
    "SHOW", "DESCRIBE", "DESC", "EXISTS", "EXPLAIN", "CHECK", "KILL", "VALUES", "BACKUP", "RESTORE",
}  # fmt: skip
_DATA_CLAUSE = frozenset({"FORMAT", "VALUES"})
_NAMED_BY = frozenset({"INTO", "TABLE", "."})
_BLANKS = " \t\f"


@dataclass(frozen=True, slots=True)
class Statement:
    """`sql` may carry undecodable bytes as surrogates; `data_at` counts bytes of the text that was parsed."""

    sql: str
    verb: str
    format: str | None = None
    format_span: tuple[int, int] | None = None
    data_at: int | None = None

    @property
    def answers(self) -> bool:
        return self.verb in _ANSWERING_VERBS

    @property
    def streams(self) -> bool:
        return self.verb in _STREAMING_VERBS

    def without_format(self) -> str:
        if self.format_span is None:
            return self.sql
        start, end = self.format_span
        return self.sql[:start] + self.sql[end:]


def parse(text: str) -> Statement:
    """Reads one statement. For an INSERT with data, `sql` ends before FORMAT and `data_at` is where data starts."""
    insert = find_insert(text)
    if insert is not None:
        return insert
    tokens = list(scan(text))
    verb = next((token.text.upper() for token in tokens if token.text != "("), "")
    _refuse_what_only_a_terminal_says(tokens)
    tokens = _single(tokens)
    sql = text[: tokens[-1].end] if tokens else ""
    clause = _format_clause(tokens)
    if clause is None:
        return Statement(sql, verb)
    keyword, name = clause
    return Statement(sql, verb, name.text, (keyword.start, name.end))


def find_insert(text: str) -> Statement | None:
    """An INSERT whose data follows, or None; reads no further than its FORMAT, so `text` may be a beginning."""
    if next((token.text.upper() for token in scan(text) if token.text != "("), "") != "INSERT":
        return None
    before = ""
    tokens = scan(text)
    for token in tokens:
        if token.depth == 0 and token.says("SELECT", "WITH", "FROM"):
            return None
        if token.depth == 0 and token.says(*_DATA_CLAUSE) and before not in _NAMED_BY:
            return _with_data(text, token, next(tokens, None))
        before = token.text.upper()
    return None


def _with_data(text: str, clause: Token, name: Token | None) -> Statement | None:
    sql = text[: clause.start]
    if clause.says("VALUES"):
        return Statement(sql, "INSERT", "Values", data_at=_bytes(text[: clause.end]))
    if name is None or name.kind != "word":
        return None
    return Statement(sql, "INSERT", name.text, data_at=_bytes(text[: _data_start(text, name.end)]))


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))


def _data_start(text: str, position: int) -> int:
    """Data begins after the first newline behind FORMAT, or else after the blanks."""
    while position < len(text) and text[position] in _BLANKS:
        position += 1
    if text.startswith("\r", position):
        position += 1
    if text.startswith("\n", position):
        position += 1
    return position


def _single(tokens: list[Token]) -> list[Token]:
    count = len(tokens)
    while count and tokens[count - 1].text == ";":
        count -= 1
    tokens = tokens[:count]
    for token in tokens:
        if token.kind == "mark" and token.text == ";":
            raise refusal(
                SYNTAX_ERROR,
                "SYNTAX_ERROR",
                f"Syntax error (Multi-statements are not allowed): failed at position {token.start + 1} (;).",
            )
    return tokens


def _refuse_what_only_a_terminal_says(tokens: list[Token]) -> None:
    """The embedded engine still obeys clickhouse-client's own words, such as exit; a server knows none of them."""
    if not tokens:
        raise refusal(SYNTAX_ERROR, "SYNTAX_ERROR", "Empty query.")
    first, last = tokens[0], tokens[-1]
    if last.kind == "open":
        raise refusal(
            SYNTAX_ERROR, "SYNTAX_ERROR", f"Syntax error: what opens at position {last.start + 1} is never closed."
        )
    lone = len([token for token in tokens if token.text != ";"]) == 1
    if lone or (first.kind == "mark" and first.text != "(") or first.kind in ("string", "number"):
        raise refusal(SYNTAX_ERROR, "SYNTAX_ERROR", f"Syntax error: failed at position 1 ({first.text}).")


def _format_clause(tokens: list[Token]) -> tuple[Token, Token] | None:
    for index in range(len(tokens) - 2, -1, -1):
        keyword, name = tokens[index], tokens[index + 1]
        if keyword.depth or not keyword.says("FORMAT") or name.kind != "word":
            continue
        if index + 2 == len(tokens) or tokens[index + 2].says("SETTINGS", "INTO"):
            return keyword, name
    return None
