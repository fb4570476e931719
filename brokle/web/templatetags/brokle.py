"""Tags and filters that every template has, without loading: they are built in by the settings."""

import json
from collections.abc import Sequence
from datetime import datetime

from django import template
from django.urls import reverse
from django.utils.html import conditional_escape, escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext

from brokle.kernel import extensions
from brokle.kernel.money import Money
from brokle.web import formatting
from brokle.web.assets import find_assets
from brokle.web.components import parse_component, parse_slot

register = template.Library()
register.tag("component", parse_component)
register.tag("slot", parse_slot)


@register.simple_tag
def icon(name: str, flip: bool = False) -> SafeString:
    """One Lucide shape; nothing when the build is missing, for a page reads without its icons."""
    assets = find_assets()
    shape = assets.icons.get(name) if assets else None
    if shape is None:
        return SafeString("")
    classes = "i flip" if flip else "i"
    # The shapes come from the locked icon package, through our own build.
    return mark_safe(f'<svg class="{classes}" viewBox="0 0 24 24" aria-hidden="true">{shape}</svg>')  # noqa: S308


@register.simple_tag(takes_context=True)
def user_settings_tabs(context: template.Context) -> list[dict[str, object]]:
    """The tabs of a person's own settings; the one whose address the page lies under is current."""
    tabs = [(gettext(tab.title), reverse(tab.url_name)) for tab in extensions.user_settings_tabs.collect()]
    return _tabs(context["request"].path, tabs)


@register.simple_tag(takes_context=True)
def user_settings_trail(context: template.Context) -> list[dict[str, object]]:
    """The breadcrumb of a person's own settings."""
    tabs = user_settings_tabs(context)
    return [{"title": gettext("Your settings"), "href": tabs[0]["href"]}, *(tab for tab in tabs if tab["is_current"])]


@register.simple_tag(takes_context=True)
def settings_tabs(context: template.Context) -> list[dict[str, object]]:
    """The tabs of an organization's settings."""
    place = context["shell"].workspace
    every = extensions.settings_tabs.collect(place.organization_id)
    found = [tab for tab in every if not tab.permission or place.may(tab.permission)]
    tabs = [(gettext(tab.title), reverse(tab.url_name, kwargs=place.url_kwargs)) for tab in found]
    return _tabs(context["request"].path, tabs)


def _tabs(path: str, tabs: list[tuple[str, str]]) -> list[dict[str, object]]:
    under = [href for _, href in tabs if path == href or path.startswith(f"{href}/")]
    current = max(under, key=len, default="")
    return [{"title": title, "href": href, "is_current": href == current} for title, href in tabs]


@register.filter
def money(amount: Money) -> str:
    return formatting.money_text(amount)


@register.filter
def number(value: float) -> str:
    return formatting.number_text(value)


@register.filter
def compact(value: float) -> str:
    return formatting.compact_text(value)


@register.filter
def duration(milliseconds: float) -> str:
    return formatting.duration_text(milliseconds)


@register.filter(name="bytes")
def bytes_(size: int) -> str:
    return formatting.bytes_text(size)


@register.filter
def ago(moment: datetime) -> str:
    return formatting.ago_text(moment)


@register.filter
def initials(name: str) -> str:
    return formatting.initials_text(name)


@register.filter
def spark(values: Sequence[float]) -> str:
    return formatting.spark_path(values)


@register.filter
def share(value: float) -> str:
    return formatting.percent_text(value)


@register.filter
def translated(text: str) -> str:
    """For titles that extension points and data carry in English."""
    return gettext(text) if text else ""


@register.filter
def isolate(value: object) -> SafeString:
    """Figures and names inside a sentence of either direction."""
    return format_html("<bdi>{}</bdi>", value)


@register.filter
def attribute(value: str, name: str) -> SafeString:
    """` name="value"`, or nothing when there is no value."""
    return format_html(' {}="{}"', name, value) if value not in (None, "", False) else SafeString("")


@register.filter
def json_attribute(value: object) -> SafeString:
    return SafeString(escape(json.dumps(value)))


@register.filter
def code(value: str) -> SafeString:
    """Monospace, left to right, in running text."""
    return SafeString(f"<code>{conditional_escape(value)}</code>")
