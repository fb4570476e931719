import platform

import brokle
from brokle.cli.local import JsonOption, print_json


def version(as_json: JsonOption = False) -> None:
    """Print the version."""
    if as_json:
        print_json(
            {"version": brokle.__version__, "python": platform.python_version(), "platform": platform.platform()}
        )
        return
    print(brokle.__version__)
