"""Marks texts for translation where Django may not be imported; the page translates them."""


def gettext_noop(text: str) -> str:
    return text
