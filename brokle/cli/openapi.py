from brokle.cli.django_setup import ready


def openapi() -> None:
    """Print the OpenAPI 3.1 schema of the management API."""
    ready()
    from brokle.web.schema import openapi_json

    print(openapi_json().decode())
