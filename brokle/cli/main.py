"""The `brokle` command. A subcommand's module is loaded only when it is called."""

import sys
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from brokle import HOUSE

# name → module and function; the help line is the function's first docstring line.
_COMMANDS = {
    "audit": ("brokle.cli.audit", "app"),
    "backup": ("brokle.cli.backup", "backup"),
    "doctor": ("brokle.cli.doctor", "doctor"),
    "import": ("apps.routing.management.imports", "app"),
    "keys": ("apps.orgs.management.keys", "app"),
    "login": ("brokle.cli.login", "login"),
    "logout": ("brokle.cli.login", "logout"),
    "migrate": ("brokle.cli.migrate", "app"),
    "openapi": ("brokle.cli.openapi", "openapi"),
    "operator": ("apps.orgs.management.operator", "app"),
    "restore": ("brokle.cli.backup", "restore"),
    "secrets": ("apps.routing.management.secrets", "app"),
    "seed": ("brokle.cli.seed", "seed"),
    "serve": ("brokle.cli.serve", "serve"),
    "shell": ("brokle.cli.shell", "shell"),
    "whoami": ("brokle.cli.login", "whoami"),
    "version": ("brokle.cli.version", "version"),
    "prepare": ("brokle.cli.prepare", "prepare"),
}
# Commands that a room brings along; they exist where the room does.
_OF_ROOMS = {"license": ("ee.license.management.command", "app")}
_HIDDEN = frozenset({"prepare", "shell"})


def _present(name: str) -> bool:
    """Whether the room that brings this command is installed."""
    return name in _OF_ROOMS and HOUSE.joinpath(*_OF_ROOMS[name][0].split(".")).with_suffix(".py").is_file()


class LazyGroup(TyperGroup):
    def list_commands(self, ctx: Any) -> list[str]:
        return sorted((set(_COMMANDS) | {name for name in _OF_ROOMS if _present(name)}) - _HIDDEN)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in _COMMANDS and not _present(cmd_name):
            return None
        module, function = _COMMANDS.get(cmd_name) or _OF_ROOMS[cmd_name]
        target = getattr(import_module(module), function)
        if isinstance(target, typer.Typer):
            group = typer.main.get_command(target)
            group.name = cmd_name
            return group
        single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        single.command(name=cmd_name)(target)
        return typer.main.get_command(single)


app = typer.Typer(cls=LazyGroup, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def brokle() -> None:
    """Route, observe, host, sell, bill and target, in one container."""


def django_command(arguments: list[str]) -> None:
    """Runs Django's own command line, for developers."""
    from django.core.management import execute_from_command_line

    from brokle.settings.env import export_default

    export_default("DJANGO_SETTINGS_MODULE", "brokle.settings.dev")
    execute_from_command_line(arguments)


def run() -> None:
    sys.exit(app())
