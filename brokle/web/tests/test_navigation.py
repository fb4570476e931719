import pytest
from django.http import HttpResponse, QueryDict
from django.test import Client
from django.urls import path
from django.utils import translation

from brokle.kernel.extensions import Command, NavigationItem, commands, navigation
from brokle.web.navigation import sections
from brokle.web.tables import Column, Sort, Table
from brokle.web.urls import urlpatterns as web
from brokle.web.workspace import Quota, Workspace


def nothing(request, **kwargs):
    return HttpResponse()


urlpatterns = [
    *web,
    path("<slug:org>/overview", nothing, name="overview"),
    path("<slug:org>/routes", nothing, name="some-routes"),
    path("<slug:org>/routes/playground", nothing, name="some-playground"),
    path("<slug:org>/routes/<slug:key>", nothing, name="one-route"),
]
pytestmark = pytest.mark.urls(__name__)
NOOR = Workspace("Noor Health", url_kwargs={"org": "noor"})


@pytest.fixture
def rooms():
    routes = NavigationItem("route.routes", "Routes", "some-routes", parent="route")
    playground = NavigationItem("route.playground", "Playground", "some-playground", parent="route")
    with (
        navigation.plugged("route.routes", routes, order=21),
        navigation.plugged("route.playground", playground, order=22),
    ):
        yield


def test_a_section_shows_once_it_has_somewhere_to_lead(rooms):
    assert [(line.key, line.href) for line in sections("/", NOOR)] == [
        ("overview", "/noor/overview"),
        ("route", "/noor/routes"),
    ]


def test_without_an_organization_there_is_nothing_to_navigate(rooms):
    assert sections("/", None) == []


def test_a_detail_page_marks_the_page_it_lies_under(rooms):
    overview, route = sections("/noor/routes/support-chat", NOOR)

    assert (overview.is_open, route.is_open, route.is_current) == (False, True, False)
    assert [page.is_current for page in route.pages] == [True, False]


def test_the_longest_address_wins(rooms):
    route = sections("/noor/routes/playground", NOOR)[1]

    assert [page.is_current for page in route.pages] == [False, True]


def test_titles_are_in_the_readers_language(rooms):
    with translation.override("ar"):
        assert [line.title for line in sections("/", NOOR)] == ["نظرة عامة", "التوجيه"]


def test_the_palette_lists_commands_in_the_language_of_the_page():
    command = Command("theme", "Settings", "preferences-theme")
    with commands.plugged("theme", command):
        body = Client(headers={"accept-language": "ar"}).get("/palette.json").json()

    assert [(line["title"], line["href"]) for line in body["commands"]] == [("الإعدادات", "/preferences/theme")]


COLUMNS = [Column("time", "Time", is_sortable=True), Column("model", "Model")]


@pytest.mark.parametrize(
    ("query", "sort"),
    [
        ("", Sort("time")),
        ("sort=time", Sort("time", is_descending=False)),
        ("sort=-time", Sort("time")),
        ("sort=model", Sort("time")),
        ("sort=;drop", Sort("time")),
    ],
)
def test_only_sortable_columns_sort(query, sort):
    assert Sort.from_query(QueryDict(query), COLUMNS, default=Sort("time")) == sort


def test_headings_tell_their_state_and_offer_the_other_order():
    headings = Table("Requests", COLUMNS, sort=Sort("time")).headings

    assert [(heading.sort, heading.state) for heading in headings] == [("time", "descending"), ("", "")]


@pytest.mark.parametrize(("used", "tone"), [(0, "ok"), (79, "ok"), (80, "warn"), (100, "bad"), (140, "bad")])
def test_a_quota_warns_before_it_ends(used, tone):
    assert Quota(used, 100).tone == tone
