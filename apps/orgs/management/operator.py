"""`brokle operator`: who runs this installation, for whoever lost their way in."""

from typing import Annotated, Any

import typer

from brokle.cli.local import JsonOption, UnableToRun, django_here, print_json

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Say who runs this installation.")
EmailArgument = Annotated[str, typer.Argument(help="The address of somebody who has an account here.")]


@app.callback()
def operator() -> None:
    """Say who runs this installation."""


@app.command()
def add(email: EmailArgument, as_json: JsonOption = False) -> None:
    """Make somebody an operator: they see the room under /admin/ and /debug/."""
    with django_here(as_json):
        from apps.users import facade as users

        user_id = _find(email)
        users.make_operator(user_id=user_id, actor=_actor())
        _say({"id": user_id, "email": email, "is_operator": True}, f"{email} is an operator now", as_json)


@app.command()
def remove(email: EmailArgument, as_json: JsonOption = False) -> None:
    """Take the mark back; the last operator keeps it."""
    with django_here(as_json):
        from apps.users import facade as users

        user_id = _find(email)
        users.unmake_operator(user_id=user_id, actor=_actor())
        _say({"id": user_id, "email": email, "is_operator": False}, f"{email} is no operator any more", as_json)


@app.command("list")
def list_operators(as_json: JsonOption = False) -> None:
    """Show who runs this installation."""
    with django_here(as_json):
        from apps.users import facade as users

        found = users.list_operators()
        if as_json:
            rows = [{"id": one.id, "email": one.email, "name": one.name, "is_locked": one.is_locked} for one in found]
            print_json({"operators": rows})
            return
        for one in found:
            print(f"{one.email}{' (locked)' if one.is_locked else ''}")
        if not found:
            print("nobody; `brokle operator add EMAIL` makes somebody one")


def _find(email: str) -> str:
    from apps.users import facade as users

    found = users.find_user_id(email=email)
    if found is None:
        raise UnableToRun(f"nobody here has the address {email}; they sign up first")
    return found


def _actor() -> Any:
    from brokle.ground.services import Actor

    return Actor("cli", "brokle")


def _say(facts: dict[str, Any], line: str, as_json: bool) -> None:
    if as_json:
        print_json(facts)
    else:
        print(line)
