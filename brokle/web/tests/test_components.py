import re

import pytest
from django.template import Context, Engine, RequestContext, Template, TemplateSyntaxError
from django.template.base import NodeList
from django.test import RequestFactory

import brokle
from brokle.kernel.money import Money
from brokle.web.components import ComponentNode
from brokle.web.tables import Column, Sort, Table

TEMPLATES = brokle.HOUSE / "templates"
SHARED = {"body", "slots", "csrf_token", "shell", "request"}


def render(source, **context):
    return Template(source).render(Context(context))


def test_a_component_gets_its_values_and_its_body():
    html = render('{% component "badge" tone="ok" label=word / %}', word="Active")

    assert html.strip().endswith('<span class="badge ok">Active</span>')


def test_values_and_bodies_are_escaped_once():
    html = render('{% component "card" title=title %}{{ text }}{% endcomponent %}', title="<b>", text="a & b")

    assert "<h2>&lt;b&gt;</h2>" in html
    assert "a &amp; b" in html


def test_a_slot_goes_where_the_component_puts_it():
    html = render('{% component "card" title="T" %}body{% slot "actions" %}<i>act</i>{% endslot %}{% endcomponent %}')

    assert '<div class="acts"><i>act</i></div>' in html
    assert html.count("act</i>") == 1


def test_a_component_does_not_see_the_page_around_it():
    assert "secret" not in render('{% component "badge" tone="ok" / %}', label="secret")


@pytest.mark.parametrize(
    "source", ["{% component %}", "{% component badge / %}", '{% component "badge" ok / %}', '{% component "badge" %}']
)
def test_a_wrong_component_tag_is_refused(source):
    with pytest.raises(TemplateSyntaxError):
        Template(source)


def test_money_keeps_every_digit_in_its_title():
    assert '<bdi title="0.000090 USD">&lt;$0.0001</bdi>' in render(
        '{% component "money" amount=amount / %}', amount=Money(90)
    )


def test_a_sortable_column_links_to_its_other_order_and_drops_the_cursor():
    request = RequestFactory().get("/", {"cursor": "abc", "model": "echo"})
    table = Table("Requests", [Column("cost", "Cost", is_numeric=True, is_sortable=True)], sort=Sort("cost"))
    source = '{% component "table" table=table %}<tr></tr>{% endcomponent %}'
    html = Template(source).render(RequestContext(request, {"table": table}))

    assert '<th scope="col" class="num" aria-sort="descending"><a href="?model=echo&amp;sort=cost">' in html


def component_nodes(nodelist):
    for node in nodelist:
        for child in node.child_nodelists:
            inner = getattr(node, child, None)
            if isinstance(inner, NodeList):
                yield from component_nodes(inner)
        for _, inner in getattr(node, "conditions_nodelists", []):
            yield from component_nodes(inner)
        if isinstance(node, ComponentNode):
            yield node


def test_every_component_in_use_exists_and_knows_what_it_is_given():
    engine = Engine.get_default()
    unknown = []
    for path in sorted(TEMPLATES.rglob("*.html")):
        template = engine.get_template(str(path.relative_to(TEMPLATES)))
        for node in component_nodes(template.nodelist):
            source = (TEMPLATES / "components" / f"{node.name}.html").read_text(encoding="utf-8")
            known = set(re.findall(r"\w+", re.sub(r"\{#.*?#\}", "", source)))
            unknown += [f"{path.name}: {node.name} {prop}" for prop in node.props if prop not in known | SHARED]

    assert unknown == []


def test_every_component_says_what_it_takes():
    silent = [
        p.name
        for p in sorted((TEMPLATES / "components").glob("*.html"))
        if not p.read_text(encoding="utf-8").startswith("{#")
    ]

    assert silent == []


def test_every_icon_in_use_is_in_the_list():
    listed = set((brokle.HOUSE / "static" / "icons.txt").read_text(encoding="utf-8").split())
    used = set()
    for path in TEMPLATES.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        used |= set(re.findall(r"""{% icon "([\w-]+)""", text)) | set(re.findall(r"""\bicon="([\w-]+)\"""", text))

    assert used - listed == set()
