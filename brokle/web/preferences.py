"""Language and theme: the cookie first, then the person's own setting, then what the browser asks for."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.cache import patch_vary_headers

THEMES = ("light", "dark", "system")
DEFAULT_THEME = "system"
THEME_COOKIE = "brokle_theme"
_YEAR_S = 365 * 24 * 60 * 60
_LANGUAGES = frozenset(code for code, _ in settings.LANGUAGES)


def preferences(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Stands after the authentication middleware, for it may ask who the user is."""

    def middleware(request: HttpRequest) -> HttpResponse:
        own_language, own_theme = _own(request)
        language = _known_language(request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME)) or own_language
        language = language or _browser_language(request)
        request.theme = _known_theme(request.COOKIES.get(THEME_COOKIE)) or own_theme or DEFAULT_THEME  # type: ignore[attr-defined]
        request.LANGUAGE_CODE = language
        with translation.override(language):
            response = get_response(request)
        response.headers.setdefault("Content-Language", language)
        patch_vary_headers(response, ("Accept-Language", "Cookie"))
        return response

    return middleware


def remember(response: HttpResponse, *, language: str = "", theme: str = "") -> None:
    """Sets the cookies."""
    for name, value in ((settings.LANGUAGE_COOKIE_NAME, language), (THEME_COOKIE, theme)):
        if value:
            response.set_cookie(name, value, max_age=_YEAR_S, samesite="Lax", secure=settings.SECURE, httponly=True)


def remember_unless_chosen(request: HttpRequest, response: HttpResponse, *, language: str, theme: str) -> None:
    """At sign-in: what was chosen in this browser a moment ago is newer than the account's setting."""
    remember(
        response,
        language="" if settings.LANGUAGE_COOKIE_NAME in request.COOKIES else language,
        theme="" if THEME_COOKIE in request.COOKIES else theme,
    )


def is_language(code: str) -> bool:
    return code in _LANGUAGES


def is_theme(name: str) -> bool:
    return name in THEMES


def _known_language(code: str | None) -> str:
    return code if code and code in _LANGUAGES else ""


def _known_theme(name: str | None) -> str:
    return name if name and name in THEMES else ""


def _own(request: HttpRequest) -> tuple[str, str]:
    """Asked only when a cookie is missing and a session may exist; a database that is down must not cost the page."""
    has_cookies = settings.LANGUAGE_COOKIE_NAME in request.COOKIES and THEME_COOKIE in request.COOKIES
    if has_cookies or settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return "", ""
    with suppress(DatabaseError):
        user: Any = request.user
        if user.is_authenticated:
            return _known_language(user.language), _known_theme(user.theme)
    return "", ""


def _browser_language(request: HttpRequest) -> str:
    code = translation.get_language_from_request(request)
    return _known_language(code.split("-")[0]) or settings.LANGUAGE_CODE
