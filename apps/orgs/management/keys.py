"""`brokle keys`: API keys of a server, or of the local installation."""

import sys
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from apps.orgs.management import remote_keys
from brokle.cli.local import JsonOption, UnableToRun, django_here, one_line_errors, print_json
from brokle.cli.remote import Server, find_server
from brokle.edge.principal import SCOPES
from brokle.kernel.clock import utc_now

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Make, list and revoke API keys.")

_WIDE = 400
OrganizationOption = Annotated[str, typer.Option(help="Slug of the organization.")]
ProjectOption = Annotated[str, typer.Option(help="Slug of the project.")]
EnvironmentOption = Annotated[str, typer.Option(help="Slug of the environment.")]
ScopeOption = Annotated[list[str] | None, typer.Option("--scope", help=f"Any of {', '.join(SCOPES)}; all unless told.")]
RateOption = Annotated[int | None, typer.Option("--rpm", min=1, help="Requests a minute.")]
DaysOption = Annotated[int | None, typer.Option("--expires-days", min=1, max=3650, help="Ends after so many days.")]


@dataclass(frozen=True, slots=True)
class Where:
    organization: str
    project: str
    environment: str

    def __str__(self) -> str:
        return f"{self.organization}/{self.project}/{self.environment}"


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What people call it.")] = "command line",
    scope: ScopeOption = None,
    rpm: RateOption = None,
    expires_days: DaysOption = None,
    organization: OrganizationOption = "default",
    project: ProjectOption = "default",
    environment: EnvironmentOption = "production",
    as_json: JsonOption = False,
) -> None:
    """Make a key and print it, this once."""
    if server := _server(as_json):
        with one_line_errors(as_json):
            ends = utc_now() + timedelta(days=expires_days) if expires_days else None
            asked = {"name": name, "scopes": list(scope or SCOPES), "requests_per_minute": rpm}
            asked["expires_at"] = ends.isoformat() if ends else None
            made = remote_keys.make(server, (organization, project, environment), asked)
        if as_json:
            print_json({field: made[field] for field in ("id", "name", "scopes", "value")})
            return
        print(made["value"])
        return
    with django_here(as_json):
        from apps.orgs.services.keys import Bounds, issue_key
        from brokle.ground.services import Actor

        key = issue_key(
            environment=_environment(Where(organization, project, environment)),
            name=name,
            scopes=scope or SCOPES,
            actor=Actor("cli", "brokle"),
            bounds=Bounds(
                requests_per_minute=rpm, expires_at=utc_now() + timedelta(days=expires_days) if expires_days else None
            ),
        )
        if as_json:
            print_json({"id": key.key_id, "name": key.name, "scopes": key.scopes, "value": key.value})
            return
        print(key.value)


@app.command("list")
def list_keys(
    organization: OrganizationOption = "default",
    project: ProjectOption = "default",
    environment: EnvironmentOption = "production",
    as_json: JsonOption = False,
) -> None:
    """Show the keys of an environment, without their secrets."""
    if server := _server(as_json):
        with one_line_errors(as_json):
            _show(remote_keys.listed(server, (organization, project, environment)), as_json)
        return
    with django_here(as_json):
        found = _environment(Where(organization, project, environment)).keys.order_by("-created_at")
        rows = [
            {
                "id": key.id,
                "name": key.name,
                "hint": str(key),
                "scopes": key.scopes,
                "created_at": key.created_at.isoformat(timespec="seconds"),
                "expires_at": key.expires_at and key.expires_at.isoformat(timespec="seconds"),
                "revoked_at": key.revoked_at and key.revoked_at.isoformat(timespec="seconds"),
            }
            for key in found
        ]
        _show(rows, as_json)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="key_…, as `list` shows it.")],
    organization: OrganizationOption = "default",
    project: ProjectOption = "default",
    environment: EnvironmentOption = "production",
    as_json: JsonOption = False,
) -> None:
    """End a key; within a second no edge accepts it."""
    if server := _server(as_json):
        with one_line_errors(as_json):
            gone = remote_keys.revoke(server, (organization, project, environment), key_id)
        if as_json:
            print_json({"id": gone["id"], "revoked": True})
            return
        print(f"{gone['name']} ({gone['id']}) is revoked")
        return
    with django_here(as_json):
        from apps.orgs.models import ApiKey
        from apps.orgs.services.keys import revoke_key
        from brokle.ground.services import Actor

        key = ApiKey.objects.across_organizations().filter(id=key_id).first()
        if key is None:
            raise UnableToRun(f"there is no key {key_id}; `brokle keys list` shows them")
        revoke_key(key=key, actor=Actor("cli", "brokle"), at=utc_now())
        if as_json:
            print_json({"id": key.id, "revoked": True})
            return
        print(f"{key.name} ({key.id}) is revoked")


def _server(as_json: bool) -> Server | None:
    with one_line_errors(as_json):
        return find_server()


def _show(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json({"keys": rows})
        return
    _print_table(rows)


def _environment(where: Where) -> Any:
    from apps.orgs.models import Environment

    found = (
        Environment.objects.across_organizations()
        .filter(
            organization__slug__iexact=where.organization,
            project__slug__iexact=where.project,
            slug__iexact=where.environment,
        )
        .first()
    )
    if found is None:
        raise UnableToRun(f"there is no environment {where}; name one with --organization, --project, --environment")
    return found


def _print_table(rows: list[dict[str, Any]]) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("id", "name", "key", "scopes", "created", "state"):
        table.add_column(heading, no_wrap=heading == "id", overflow="fold")
    for row in rows:
        state = "revoked" if row["revoked_at"] else "active"
        table.add_row(row["id"], row["name"], row["hint"], ",".join(row["scopes"]), row["created_at"], state)
    # Into a pipe each key is one line, whatever its length.
    Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE).print(table)
