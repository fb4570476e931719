"""What base.html and shell.html need on every page; no database is asked for a visitor without a session."""

from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import get_language

from brokle.kernel.extensions import Notice, home_workspace, notices, unread_notifications
from brokle.web.assets import Assets, find_assets
from brokle.web.navigation import Line, address, sections
from brokle.web.operators import is_operator
from brokle.web.preferences import DEFAULT_THEME, THEMES
from brokle.web.workspace import Workspace

RTL = frozenset({"ar"})


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    email: str


@dataclass(frozen=True, slots=True)
class Language:
    code: str
    name: str
    short: str


LANGUAGES = (Language("en", "English", "En"), Language("ar", "العربية", "ع"))


@dataclass(frozen=True, slots=True)
class Bell:
    """Asks for the number only where it is drawn."""

    href: str
    source: str
    user_id: str

    @property
    def room(self) -> str:
        return f"notifications:{self.user_id}"

    @property
    def unread(self) -> int:
        return unread_notifications.choose()(self.user_id)


@dataclass(frozen=True, slots=True)
class Shell:
    language: str
    theme: str
    csp_nonce: str
    path: str
    assets: Assets | None
    person: Person | None = None
    workspace: Workspace | None = None
    sections: list[Line] = field(default_factory=list)
    languages: tuple[Language, ...] = LANGUAGES
    themes: tuple[str, ...] = THEMES
    account: str = ""
    sign_out: str = ""
    bell: Bell | None = None
    operator: str = ""
    user: Any = None

    @property
    def direction(self) -> str:
        return "rtl" if self.language in RTL else "ltr"

    @property
    def trail(self) -> list[Line]:
        """The breadcrumb of a page that names none: the open section and page."""
        section = next((line for line in self.sections if line.is_open), None)
        return [section, *(page for page in section.pages if page.is_current)] if section else []

    @property
    def notices(self) -> list[Notice]:
        if self.user is None:
            return []
        return [notice for source in notices.collect() for notice in source.find(self.user)]

    @property
    def preload(self) -> list[str]:
        return self.assets.preload.get(self.language, []) if self.assets else []


def bare_shell(request: HttpRequest) -> Shell:
    """Without user, organization or navigation: what an error page can count on."""
    return Shell(
        language=get_language() or settings.LANGUAGE_CODE,
        theme=getattr(request, "theme", DEFAULT_THEME),
        csp_nonce=getattr(request, "csp_nonce", ""),
        path=request.get_full_path(),
        assets=find_assets(),
    )


def full_shell(request: HttpRequest) -> Shell:
    bare = bare_shell(request)
    workspace = workspace_of(request)
    user = getattr(request, "user", None)
    return Shell(
        language=bare.language,
        theme=bare.theme,
        csp_nonce=bare.csp_nonce,
        path=bare.path,
        assets=bare.assets,
        person=_person(request),
        workspace=workspace,
        sections=sections(request.path, workspace),
        account=address("account", workspace),
        sign_out=address("account_logout", workspace),
        bell=_bell(request),
        operator=address("operator-organizations", None) if is_operator(user) else "",
        user=user if user is not None and user.is_authenticated else None,
    )


def workspace_of(request: HttpRequest) -> Workspace | None:
    """Where one is; on pages of a person alone, where they would go back to."""
    found: Workspace | None = getattr(request, "workspace", None)
    user = getattr(request, "user", None)
    if found is not None or user is None or not user.is_authenticated:
        return found
    home: Workspace | None = home_workspace.choose()(request)
    return home


def _bell(request: HttpRequest) -> Bell | None:
    user = getattr(request, "user", None)
    href, source = address("notifications", None), address("notifications-bell", None)
    if user is None or not user.is_authenticated or not href:
        return None
    return Bell(href, source, str(user.pk))


def _person(request: HttpRequest) -> Person | None:
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return None
    return Person(name=user.name or user.email, email=user.email)


def shell(request: HttpRequest) -> dict[str, Shell]:
    """The context processor."""
    return {"shell": full_shell(request)}
