"""Which cases of an outsider are proved by which official client, as a page of the documents."""

import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import brokle

PAGE = brokle.HOUSE / "docs" / "conformance.md"
OFFICIAL = ("openai", "openai-node", "langchain", "litellm", "anthropic", "google")
AGENTS = ("claude-code", "codex")
CLIENTS = (*OFFICIAL, *AGENTS, "raw")
_LIKE_OPENAI = ("openai", "openai-node", "langchain", "litellm")

# What an outsider would try, and the clients for which it makes sense.
CASES: dict[int, tuple[str, tuple[str, ...]]] = {
    1: ("An answer has the provider's text and usage, the model asked for, and an id", CLIENTS),
    2: ("A stream of who asks for no usage shows none, and is billed", ("openai", "openai-node", "litellm")),
    3: ("Who asks for usage in a stream gets exactly one more chunk", _LIKE_OPENAI),
    4: ("LangChain's stream has the same text, and is billed", ("langchain",)),
    5: ("A provider that breaks off in the middle is an error, and in the log", OFFICIAL),
    6: ("An error inside a stream keeps its type and code, and nothing follows", OFFICIAL),
    7: ("A 429 keeps status, code and `retry-after`; retries are exactly as many as were asked for", OFFICIAL),
    8: ("A 400 keeps `param` and `code`, and is neither repeated nor sent elsewhere", _LIKE_OPENAI),
    9: ("An unknown model is 404 `model_not_found`, and nobody is asked", (*OFFICIAL, *AGENTS)),
    10: ("A missing, wrong, revoked or expired key is 401, without a word of ours", CLIENTS),
    11: ("A body that is none is 400 or 413 in the caller's form, never 500", ("raw",)),
    12: (
        "Who leaves stops the provider, and is in the log",
        ("openai", "openai-node", "langchain", "anthropic", "google", "raw"),  # LiteLLM's streams cannot be closed
    ),
    13: ("The first byte comes within 5 ms of the provider's, and gaps are kept", ("raw",)),
    14: ("Two tools called at once, streamed, to the end of the loop", (*OFFICIAL, "claude-code")),
    15: ("Anthropic's SDK to a provider that speaks OpenAI: order of events, tools, errors", ("anthropic",)),
    16: ("OpenAI's SDK to Claude: system, pictures, tool results, cached tokens, exact cost", ("openai",)),
    17: ("A shape (JSON Schema) is parsed by the client's own helper", OFFICIAL),
    18: ("Members that only the provider knows reach it unchanged", CLIENTS),
    19: ("A dollar buys ten calls of ten cents out of 200 at once over two processes", ("openai",)),
    20: ("Fifty a minute are fifty out of 500 over two processes, and tokens count as used", ("openai", "openai-node")),
    21: ("Fallback before the first byte, an error after it, and the only one left is tried", OFFICIAL),
    22: ("Semantic cache: whoever differs in anything that matters is not answered from it", ()),
    23: ("Vectors packed and plain, sound by form, pictures", _LIKE_OPENAI),
    24: ("Each answer has its row under SIGTERM and with an engine standing still", ("raw",)),
    25: ("LiteLLM, Claude Code and Codex complete their loops", ("openai", "litellm", "anthropic", *AGENTS)),
}
_HEAD = """# The gateway before its judges

Written by `make conformance-report`, which runs `tests/conformance/gateway`: a whole Brokle with two processes,
providers beside it that refuse what the real ones refuse, and the official clients as they are locked here. `raw` is a
socket or plain HTTP. A cell says how many tests of that case passed by that client (a test counts once for each
provider it is run against); ✘ is how many did not. — makes no sense for that client: its format has no such thing, or
the client has no part in it. Case 22 waits for the cache.

The columns: `openai` for Python, `openai` for JavaScript, `langchain-openai`, `litellm`, `anthropic`, `google-genai`,
and two programs, Claude Code and Codex, which really run what a model calls.

"""
_MARK = re.compile(r'pytest\.mark\.case\((\d+), "([a-z-]+)"\)')
_ROW = re.compile(r"^\| (\d+) \| [^|]+ \| (.+) \|$", re.MULTILINE)


def marks() -> set[tuple[int, str]]:
    """As they stand in the sources, whichever tests are run."""
    texts = (file.read_text() for file in Path(__file__).parent.glob("test_*.py"))
    return {(int(number), client) for text in texts for number, client in _MARK.findall(text)}


def sensible() -> set[tuple[int, str]]:
    return {(number, client) for number, (_, clients) in CASES.items() for client in clients}


def cells_in(text: str) -> dict[tuple[int, str], str]:
    return {
        (int(number), client): cell.strip()
        for number, row in _ROW.findall(text)
        for client, cell in zip(CLIENTS, row.split("|"), strict=True)
    }


@dataclass
class Results:
    """By case and client, what became of each test; and the names of those tests."""

    passed: dict[tuple[int, str], list[bool]] = field(default_factory=lambda: defaultdict(list))
    names: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))

    def add(self, item: pytest.Item, report: pytest.TestReport) -> None:
        if report.when != "call" and report.passed:
            return
        for mark in item.iter_markers("case"):
            number, *clients = mark.args
            name = item.name.partition("[")[0].removeprefix("test_").replace("_", " ")
            self.names[number].add(f"- `{item.path.name}`: {name}")
            for client in clients:
                self.passed[number, client].append(report.passed)

    def keep(self) -> None:
        table = [_line("", "case", *CLIENTS), _line(*["---"] * (len(CLIENTS) + 2))]
        for number, (title, _) in CASES.items():
            table.append(_line(str(number), title, *(self._cell(number, client) for client in CLIENTS)))
        tests = [f"### Case {number}\n\n" + "\n".join(sorted(self.names[number])) for number in sorted(self.names)]
        PAGE.write_text(_HEAD + "\n".join(table) + "\n\n## Which tests\n\n" + "\n\n".join(tests) + "\n")
        print("\n" + "\n".join(table))  # noqa: T201 - the report itself

    def _cell(self, number: int, client: str) -> str:
        found = self.passed.get((number, client))
        if not found:
            return "—" if (number, client) not in sensible() else "✘"
        failed = found.count(False)
        return f"✘ {failed}" if failed else f"✔ {len(found)}"


RESULTS = Results()


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
