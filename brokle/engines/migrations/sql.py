"""Splits a file of SQL into its statements: semicolons in strings, names and comments divide nothing."""

from brokle.engines.clickhouse.tokens import scan


def split(text: str) -> list[str]:
    statements: list[str] = []
    start: int | None = None
    end = 0
    for token in scan(text):
        if token.kind == "mark" and token.text == ";":
            if start is not None:
                statements.append(text[start:end])
            start = None
            continue
        if start is None:
            start = token.start
        end = token.end
    if start is not None:
        statements.append(text[start:end])
    return statements
