"""The operator's pages and calls; for everybody else they do not exist."""

from django.urls import path

from apps.orgs.endpoints.operator_organizations import OperatorOrganizationEndpoints as Organizations
from apps.orgs.endpoints.operator_people import OperatorPersonEndpoints as People
from apps.orgs.views import operator as room
from apps.orgs.views import operator_organizations as organizations
from apps.orgs.views import operator_people as people
from apps.orgs.views import operator_support as support

_ORGANIZATION = "organizations/<id:organization_id>"
_PERSON = "people/<id:person_id>"
_API = "api/v1/operator"
_ACTS = ("lock", "unlock", "end-sessions", "remove-second-factors", "verify-address", "send-password-reset")

urlpatterns = [
    path("admin/", room.entrance, name="operator"),
    path("admin/log", room.log, name="operator-log"),
    path("admin/organizations", organizations.organization_list, name="operator-organizations"),
    path(f"admin/{_ORGANIZATION}", organizations.organization_detail, name="operator-organization"),
    path(f"admin/{_ORGANIZATION}/suspend", organizations.suspend, name="operator-suspend"),
    path(f"admin/{_ORGANIZATION}/resume", organizations.resume, name="operator-resume"),
    path(f"admin/{_ORGANIZATION}/support-access", support.begin, name="operator-support"),
    path("admin/support-access/<id:access_id>/end", support.end, name="operator-support-end"),
    path("admin/people", people.person_list, name="operator-people"),
    path(f"admin/{_PERSON}", people.person_detail, name="operator-person"),
    path(f"admin/{_PERSON}/<slug:act_name>", people.act_on_person, name="operator-person-act"),
    path(f"{_API}/organizations", Organizations.as_view({"get": "list"}), name="api-operator-organizations"),
    path(
        f"{_API}/{_ORGANIZATION}",
        Organizations.as_view({"get": "retrieve", "patch": "partial_update"}),
        name="api-operator-organization",
    ),
    path(f"{_API}/{_ORGANIZATION}/suspend", Organizations.as_view({"post": "suspend"}), name="api-operator-suspend"),
    path(f"{_API}/{_ORGANIZATION}/resume", Organizations.as_view({"post": "resume"}), name="api-operator-resume"),
    path(
        f"{_API}/{_ORGANIZATION}/support-access",
        Organizations.as_view({"post": "begin_support", "delete": "end_support"}),
        name="api-operator-support",
    ),
    path(f"{_API}/people", People.as_view({"get": "list"}), name="api-operator-people"),
    path(f"{_API}/{_PERSON}", People.as_view({"get": "retrieve"}), name="api-operator-person"),
    *(
        path(
            f"{_API}/{_PERSON}/{act}",
            People.as_view({"post": act.replace("-", "_")}),
            name=f"api-operator-person-{act}",
        )
        for act in _ACTS
    ),
    path(
        f"{_API}/{_PERSON}/operator",
        People.as_view({"put": "make_operator", "delete": "unmake_operator"}),
        name="api-operator-person-operator",
    ),
]
