"""Mail to people: real templates in their language, promised in the transaction and sent by the worker."""

from brokle.web.mail.sending import send_mail

__all__ = ["send_mail"]
