"""Errors in the shape of the wire format that was called."""

from collections.abc import Callable

import msgspec

from brokle.kernel.errors import BrokleError

ErrorShape = Callable[[BrokleError, str], bytes]

_OPENAI_TYPES = {
    400: "invalid_request_error",
    401: "invalid_request_error",
    403: "permission_error",
    404: "invalid_request_error",
    413: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
}
_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
_GEMINI_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    422: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


_OPENAI_CODES = {"unauthorized": "invalid_api_key", "rate_limited": "rate_limit_exceeded"}
# By these words of OpenAI, not by status or code, LiteLLM knows a wrong key from a wrong request.
_NO_SUCH_KEY = "Incorrect API key provided. "


def openai(error: BrokleError, request_id: str) -> bytes:
    return msgspec.json.encode(
        {
            "error": {
                "message": (_NO_SUCH_KEY if error.status == 401 else "") + error.detail,
                "type": _OPENAI_TYPES.get(error.status, "server_error"),
                "param": error.field,
                "code": _OPENAI_CODES.get(error.code, error.code),
            }
        }
    )


def anthropic(error: BrokleError, request_id: str) -> bytes:
    return msgspec.json.encode(
        {
            "type": "error",
            "error": {
                "type": _ANTHROPIC_TYPES.get(error.status, "api_error"),
                "message": error.detail,
                "details": {"error_code": error.code},
            },
            "request_id": request_id,
        }
    )


def gemini(error: BrokleError, request_id: str) -> bytes:
    status = _GEMINI_STATUSES.get(error.status, "INTERNAL")
    return msgspec.json.encode({"error": {"code": error.status, "message": error.detail, "status": status}})


def problem(error: BrokleError, request_id: str) -> bytes:
    """RFC 9457."""
    return msgspec.json.encode(
        {
            "type": f"https://brokle.com/problems/{error.code}",
            "title": error.title,
            "status": error.status,
            "detail": error.detail,
            "code": error.code,
            "request_id": request_id,
        }
    )
