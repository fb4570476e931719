"""What no caller should send, and somebody will: in fields, in addresses, in headers, and in place of a body."""

import base64
import json
from typing import Any

TEXTS = {
    "markup": "'\"`;--</script><b>{{7*7}}{% now %}${7*7}%s%n{0}../../etc/passwd",
    "nul": "a\x00b",
    "surrogate": "a\ud800b",
    "letters": "\u202eأمل\u2066@\u200b\ufeffنور\u200d.example" + "👩\u200d👧🏽\u0301" * 20,
    "blank": " \t\r\n",
    "lines": "a@b.example\r\nBcc: c@d.example",
    "digits": "9" * 5000,
    "earliest": "0001-01-01T00:00:00+23:59",
    "latest": "9999-12-31T23:59:59-23:59",
    "no day": "2026-02-30T25:61:61Z",
    "megabyte": "x" * 1_000_000,
}
# Those that travel as bytes in an address or a form.
SHORT = {name: text for name, text in TEXTS.items() if name != "megabyte"}

# Cursors are JSON in base64: what stands in them is the caller's word too.
CURSORS = {
    f"cursor of {content[:20]}": base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")
    for content in (
        *("7", "null", "[]", "{}", '["2026-01-01"]', '["\\ud800", "x"]', '[[1], {"a": 1}]', '[NaN, "\\u0000"]'),
        *('["2026-01-01 00:00:00", "\\ud800"]', '["2026-01-01 00:00:00", 7]', "[" * 20_000, "org_\x00"),
    )
}

VALUES: dict[str, Any] = {
    **TEXTS,
    "empty": "",
    "null": None,
    "true": True,
    "negative": -1,
    "huge": 10**400,
    "beyond 64 bits": 2**63,
    "nan": float("nan"),
    "empty list": [],
    "list of nul": ["\x00", "\ud800"],
    "list of objects": [{"a": 1}, None, [[]]],
    "long list": ["gateway"] * 10_000,
    "object": {"$ne": 1, "__proto__": {"a": 1}, "\x00": "\ud800"},
    "deep": json.loads("[" * 200 + "]" * 200),
}

BODIES: dict[str, bytes] = {
    "nothing": b"",
    "null": b"null",
    "a text": b'"text"',
    "a list": b'[{"name": "x"}]',
    "an empty object": b"{}",
    "cut off": b'{"name": "x',
    "bytes": b"\xff\xfe\x00\x80",
    "utf-16": '{"name": "x"}'.encode("utf-16"),
    "deep lists": b"[" * 100_000,
    "deep objects": b'{"a":' * 50_000,
    "unknown": b'{"\\u0000": "\\ud800", "\\ud800": 1, "__class__": {"a": 1}}',
    "twice": b'{"name": "a", "name": {"b": 1}}',
    "many digits": b'{"name": ' + b"9" * 5000 + b"}",
    "form": b"name=x&scopes=gateway",
}

CONTENT_TYPES = (
    *("", "text/plain", "application/json; charset=nonsense", "application/json; charset=utf-16", "application/xml"),
    *("multipart/form-data", "multipart/form-data; boundary=", "application/x-www-form-urlencoded", "\x00/\xff", ";;;"),
)

HEADERS = (
    *("Authorization", "X-Api-Key", "Idempotency-Key", "Accept", "Accept-Language", "Accept-Encoding"),
    *("X-Request-ID", "Cookie", "User-Agent", "Origin", "Referer", "Host", "X-Forwarded-For", "X-Forwarded-Proto"),
    *("traceparent", "tracestate", "If-None-Match", "Range", "X-CSRFToken", "X-HTTP-Method-Override", "HX-Target"),
)
# As bytes: a header is none of UTF-8, and a test client would not send most of these.
HEADER_VALUES: dict[str, bytes] = {
    "empty": b"",
    "quotes": b"'\"`;--<script>{{7*7}}",
    "bytes": b"\xff\xfe\x80\xc3\x28",
    "utf-8": "أمل \u202e😀".encode(),
    "long": b"x" * 30_000,
    "control": b"a\tb\x01c",
    "nul": b"a\x00b",
    "pairs": b"a;b=c,,,;q=x;=;;\xe9=\xe9",
    "credentials": b"Bearer " + b"\xff" * 40,
    "basic": b"Basic " + b"=" * 60,
    "cookies": b'brokle_session="\\377"; brokle_csrf=\xff; messages=\x22[[; brokle_language=\xe9; sessionid=../../x',
    "token": b"Bearer eyJhbGciOiJub25lIn0.e30." + b"A" * 20,
    "trace": b"00-ffffffffffffffffffffffffffffffff-zzzzzzzzzzzzzzzz-ff",
    "addresses": b"::ffff:1.2.3.4, 999.1.1.1, [, unknown, \xff",
    "ranges": b"bytes=9999999999999999999-,-1,a-b",
}
