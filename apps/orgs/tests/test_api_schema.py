import pytest
from django.test import Client
from openapi_spec_validator import validate

from brokle.web.schema import openapi

pytestmark = pytest.mark.engines


def test_the_schema_is_valid_openapi_3_1(db):
    answer = Client().get("/api/schema/")

    assert (answer.status_code, answer.json()["openapi"]) == (200, "3.1.0")
    validate(answer.json())
    assert Client().get("/api/schema/", headers={"if-none-match": answer["etag"]}).status_code == 304


def test_every_post_takes_an_idempotency_key_and_every_operation_may_refuse():
    for path, item in openapi()["paths"].items():
        assert path.startswith("/api/v1/")
        for method, operation in item.items():
            names = [parameter["name"] for parameter in operation.get("parameters", [])]
            assert ("Idempotency-Key" in names) == (method == "post")
            assert {"400", "401", "403", "429"} <= set(operation["responses"])
            is_for_people = path.startswith(("/api/v1/auth/", "/api/v1/operator/"))
            assert {"api_key": []} in operation["security"] or is_for_people
            assert {"api_key": []} not in operation["security"] or not path.startswith("/api/v1/operator/")


@pytest.mark.parametrize("language", ["en", "ar"])
def test_the_reference_page_shows_every_operation_under_the_policy(db, language):
    answer = Client().get("/api/docs/", headers={"accept-language": language})
    html = answer.content.decode()

    assert answer.status_code == 200
    for item in openapi()["paths"].values():
        for operation in item.values():
            assert f'id="{operation["operationId"]}"' in html
            assert operation["summary"].split("'")[0] in html
    assert " style=" not in html
    assert " onclick=" not in html
    assert "https://" not in html.replace("https://brokle.com", "")
