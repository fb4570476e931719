"""What clients may not say beyond what the engine's own grants refuse (see configuration.py).

Those grants keep clients from nearly everything that reaches files, processes or the network; here stand the few
things that chDB does outside them.
"""

import re
from collections.abc import Callable

from brokle.engines.clickhouse.errors import ClickHouseError, denied
from brokle.engines.clickhouse.tokens import Token, scan

# Calls that read files, Python objects or programs without asking for a grant, and disks made up in a query.
_CALLS = frozenset({"FILE", "PYTHON", "EXECUTABLE", "EXECUTABLEPOOL", "DISK", "CATBOOSTEVALUATE"})
_ENGINES = frozenset({"DATALAKECATALOG", "EXECUTABLE", "EXECUTABLEPOOL"})
_SUSPECT = re.compile(r"attach|file|python|executable|disk|catboost|datalakecatalog|\bai[a-z]", re.IGNORECASE)
_QUOTES = ("`", '"', "\u201c")

Normalize = Callable[[str], str]


def refuse_forbidden(sql: str, normalize: Normalize) -> None:
    """Raises 497 for a statement that would reach outside the engine.

    `normalize` is the engine's own formatter: what is judged is the text its parser understood, without
    comments and with escapes in quoted names resolved, so no spelling can hide a call from this check.
    """
    if not _may_be_forbidden(sql):
        return
    tokens = list(scan(normalize(sql)))
    if tokens and tokens[-1].kind == "open":
        raise denied("What is opened and never closed could hide anything and is refused.")
    for before, token, after in zip([None, *tokens], tokens, [*tokens[1:], None], strict=False):
        error = _judge(before, token, after)
        if error is not None:
            raise error
    if tokens and tokens[0].says("ATTACH") and any(token.says("FROM") and token.depth == 0 for token in tokens):
        raise denied("ATTACH … FROM takes a path of the server's file system and is refused.")


def _may_be_forbidden(sql: str) -> bool:
    """Cheap and never wrong in the dangerous direction: a quoted name may spell anything once it holds an escape."""
    if _SUSPECT.search(sql) is not None:
        return True
    return "\\" in sql and any(quote in sql for quote in _QUOTES)


def _judge(before: Token | None, token: Token, after: Token | None) -> ClickHouseError | None:
    if before is not None and before.says("INTO") and token.says("OUTFILE"):
        return denied("INTO OUTFILE writes to the server's file system and is refused.")
    if before is not None and before.says("FROM") and token.says("INFILE"):
        return denied("FROM INFILE reads the server's file system and is refused.")
    if token.kind not in ("word", "name"):
        return None
    name = token.text.strip('`"\u201c\u201d')
    if after is not None and after.text == "(" and (name.upper() in _CALLS or re.match(r"ai[A-Z]", name)):
        return denied(f"{name}(…) reaches outside the engine and is refused.")
    if before is not None and before.text == "=" and name.upper() in _ENGINES:
        return denied(f"The engine {name} reaches outside and is refused.")
    return None
