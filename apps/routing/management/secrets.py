"""`brokle secrets`: renew the keys under which providers' keys are kept."""

from typing import Annotated

import typer

from brokle.cli.local import JsonOption, UnableToRun, django_here, print_json

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Renew the keys under which secrets are kept.")


@app.callback()
def secrets() -> None:
    """Renew the keys under which secrets are kept."""


@app.command()
def rotate(
    organization: Annotated[str, typer.Argument(help="Slug of the organization.")] = "default",
    as_json: JsonOption = False,
) -> None:
    """Give an organization a new key of its own and seal its secrets under that one."""
    with django_here(as_json):
        from apps.orgs import facade as orgs
        from apps.routing.services.data_keys import rotate_data_key

        organization_id = orgs.find_organization_by_slug(slug=organization)
        if organization_id is None:
            raise UnableToRun(f"there is no organization {organization!r}")
        count = rotate_data_key(organization_id=organization_id)
        _say({"organization": organization, "secrets": count}, f"{count} secrets sealed anew", as_json)


@app.command()
def reseal(as_json: JsonOption = False) -> None:
    """Seal every organization's key under the newest BROKLE_SECRET_KEY, so that a former one can be given up."""
    with django_here(as_json):
        from apps.routing.services.data_keys import reseal_data_keys

        count = reseal_data_keys()
        _say({"data_keys": count}, f"{count} keys of organizations sealed anew", as_json)


def _say(content: dict[str, object], line: str, as_json: bool) -> None:
    if as_json:
        print_json(content)
    else:
        print(line)
