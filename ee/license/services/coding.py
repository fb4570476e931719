"""base64url without padding, one spelling per value."""

import base64
import binascii


def encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    """ValueError for anything that `encode` would not have written."""
    try:
        content = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise ValueError(str(error)) from error
    if encode(content) != text:
        raise ValueError("not the canonical spelling")
    return content
