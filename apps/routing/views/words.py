"""How what the gateway keeps is said to people."""

import re
from dataclasses import dataclass

from django.utils.translation import gettext, gettext_noop

from brokle.web.formatting import sentence


@dataclass(frozen=True, slots=True)
class State:
    tone: str
    word: str


_OK = State("ok", gettext_noop("OK"))
_FAILED = State("bad", gettext_noop("Failed"))
_REFUSED = State("bad", gettext_noop("Refused"))
_STATES = {
    429: State("warn", gettext_noop("Rate limited")),
    499: State("idle", gettext_noop("Client left")),
}
ENDS = (
    ("ok", gettext_noop("OK")),
    ("limited", gettext_noop("Rate limited")),
    ("left", gettext_noop("Client left")),
    ("refused", gettext_noop("Refused")),
    ("failed", gettext_noop("Failed")),
)
CAUSES = {
    "error": gettext_noop("The provider failed"),
    "rate_limit": gettext_noop("Rate limit of the provider"),
    "timeout": gettext_noop("No answer in time"),
    "context_window": gettext_noop("Too long for the model"),
    "capability": gettext_noop("The model cannot do this"),
    "content_policy": gettext_noop("Refused by the provider's content policy"),
    "cancelled": gettext_noop("Called off"),
}
STRATEGIES = {
    "fallback": gettext_noop("In order"),
    "weighted": gettext_noop("By weight"),
    "latency": gettext_noop("Fastest"),
    "cost": gettext_noop("Cheapest"),
    "busy": gettext_noop("Least busy"),
    "usage": gettext_noop("Least used"),
    "quality": gettext_noop("Best rated"),
}


def state_of(status: int) -> State:
    if status < 400:
        return _OK
    return _STATES.get(status, _FAILED if status >= 500 else _REFUSED)


def cause_of(cause: str) -> str:
    """A failure that has no word of ours says its own."""
    return CAUSES.get(cause, cause)


# What a test of a connection found, by its code; the provider's own words stand beside it.
FINDINGS = {
    "upstream_400": gettext_noop("The provider does not understand the call; check the address and the model."),
    "upstream_401": gettext_noop("The provider refuses this key."),
    "upstream_402": gettext_noop("The provider says that nothing is left to pay with."),
    "upstream_403": gettext_noop("The provider does not allow this with this key."),
    "upstream_404": gettext_noop("The provider has nothing at this address; check the address and the model."),
    "upstream_429": gettext_noop("The provider takes the key, but its rate limit is used up."),
    "not_an_api": gettext_noop("Something answers at this address, but it is not an interface for models."),
    "egress_refused": gettext_noop("This address may not be called from here."),
    "upstream_timeout": gettext_noop("The provider did not answer in time."),
    "upstream_broken": gettext_noop("The provider broke off its answer."),
}
_NOT_REACHED = gettext_noop("The provider was not reached; check the address.")
_ANSWERED_BADLY = gettext_noop("The provider answers with an error.")


def finding_of(code: str) -> str:
    is_answer = code.removeprefix("upstream_").isdigit()
    return FINDINGS.get(code, _ANSWERED_BADLY if is_answer else _NOT_REACHED)


HEALTHY = State("ok", gettext_noop("Healthy"))
UNSTEADY = State("warn", gettext_noop("Some calls fail"))
FAILING = State("bad", gettext_noop("Failing"))
SILENT = State("idle", gettext_noop("No calls"))
OFF = State("idle", gettext_noop("Disabled"))
_FEW, _MANY = 0.01, 0.2


def health_of(calls: int, error_share: float) -> State:
    if not calls:
        return SILENT
    if error_share < _FEW:
        return HEALTHY
    return UNSTEADY if error_share < _MANY else FAILING


MODES = {
    "chat": gettext_noop("Chat"),
    "completion": gettext_noop("Completion"),
    "embedding": gettext_noop("Embedding"),
    "image": gettext_noop("Image"),
    "transcription": gettext_noop("Transcription"),
    "speech": gettext_noop("Speech"),
    "rerank": gettext_noop("Reranking"),
    "moderation": gettext_noop("Moderation"),
    "realtime": gettext_noop("Realtime"),
    "video": gettext_noop("Video"),
}
CAPABILITIES = {
    "tools": gettext_noop("Tools"),
    "reasoning": gettext_noop("Reasoning"),
    "structured-output": gettext_noop("Structured output"),
    "image-input": gettext_noop("Sees images"),
    "pdf-input": gettext_noop("Reads documents"),
    "audio-input": gettext_noop("Hears"),
    "video-input": gettext_noop("Sees video"),
    "attachments": gettext_noop("Attachments"),
    "image-output": gettext_noop("Draws"),
    "audio-output": gettext_noop("Speaks"),
    "video-output": gettext_noop("Makes video"),
}

# What the data plane says of a target, and how it is said to people.
_REASONS = (
    (re.compile(r"in the order written"), gettext_noop("In the order written")),
    (re.compile(r"weight (?P<figure>\d+)"), gettext_noop("Weight %(figure)s")),
    (re.compile(r"kept by user"), gettext_noop("Kept for this user")),
    (re.compile(r"kept by session"), gettext_noop("Kept for this session")),
    (re.compile(r"`when\.(?P<name>.+)` does not fit"), gettext_noop("The condition %(name)s does not fit")),
    (re.compile(r"it has no (?P<name>.+)"), gettext_noop("It lacks %(name)s")),
    (
        re.compile(r"about (?P<figure>\d+) tokens do not fit its context of (?P<limit>\d+)"),
        gettext_noop("About %(figure)s tokens do not fit its context of %(limit)s"),
    ),
)


def reason_of(reason: str) -> str:
    for form, text in _REASONS:
        if found := form.fullmatch(reason):
            return sentence(gettext(text), **found.groupdict())
    strategy = STRATEGIES.get(reason.removeprefix("by "))
    return gettext(strategy) if strategy else sentence("%(reason)s", reason=reason)


SUBJECTS = {
    "key": gettext_noop("Each key"),
    "user": gettext_noop("Each user"),
    "route": gettext_noop("Each route"),
    "model": gettext_noop("Each model"),
    "provider": gettext_noop("Each provider"),
    "project": gettext_noop("The project"),
    "organization": gettext_noop("The organization"),
}
MEASURES = {
    "requests": gettext_noop("Requests"),
    "tokens": gettext_noop("Tokens"),
    "parallel": gettext_noop("Calls at once"),
    "usd": gettext_noop("US dollars"),
}
WINDOWS = {
    "minute": gettext_noop("A minute"),
    "hour": gettext_noop("An hour"),
    "day": gettext_noop("A day"),
    "week": gettext_noop("A week"),
    "month": gettext_noop("A month"),
    "total": gettext_noop("All time"),
}
