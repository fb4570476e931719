"""Providers that fail, fall silent, break off or send rubbish. The numbers go into docs/faults.md."""

import asyncio
import json
import random
import time

import psycopg
import pytest

from brokle.engines.clickhouse_url import connect
from tests.fakes.toxic import toxic_beside
from tests.fakes.upstream import upstream_beside
from tests.faults.gateway.calling import Line, ask, chat, written
from tests.house import house

pytestmark = pytest.mark.engines

PLAIN = {"x-brokle-metadata": "off"}
WORDS = ["Peace", " be", " upon", " you", " — ", "السلام", " عليكم", " 🌙", "!"]
SILENCE_MS = 1000
PATIENCE_MS = 300
# The loop counts in whole milliseconds, and may be early by one.
_CLOCK_MS = 1


def _configuration(main: int, spare: int) -> str:
    return f"""
providers:
  - name: main
    kind: openai-compatible
    base_url: http://127.0.0.1:{main}/v1
    models: [{{id: m, input_usd_per_mtok: 1, output_usd_per_mtok: 10}}, {{id: silent}}, {{id: mute}}]
  - name: spare
    kind: openai-compatible
    base_url: http://127.0.0.1:{spare}/v1
    models: [{{id: m, input_usd_per_mtok: 1, output_usd_per_mtok: 10}}]
  - name: claude
    kind: anthropic
    base_url: http://127.0.0.1:{main}
    api_key: sk-ant-mock
    models: [{{id: c, input_usd_per_mtok: 1, output_usd_per_mtok: 10}}]
routes:
  - {{name: covered, targets: [{{model: main/m}}, {{model: spare/m}}]}}
  - {{name: covered-claude, targets: [{{model: claude/c}}, {{model: spare/m}}]}}
  - {{name: alone, timeout_ms: {SILENCE_MS}, targets: [{{model: main/silent}}]}}
  - {{name: hasty, targets: [{{model: main/mute, timeout_ms: {PATIENCE_MS}}}, {{model: spare/m}}]}}
  - {{name: hasty-alone, targets: [{{model: main/mute, timeout_ms: {PATIENCE_MS}}}]}}
  - {{name: slow-speaker, targets: [{{model: "echo/rate=20,size=12", timeout_ms: {PATIENCE_MS}}}]}}
"""


@pytest.fixture(scope="module")
def main():
    with upstream_beside() as found:
        yield found


@pytest.fixture(scope="module")
def spare():
    with upstream_beside() as found:
        found.script = answering_chat("spare")
        yield found


@pytest.fixture(scope="module")
def way(main):
    """To the main provider."""
    with toxic_beside(main.port) as found:
        yield found


@pytest.fixture(scope="module")
def home(tmp_path_factory, way, spare):
    folder = tmp_path_factory.mktemp("upstreams")
    (folder / "brokle.yaml").write_text(_configuration(way.port, spare.port))
    with house(folder / "data", BROKLE_CONFIG=str(folder / "brokle.yaml"), BROKLE_EGRESS_ALLOW="127.0.0.1") as started:
        yield started


@pytest.fixture(autouse=True)
def healthy(way):
    way.slice_bytes, way.cut_after, way.is_black_hole = 0, None, False


def reply(status: int, body: bytes, *headers: str, kind: str = "application/json") -> bytes:
    more = "".join(f"{header}\r\n" for header in headers)
    head = f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\n{more}content-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def whole(text: str) -> bytes:
    message = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    return json.dumps({"id": "c", "model": "m", "choices": [message], "usage": usage}).encode()


def openai_stream(words=WORDS, ends="\n") -> bytes:
    def event(delta, finish=None):
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        chunk = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
        return "data: " + json.dumps(chunk, ensure_ascii=False) + ends * 2

    usage = {"prompt_tokens": 3, "completion_tokens": len(words), "total_tokens": 3 + len(words)}
    last = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [], "usage": usage}
    events = [*(event({"content": word}) for word in words), event({}, "stop"), f"data: {json.dumps(last)}" + ends * 2]
    return ("".join(events) + "data: [DONE]" + ends * 2).encode()


