from typing import Annotated, Literal

import typer

from brokle.cli.local import JsonOption, django_here, print_json

Profile = Literal["dev", "demo", "prod"]


def seed(
    profile: Annotated[Profile, typer.Argument(help="dev and demo make people; prod never does.")],
    as_json: JsonOption = False,
) -> None:
    """Fill the installation with what a profile needs; running it again changes nothing."""
    with django_here(as_json):
        from brokle.kernel.extensions import seeds

        made = [line for found in seeds.collect() if profile in found.profiles for line in found.run(profile)]
        if as_json:
            print_json({"profile": profile, "made": made})
            return
        for line in made:
            print(line)
        if not made:
            print("nothing to do")
