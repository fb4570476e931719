"""Errors as ClickHouse words them, and the HTTP status its server gives each code."""

import re

_PATTERN = re.compile(r"Code: (\d+)\. DB::Exception: ")

SYNTAX_ERROR = 62
UNKNOWN_SETTING = 115
QUERY_IS_TOO_LARGE = 162
READONLY = 164
TOO_MANY_SIMULTANEOUS_QUERIES = 202
QUERY_WITH_SAME_ID = 216
SESSION_NOT_FOUND = 372
SESSION_IS_LOCKED = 373
NOT_IMPLEMENTED = 48
ACCESS_DENIED = 497
AUTHENTICATION_FAILED = 516
STD_EXCEPTION = 1001
BAD_REQUEST_PARAMETER = 36
INCORRECT_DATA = 117

_STATUSES = {
    194: 401,
    **dict.fromkeys((192, 193, 516, 512, 497), 403),
    **dict.fromkeys(
        (6, 7, 8, 10, 15, 25, 26, 27, 36, 38, 41, 44, 53, 62, 69, 72, 117, 167, 168, 223, 376, 427, 441, 651, 675, 676),
        400,
    ),
    **dict.fromkeys((60, 46, 47, 50, 56, 81, 115, 511, 63, 73, 336, 78), 404),
    162: 413,
    48: 501,
    **dict.fromkeys((209, 76, 439), 503),
    381: 411,
    159: 408,
    718: 415,
}


class ClickHouseError(Exception):
    """One failed query: ClickHouse's code, its sentence, and its symbolic name in brackets."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    @property
    def status(self) -> int:
        return _STATUSES.get(self.code, 500)


def refusal(code: int, name: str, sentence: str) -> ClickHouseError:
    return ClickHouseError(code, f"Code: {code}. DB::Exception: {sentence} ({name})")


def denied(sentence: str) -> ClickHouseError:
    return refusal(ACCESS_DENIED, "ACCESS_DENIED", sentence)


def from_engine(error: Exception) -> ClickHouseError:
    """The engine raises plain RuntimeErrors whose text carries the code, sometimes behind a prefix."""
    text = str(error)
    match = _PATTERN.search(text)
    if match is None:
        return refusal(STD_EXCEPTION, "STD_EXCEPTION", text)
    return ClickHouseError(int(match[1]), text[match.start() :].rstrip())