def claude_stream(words=WORDS, ends="\n") -> bytes:
    message = {"id": "m1", "type": "message", "role": "assistant", "model": "c", "content": [], "stop_reason": None}
    events = [
        {"type": "message_start", "message": {**message, "usage": {"input_tokens": 3, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": w}} for w in words),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": len(words)}},
        {"type": "message_stop"},
    ]
    lines = [f"event: {e['type']}{ends}data: {json.dumps(e, ensure_ascii=False)}{ends * 2}" for e in events]
    return "".join(lines).encode()


def answering_chat(text: str):
    async def script(talk):
        if json.loads(talk.request.body).get("stream"):
            await talk.send(reply(200, openai_stream([text]), kind="text/event-stream"))
        else:
            await talk.send(reply(200, whole(text)))

    return script


def streaming(body: bytes):
    """On a connection that ends with it, so that a cut hits one answer."""

    async def script(talk):
        await talk.send(reply(200, body, "connection: close", kind="text/event-stream"))
        talk.writer.close()

    return script


class Failing:
    """Refuses for so many seconds from its first call on."""

    def __init__(self, seconds, status, *headers):
        self._seconds, self._status, self._headers = seconds, status, headers
        self._until = 0.0
        self.failed_at = []
        self.answered = 0

    async def __call__(self, talk):
        now = time.monotonic()
        self._until = self._until or now + self._seconds
        if now < self._until:
            self.failed_at.append(now)
            await talk.send(reply(self._status, b'{"error": {"message": "boom"}}', *self._headers))
        else:
            self.answered += 1
            await answering_chat("main")(talk)


@pytest.mark.parametrize(("status", "headers"), [(500, ()), (429, ("retry-after: 2",))])
async def test_1_a_provider_that_fails_for_seconds_costs_no_call(home, main, status, headers, record_property):
    seconds, calls = 4.0, 250
    main.script = failing = Failing(seconds, status, *headers)

    async def one(number):
        await asyncio.sleep(number * (seconds + 2) / calls)
        return await ask(home.port, written(chat("covered")))

    answers = await asyncio.gather(*(one(number) for number in range(calls)))

    async with asyncio.timeout(30):
        while not failing.answered:
            assert (await ask(home.port, written(chat("covered")))).status == 200
            await asyncio.sleep(0.05)

    good = sum(answer.status == 200 for answer in answers)
    extra = len(failing.failed_at) / calls
    gaps = [after - before for before, after in zip(failing.failed_at, failing.failed_at[1:], strict=False)]
    told = f"{status}: {good}/{calls} answered, {len(failing.failed_at)} asked in vain (+{extra:.1%})"
    record_property("seen", told)
    print(told)  # noqa: T201 - the figure of docs/faults.md
    assert good >= calls * 0.999
    assert extra <= 0.20
    if headers:
        assert [gap for gap in gaps if 0.2 < gap < 1.9] == []


async def test_2_a_black_hole_is_waited_for_exactly_and_then_left_alone(home, way, main, record_property):
    main.script = answering_chat("back")
    way.is_black_hole = True
    request = written(chat("alone"))

    waits = []
    while (answer := await ask(home.port, request)).status == 504:
        waits.append(answer.seconds)
    refusals = [await ask(home.port, request) for _ in range(20)]
    way.is_black_hole = False
    way.cut_all()
    began = time.monotonic()
    while (answer := await ask(home.port, request)).status != 200:
        assert answer.json()["error"]["code"] == "circuit_open"
        assert 1 <= int(answer.headers["retry-after"]) <= 30
        await asyncio.sleep(0.05)
    back_s = time.monotonic() - began

    fast = [refusal.seconds for refusal in refusals if refusal.status == 503]
    told = (
        f"{len(waits)} waits of {min(waits):.3f} to {max(waits):.3f} s, "
        f"then refused in {sorted(fast)[len(fast) // 2] * 1000:.1f} ms (median), back after {back_s:.1f} s"
    )
    record_property("seen", told)
    print(told)  # noqa: T201 - the figure of docs/faults.md
    assert len(waits) <= 10
    assert all(abs(wait - SILENCE_MS / 1000) <= 0.1 for wait in waits)
    assert len(fast) >= 15
    assert sorted(fast)[len(fast) // 2] < 0.005
    assert back_s <= 30


async def test_2_callers_in_a_hurry_shut_nobody_out(home, way, main):
    """They wait for less long than the route would, which says nothing about the provider."""
    main.script = answering_chat("here")
    assert (await ask(home.port, written(chat("main/m")))).status == 200
    way.is_black_hole = True
    hurried = written(chat("main/m"), headers={"x-brokle-timeout-ms": "1001"})
    left = await asyncio.gather(*(ask(home.port, hurried) for _ in range(10)))
    way.is_black_hole = False
    way.cut_all()

    assert {answer.status for answer in left} == {504}
    assert (await ask(home.port, written(chat("main/m")))).status == 200


class Mute:
    """Says nothing more than this, and counts who hangs up on it."""

    def __init__(self, said=b""):
        self._said = said
        self.left = 0

    async def __call__(self, talk):
        await talk.send(self._said)
        await talk.until_closed()
        self.left += 1


BEGUN = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("said", "is_stream"),
    [(b"", False), (b"", True), (BEGUN, True)],
    ids=["whole", "stream", "stream that only begins"],
)
async def test_2_a_target_is_waited_for_as_long_as_its_own_deadline_and_the_next_one_answers(
    home, main, said, is_stream, record_property
):
    main.script = mute = Mute(said)
    answer = await ask(home.port, written(chat("hasty", stream=is_stream)))

    assert (answer.status, answer.headers["x-brokle-provider"], answer.headers["x-brokle-attempts"]) == (
        200,
        "spare",
        "2",
    )
    assert PATIENCE_MS - _CLOCK_MS <= answer.seconds * 1000 <= PATIENCE_MS + 200
    await asyncio.to_thread(home.wait_for, lambda: mute.left == 1)
    first, second = await _attempts(home, answer.headers["x-request-id"])
    assert (first["provider"], first["status"], first["cause"]) == ("main", 504, "timeout")
    assert PATIENCE_MS - _CLOCK_MS <= first["latency_ms"] <= PATIENCE_MS + 100
    assert (second["provider"], second["status"], second["cause"]) == ("spare", 200, "")
    told = f"given up after {first['latency_ms']:.1f} ms, answered after {answer.seconds * 1000:.1f} ms"
    record_property("seen", told)
    print(told)  # noqa: T201 - the figure of docs/faults.md


async def _attempts(home, request_id):
    rows = []
    with connect(home.run_file()["urls"]["CLICKHOUSE_URL"]) as database:

        def are_there():
            found = database.query(
                "SELECT * FROM ai_routing_metrics FINAL WHERE request_id = {id:String} ORDER BY attempt",
                parameters={"id": request_id},
            )
            rows[:] = list(found.named_results())
            return len(rows) == 2

        await asyncio.to_thread(home.wait_for, are_there)
    return rows


async def test_2_deadlines_of_targets_shut_nobody_out(home, main):
    """They are shorter than what others wait, which says nothing about the provider."""
    main.script = Mute()
    left = await asyncio.gather(*(ask(home.port, written(chat("hasty-alone"))) for _ in range(10)))
    main.script = answering_chat("here")

    assert {(answer.status, answer.json()["error"]["code"]) for answer in left} == {(504, "upstream_timeout")}
    assert all(PATIENCE_MS - _CLOCK_MS <= answer.seconds * 1000 < SILENCE_MS for answer in left)
    assert (await ask(home.port, written(chat("main/mute")))).status == 200


async def test_2_who_has_begun_in_time_is_heard_to_the_end(home):
    answer = await ask(home.port, written(chat("slow-speaker", stream=True)))

    assert answer.status == 200
    assert answer.seconds > (PATIENCE_MS - _CLOCK_MS) / 1000
    assert answer.body.rstrip().endswith(b"[DONE]")


def contents(body: bytes) -> list[str]:
    events = [json.loads(line[6:]) for line in body.decode().splitlines() if line.startswith("data: {")]
    texts = (choice["delta"].get("content") for event in events for choice in event.get("choices", []))
    return [text for text in texts if text]


@pytest.mark.parametrize(
    ("route", "stream", "samples"), [("covered", openai_stream(), 200), ("covered-claude", claude_stream(), 100)]
)
async def test_3_a_stream_cut_anywhere_is_never_silently_short(
    home, way, main, route, stream, samples, record_property
):
    main.script = streaming(stream)
    length = len(reply(200, stream, "connection: close", kind="text/event-stream"))
    places = [round(number * length / samples) for number in range(samples + 1)]
    random.Random(3).shuffle(places)  # noqa: S311 - so that cuts of one kind do not come in a row
    seen = {}
    for place in places:
        way.cut_after = place
        answer = await ask(home.port, written(chat(route, stream=True)))
        text = answer.body.decode()
        words = contents(answer.body)
        is_whole, is_error = text.rstrip().endswith("[DONE]"), '"error"' in text
        assert answer.status == 200
        assert is_whole != is_error, (place, text)
        assert words == ["spare"] or words == WORDS[: len(words)], "after the first word nobody else is asked"
        if is_error:
            seen[answer.headers["x-request-id"]] = len(words)

    urls = home.run_file()["urls"]
    with connect(urls["CLICKHOUSE_URL"]) as database:

        def rows():
            return database.query(
                "SELECT request_id, output_tokens, cost_usd_nanos, status FROM request_logs FINAL "
                "WHERE request_id IN {ids:Array(String)}",
                parameters={"ids": list(seen)},
            ).result_rows

        await asyncio.to_thread(home.wait_for, lambda: len(rows()) == len(seen))
        kept = {row[0]: row[1:] for row in rows()}
    wrong = {i: (kept[i], words) for i, words in seen.items() if words and not words <= kept[i][0] <= words + 2}
    assert wrong == {}
    assert {row[2] for row in kept.values()} == {502}
    billed = {request_id for request_id, row in kept.items() if row[1]}
    assert {i for i, words in seen.items() if words} <= billed

    def booked():
        with psycopg.connect(urls["DATABASE_URL"]) as database:
            found = database.execute("SELECT id FROM usage_record WHERE id = ANY(%s)", [list(seen)]).fetchall()
        return {row[0] for row in found} == billed

    await asyncio.to_thread(home.wait_for, booked)
    told = f"{route}: {len(places)} cuts, {len(seen)} broken off with an error event and billed, 0 short in silence"
    record_property("seen", told)
    print(told)  # noqa: T201 - the figure of docs/faults.md


JUNK = b": a comment\n\nretry: 5\n\nrubbish without a colon\n\n: \xd9\n\n"


def _with_junk(stream: bytes) -> bytes:
    first, _, rest = stream.partition(b"\n\n")
    return first + b"\n\n" + JUNK + rest


@pytest.mark.parametrize(
    ("stream", "slice_bytes"),
    [
        (openai_stream(), 1),
        (openai_stream(ends="\r\n"), 1),
        (_with_junk(openai_stream()), 1),
        (openai_stream(["x" * 1_000_000, "سلام" * 1000]), 97),
    ],
    ids=["bytes", "crlf", "junk", "a line of 1 MB"],
)
async def test_4_a_stream_in_pieces_is_byte_for_byte_the_same(home, way, main, stream, slice_bytes):
    main.script = streaming(stream)
    request = written(chat("main/m", stream=True, stream_options={"include_usage": True}), headers=PLAIN)
    unsliced = await ask(home.port, request)
    way.slice_bytes = slice_bytes
    sliced = await ask(home.port, request)

    assert (sliced.status, sliced.body) == (200, unsliced.body)
    assert b"[DONE]" in sliced.body


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
async def test_4_a_translated_stream_in_pieces_says_the_same(home, way, main, ends):
    main.script = streaming(claude_stream(ends=ends))
    way.slice_bytes = 1
    answer = await ask(home.port, written(chat("claude/c", stream=True), headers=PLAIN))

    assert contents(answer.body) == WORDS
    assert answer.body.rstrip().endswith(b"[DONE]")


async def test_4_what_is_too_large_is_a_502(home, main):
    async def endless_line(talk):
        await talk.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        await talk.send(b'data: {"id":"c1","model":"m","choices":[{"index":0,"delta":{"content":"a"}}]}\n\ndata: ')
        for _ in range(9):
            await talk.send(b"x" * 1024 * 1024)
        talk.writer.close()

    main.script = endless_line
    line = await Line.begin(home.port, written(chat("main/m", stream=True)))
    body = await line.rest()
    await line.close()
    assert b"upstream_interrupted" in body
    assert b"[DONE]" not in body

    async def too_large(talk):
        await talk.send(reply(200, b'{"x": "' + b"x" * 33 * 1024 * 1024 + b'"}'))

    main.script = too_large
    answer = await ask(home.port, written(chat("main/m")))
    assert (answer.status, answer.json()["error"]["code"]) == (502, "upstream_too_large")
