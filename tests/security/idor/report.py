"""What everybody was answered at every route, as a page of the documents."""

import re
from collections import Counter
from dataclasses import dataclass, field

import brokle

PAGE = brokle.HOUSE / "docs" / "security" / "tenancy.md"
_HEAD = """# Who gets at what

Written by `make idor-report` from the answers themselves: every route of the control plane, called by everybody, each
time from the same state. Whoever is refused is shown no word of the organization, and nothing has changed afterwards.
Beside this table the same suite (`tests/security/idor`) asks the rooms of `/ws`, the routes of the data plane,
background tasks and what stands in Redis.

The organization `noor` has members of every role; a `guest` has a role in another of its projects only. `key` has all
scopes in the environment that is asked about, `other_key` in another one, `narrow_key` only `gateway`. An `outsider`
owns another organization and asks under noor's address, as `mixed` under their own address with noor's objects in it.
Own, open and operator's routes are tried by those from outside alone (· = not asked).

"""
_ROUTE = re.compile(r"^\| `([A-Z]+ [^`]+)` \|", re.MULTILINE)


@dataclass
class Answers:
    by_route: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)
    leaks: int = 0

    def add(self, name: str, method: str, who: str, status: int) -> None:
        self.by_route.setdefault((name, method), {})[who] = status

    def keep(self) -> None:
        from tests.security.idor.test_matrix import ROUTES

        actors = list(dict.fromkeys(who for answers in self.by_route.values() for who in answers))
        summary = self._summary(actors)
        lines = [
            f"| `{method} {ROUTES[name]}` | " + " | ".join(str(answers.get(who, "·")) for who in actors) + " |"
            for (name, method), answers in sorted(self.by_route.items(), key=lambda one: (ROUTES[one[0][0]], one[0]))
        ]
        PAGE.parent.mkdir(exist_ok=True)
        table = [_line("route", *actors), _line(*(["---"] * (len(actors) + 1))), *lines]
        PAGE.write_text(_HEAD + "\n".join(summary) + "\n\n## By route\n\n" + "\n".join(table) + "\n")
        print("\n" + "\n".join(summary))  # noqa: T201 - the report itself

    def _summary(self, actors: list[str]) -> list[str]:
        cells = sum(len(answers) for answers in self.by_route.values())
        routes = len({name for name, _ in self.by_route})
        size = f"{routes} routes, {len(self.by_route)} with their methods, {len(actors)} actors, {cells} cells"
        found = [
            f"{size}, {self.leaks} leaks.",
            "",
            _line("actor", "cells", "2xx", "3xx", "401", "403", "404", "other 4xx", "5xx"),
            _line(*(["---"] * 9)),
        ]
        for who in actors:
            counts = Counter(_class_of(answers[who]) for answers in self.by_route.values() if who in answers)
            kinds = ("2xx", "3xx", "401", "403", "404", "4xx", "5xx")
            found.append(_line(f"`{who}`", str(counts.total()), *(str(counts[kind]) for kind in kinds)))
        return found


ANSWERS = Answers()


def _class_of(status: int) -> str:
    return str(status) if status in {401, 403, 404} else f"{status // 100}xx"


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def rows_in(text: str) -> list[str]:
    return _ROUTE.findall(text)
