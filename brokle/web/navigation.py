"""The sidebar and the palette, from the extension points."""

from dataclasses import dataclass, field, replace

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext, gettext_noop

from brokle.kernel.extensions import NavigationItem, commands, navigation
from brokle.web.operators import is_operator
from brokle.web.workspace import Workspace

# The frame; rooms hang their pages below with parent="route" and so on. A section shows once it has somewhere to lead.
SECTIONS = (
    NavigationItem("overview", gettext_noop("Overview"), "overview", "layout-grid"),
    NavigationItem("route", gettext_noop("Route"), "", "route"),
    NavigationItem("observe", gettext_noop("Observe"), "", "eye"),
    NavigationItem("host", gettext_noop("Host"), "", "box"),
    NavigationItem("sell", gettext_noop("Sell"), "", "store"),
    NavigationItem("target", gettext_noop("Target"), "", "target"),
    NavigationItem("billing", gettext_noop("Billing"), "", "credit-card"),
    NavigationItem("settings", gettext_noop("Settings"), "settings", "settings"),
)


@dataclass(frozen=True, slots=True)
class Line:
    key: str
    title: str
    href: str
    icon: str = ""
    is_current: bool = False
    is_open: bool = False
    pages: list["Line"] = field(default_factory=list)


def register_sections() -> None:
    for order, item in enumerate(SECTIONS, start=1):
        navigation.register(item.key, item, order=order * 10)


def address(url_name: str, workspace: Workspace | None) -> str:
    """Empty when the page does not exist (yet) or needs an organization and there is none."""
    if not url_name:
        return ""
    for kwargs in (workspace.url_kwargs if workspace else {}, {}):
        try:
            return reverse(url_name, kwargs=kwargs or None)
        except NoReverseMatch:
            continue
    return ""


def sections(path: str, workspace: Workspace | None) -> list[Line]:
    items = navigation.collect(workspace.organization_id if workspace else None)
    lines = [line for item in items if not item.parent and (line := _section(item, items, workspace))]
    current = _current(path, lines)
    return [_mark(line, current) for line in lines]


def _section(item: NavigationItem, items: list[NavigationItem], workspace: Workspace | None) -> Line | None:
    pages = [
        Line(child.key, gettext(child.title), href, child.icon)
        for child in items
        if child.parent == item.key and (href := address(child.url_name, workspace))
    ]
    href = address(item.url_name, workspace) or (pages[0].href if pages else "")
    return Line(item.key, gettext(item.title), href, item.icon, pages=pages) if href else None


def _current(path: str, lines: list[Line]) -> str:
    """The longest address that the path lies under; a section yields to its own page at the same address."""
    best = ""
    for line in lines:
        for candidate in (line, *line.pages):
            base = candidate.href.rstrip("/")
            if (path.rstrip("/") == base or path.startswith(f"{base}/")) and len(candidate.href) >= len(best):
                best = candidate.href
    return best


def _mark(line: Line, current: str) -> Line:
    pages = [replace(page, is_current=bool(current) and page.href == current) for page in line.pages]
    within = any(page.is_current for page in pages)
    is_current = bool(current) and line.href == current and not within
    return replace(line, pages=pages, is_current=is_current, is_open=within or is_current)


def palette(request: HttpRequest, workspace: Workspace | None) -> list[dict[str, str]]:
    lines: list[dict[str, str]] = []
    for section in sections(request.path, workspace):
        if not section.pages:
            lines.append({"title": section.title, "section": "", "href": section.href, "icon": section.icon})
        lines += [
            {"title": page.title, "section": section.title, "href": page.href, "icon": page.icon or section.icon}
            for page in section.pages
        ]
    for command in commands.collect(workspace.organization_id if workspace else None):
        if command.is_for_operators and not is_operator(getattr(request, "user", None)):
            continue
        if href := address(command.url_name, workspace):
            lines.append({"title": gettext(command.title), "section": "", "href": href, "icon": command.icon})
    return lines
