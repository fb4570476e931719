"""`brokle audit verify`."""

from dataclasses import asdict

import typer

from brokle.cli.local import JsonOption, django_here, print_json

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Check the audit log.")


@app.callback()
def audit() -> None:
    """Check the audit log."""


@app.command()
def verify(as_json: JsonOption = False) -> None:
    """Walk the chain of hashes and name the first entry that is not what was written."""
    with django_here(as_json):
        from brokle.ground.audit_chain import verify_chains

        verdict = verify_chains()
        if as_json:
            print_json({**asdict(verdict), "ok": not verdict.broken})
        else:
            for broken in verdict.broken:
                place = broken.organization_id or "the installation"
                print(f"✗ {place}: entry {broken.sequence} ({broken.entry_id}): {broken.reason}")
            if not verdict.broken:
                print(f"✓ {verdict.entries} entries of {verdict.organizations} organizations are as they were written")
        if verdict.broken:
            raise typer.Exit(1)
