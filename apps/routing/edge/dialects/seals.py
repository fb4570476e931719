"""Seals of thoughts: each provider takes back only its own, so that Google's carry a mark where others may stand."""

from typing import Final

_GOOGLE: Final = "gemini:"


def sealed_by_google(signature: str) -> str:
    """As it travels in the forms of other providers; base64 has no colon."""
    return _GOOGLE + signature


def find_googles_seal(signature: str) -> str:
    """Empty for a seal that somebody else made."""
    return signature.removeprefix(_GOOGLE) if signature.startswith(_GOOGLE) else ""
