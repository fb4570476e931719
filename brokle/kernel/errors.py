"""Domain errors carry what every protocol needs; one place per protocol maps them to its own body."""


class BrokleError(Exception):
    """A failure with a stable code, an HTTP status and a sentence that says what to do."""

    code = "internal_error"
    status = 500
    title = "Something went wrong on our side"

    def __init__(self, detail: str = "", *, retry_after_s: float | None = None, field: str | None = None) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.retry_after_s = retry_after_s
        self.field = field


class BadRequest(BrokleError):
    code, status, title = "bad_request", 400, "The request cannot be understood"


class Unauthorized(BrokleError):
    code, status, title = "unauthorized", 401, "A valid API key is needed"


class Forbidden(BrokleError):
    code, status, title = "forbidden", 403, "This is not allowed"


class OrganizationSuspended(Forbidden):
    """Its detail is the operator's reason, or what to do where the reason is not the caller's to read."""

    code, title = "organization_suspended", "This organization is suspended"


class NotFound(BrokleError):
    code, status, title = "not_found", 404, "There is nothing here"


class Conflict(BrokleError):
    code, status, title = "conflict", 409, "This conflicts with what is already there"


class TooLarge(BrokleError):
    code, status, title = "too_large", 413, "The request is too large"


class Invalid(BrokleError):
    code, status, title = "invalid", 422, "Some values are not valid"


class RateLimited(BrokleError):
    code, status, title = "rate_limited", 429, "Too many requests"


class Unavailable(BrokleError):
    code, status, title = "unavailable", 503, "This is not available right now"


class UpstreamFailed(BrokleError):
    code, status, title = "upstream_failed", 502, "The upstream service failed"


class UpstreamTimedOut(BrokleError):
    code, status, title = "upstream_timeout", 504, "The upstream service did not answer in time"
