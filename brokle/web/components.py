"""The `{% component %}` tag: one template in templates/components, isolated from the page, with a body and named slots.

    {% component "badge" tone="ok" label="Active" / %}
    {% component "card" title="Requests" %}{% slot "actions" %}…{% endslot %}body{% endcomponent %}

A component sees only what it is given, `body`, `slots` and what every page has (`shell`, `csrf_token`, `request`).
"""

from typing import Any, cast

from django.template.base import FilterExpression, Node, NodeList, Parser, Template, Token, token_kwargs
from django.template.context import Context
from django.template.exceptions import TemplateSyntaxError
from django.utils.safestring import SafeString

_SHARED = ("shell", "csrf_token", "request")


class SlotNode(Node):
    child_nodelists = ("nodelist",)

    def __init__(self, name: str, nodelist: NodeList) -> None:
        self.name, self.nodelist = name, nodelist

    def render(self, context: Context) -> SafeString:
        return SafeString("")


class ComponentNode(Node):
    child_nodelists = ("nodelist",)

    def __init__(self, name: str, props: dict[str, FilterExpression], nodelist: NodeList) -> None:
        self.name, self.props, self.nodelist = name, props, nodelist
        self._slots = [node for node in nodelist if isinstance(node, SlotNode)]

    def render(self, context: Context) -> SafeString:
        values = {name: context[name] for name in _SHARED if name in context}
        values.update((name, value.resolve(context)) for name, value in self.props.items())
        values["body"] = SafeString(self.nodelist.render(context).strip())
        values["slots"] = {slot.name: SafeString(slot.nodelist.render(context).strip()) for slot in self._slots}
        return SafeString(self._template(context).render(context.new(values)))

    def _template(self, context: Context) -> Template:
        """Looked up once in a rendering, however many rows use it."""
        cache: dict[str, Template] = cast("dict[str, Any]", context.render_context.dicts[0]).setdefault(
            "components", {}
        )
        if self.name not in cache:
            assert context.template is not None  # noqa: S101 - a node renders inside a template
            cache[self.name] = context.template.engine.get_template(f"components/{self.name}.html")
        return cache[self.name]


def _literal(token: str, tag: str) -> str:
    if len(token) < 3 or token[0] != token[-1] or token[0] not in "'\"":
        raise TemplateSyntaxError(f'{tag} takes a quoted name first, such as {{% {tag} "badge" %}}')
    return token[1:-1]


def parse_component(parser: Parser, token: Token) -> ComponentNode:
    bits = token.split_contents()[1:]
    if not bits:
        raise TemplateSyntaxError("component takes a quoted name first")
    closed = bits[-1] == "/"
    name = _literal(bits[0], "component")
    rest = bits[1:-1] if closed else bits[1:]
    props = token_kwargs(rest, parser)
    if rest:
        raise TemplateSyntaxError(f'component "{name}" takes only name=value, not {rest[0]!r}')
    nodelist = NodeList()
    if not closed:
        nodelist = parser.parse(("endcomponent",))
        parser.delete_first_token()
    return ComponentNode(name, props, nodelist)


def parse_slot(parser: Parser, token: Token) -> SlotNode:
    bits = token.split_contents()[1:]
    if len(bits) != 1:
        raise TemplateSyntaxError("slot takes one quoted name")
    name = _literal(bits[0], "slot")
    nodelist = parser.parse(("endslot",))
    parser.delete_first_token()
    return SlotNode(name, nodelist)
