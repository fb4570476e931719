"""Every way an outbound call can fail. Messages name host and limit, never a header, a body or a query."""

from brokle.kernel.errors import BadRequest, Unavailable, UpstreamFailed, UpstreamTimedOut


class EgressRefused(BadRequest):
    """The policy does not let this call out: address, scheme or the request itself is not acceptable."""

    code, title = "egress_refused", "This address may not be called"


class UnableToResolve(UpstreamFailed):
    code, title = "upstream_unresolved", "The upstream host name has no address"


class UnableToConnect(UpstreamFailed):
    code, title = "upstream_unreachable", "The upstream service cannot be reached"


class UpstreamBroken(UpstreamFailed):
    """The upstream closed early or does not speak HTTP/1.1."""

    code, title = "upstream_broken", "The upstream service broke off its answer"


class ClosedBeforeAnswer(UpstreamBroken):
    """Closed before a single byte of the answer; safe to repeat when the request is."""


class AnswerTooLarge(UpstreamFailed):
    code, title = "upstream_too_large", "The answer of the upstream service is too large"


class DeadlinePassed(UpstreamTimedOut):
    def __init__(self, host: str, phase: str, seconds: float) -> None:
        super().__init__(f"{host}: {phase} took longer than {seconds:g} s")
        self.phase = phase


class TooManyWaiting(Unavailable):
    code, title = "egress_saturated", "Too many calls wait for this upstream service"


class CircuitOpen(Unavailable):
    code, title = (
        "circuit_open",
        "The upstream service failed repeatedly and is being left alone for a moment",
    )


__all__ = [
    "AnswerTooLarge",
    "CircuitOpen",
    "ClosedBeforeAnswer",
    "DeadlinePassed",
    "EgressRefused",
    "TooManyWaiting",
    "UnableToConnect",
    "UnableToResolve",
    "UpstreamBroken",
]
