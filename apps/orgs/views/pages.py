"""What the pages of an organization share: act, say how it went, and come back."""

from brokle.web.pages import act, page, submit

__all__ = ["act", "page", "submit"]
