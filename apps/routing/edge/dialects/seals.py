"""Seals of thoughts: each provider takes back only its own; in another's form one carries a mark."""

import base64
from typing import Final

_GOOGLE: Final = "gemini:"
_FOREIGN: Final = b"signature:"
_HIDDEN: Final = b"sealed:"


def sealed_by_google(signature: str) -> str:
    """As it travels in the forms of other providers; base64 has no colon."""
    return _GOOGLE + signature


def find_googles_seal(signature: str) -> str:
    """Empty for a seal that somebody else made."""
    return signature.removeprefix(_GOOGLE) if signature.startswith(_GOOGLE) else ""


def told_to_google(signature: str, sealed: str) -> str:
    """Others' seals in Google's form, which is base64 of anything."""
    own = find_googles_seal(signature)
    if own:
        return own
    return base64.b64encode(_HIDDEN + sealed.encode() if sealed else _FOREIGN + signature.encode()).decode()


def heard_from_google(told: str) -> tuple[str, str]:
    """Back to a signature, or to what only its provider can read; clients may have changed the alphabet."""
    try:
        held = base64.urlsafe_b64decode(told.replace("+", "-").replace("/", "_") + "==")
    except ValueError:
        return sealed_by_google(told), ""
    if held.startswith(_HIDDEN):
        return "", held.removeprefix(_HIDDEN).decode(errors="replace")
    if held.startswith(_FOREIGN):
        return held.removeprefix(_FOREIGN).decode(errors="replace"), ""
    return sealed_by_google(told), ""


def told_to_openai(signature: str, sealed: str) -> str:
    """What stands as `encrypted_content` of OpenAI's reasoning, which nobody but its maker reads."""
    return base64.b64encode(_HIDDEN + sealed.encode() if sealed else _FOREIGN + signature.encode()).decode()


def heard_from_openai(told: str) -> tuple[str, str]:
    """A signature, or what only its provider can read; neither where OpenAI itself encrypted it."""
    try:
        held = base64.b64decode(told, validate=True)
    except ValueError:
        return "", ""
    if held.startswith(_HIDDEN):
        return "", held.removeprefix(_HIDDEN).decode(errors="replace")
    return (held.removeprefix(_FOREIGN).decode(errors="replace"), "") if held.startswith(_FOREIGN) else ("", "")
