"""Killed, or out of disk, in the middle of streams: what callers were told is whole is in the log."""

import asyncio
import contextlib
import json
import resource

import psutil
import pytest

from brokle.engines.clickhouse_url import connect
from tests.fakes import bedrock_provider, responses_provider
from tests.fakes.model_provider import Call
from tests.fakes.upstream import upstream_beside
from tests.faults.gateway.calling import Line, ask, chat, written
from tests.house import house

pytestmark = pytest.mark.engines

EACH = 10
MAX_MB, RESERVE_MB = 8, 4
MODEL = bedrock_provider.CLAUDE


def _configuration(port: int) -> str:
    prices = "input_usd_per_mtok: 1, output_usd_per_mtok: 10"
    return f"""
providers:
  - name: aws
    kind: bedrock
    base_url: http://127.0.0.1:{port}
    api_key: {bedrock_provider.ACCESS_KEY}:{bedrock_provider.SECRET_KEY}
    options: {{region: {bedrock_provider.REGION}}}
    models: [{{id: "{MODEL}", {prices}}}]
  - name: gpt
    kind: openai
    base_url: http://127.0.0.1:{port}/v1
    api_key: sk-mock
    models: [{{id: gpt-5, {prices}}}]
"""


class Halfway:
    """Sends half of a stream, and the rest when it may."""

    def __init__(self):
        self.may_end = False
        self.waiting = 0

    async def __call__(self, talk):
        body = json.loads(talk.request.body)
        is_bedrock = talk.request.target.startswith("/model/")
        if is_bedrock:
            pieces = bedrock_provider.stream(bedrock_provider.answer(body))
        else:
            pieces = responses_provider.stream(responses_provider.answer(Call("", {}, body, b""), 1))
        kind = "application/vnd.amazon.eventstream" if is_bedrock else "text/event-stream"
        head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n"
        half = len(pieces) // 2
        await talk.send(head.encode() + b"".join(map(_chunk, pieces[:half])))
        is_held = "hold" in talk.request.body.decode()
        self.waiting += is_held
        while is_held and not self.may_end:
            await asyncio.sleep(0.01)
        await talk.send(b"".join(map(_chunk, pieces[half:])))
        if not is_bedrock and b"linger" in talk.request.body:
            await talk.until_closed()  # all is said, and the line stays open
        await talk.send(b"0\r\n\r\n")


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@pytest.fixture(scope="module")
def main():
    with upstream_beside() as found:
        yield found


@pytest.fixture(scope="module")
def home(tmp_path_factory, main):
    folder = tmp_path_factory.mktemp("records")
    (folder / "brokle.yaml").write_text(_configuration(main.port))
    settings = {"BROKLE_CONFIG": str(folder / "brokle.yaml"), "BROKLE_EGRESS_ALLOW": "127.0.0.1"}
    settings |= {"BROKLE_SPOOL_MAX_MB": str(MAX_MB), "BROKLE_SPOOL_RESERVE_MB": str(RESERVE_MB)}
    with house(folder / "data", **settings) as started:
        yield started


def asking(kind: str, word: str) -> bytes:
    text = f"{word} please"
    if kind == "bedrock":
        return written(chat(f"aws/{MODEL}", stream=True, messages=[{"role": "user", "content": text}]))
    return written(json.dumps({"model": "gpt/gpt-5", "input": text, "stream": True}).encode(), path="/v1/responses")


WHOLE = {"bedrock": b"[DONE]", "responses": b'"response.completed"'}
BROKEN = b"upstream_interrupted"
KINDS = sorted(WHOLE)


async def listen(home, kind, word):
    """The request's id, and what was heard until it was whole, an error, or the line was cut."""
    line = await Line.begin(home.port, asking(kind, word))
    heard = b""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        async for piece in line.pieces():
            heard += piece
            if WHOLE[kind] in heard:
                break
    line.leave()
    return line.headers["x-request-id"], WHOLE[kind] in heard, BROKEN in heard


def worker(home):
    return psutil.Process(home.processes()["web"]["pid"]).children()[0]


async def logged_once(home, ids):
    """All of them, and none twice."""
    with connect(home.run_file()["urls"]["CLICKHOUSE_URL"]) as database:

        def rows():
            return database.query(
                "SELECT request_id, output_tokens FROM request_logs WHERE request_id IN {ids:Array(String)}",
                parameters={"ids": list(ids)},
            ).result_rows

        await asyncio.to_thread(home.wait_for, lambda: len({row[0] for row in rows()}) == len(ids))
        found = rows()
    assert len(found) == len(ids)
    assert all(tokens for _, tokens in found)


async def test_killed_in_the_middle_of_streams_what_was_whole_is_kept(home, main):
    main.script = halfway = Halfway()
    open_ones = [asyncio.create_task(listen(home, kind, "hold")) for kind in KINDS for _ in range(EACH)]
    whole = [await listen(home, kind, "linger") for kind in KINDS for _ in range(EACH)]
    while halfway.waiting < len(open_ones):
        await asyncio.sleep(0.01)
    worker(home).kill()
    cut = await asyncio.gather(*open_ones)

    assert [is_whole for _, is_whole, _ in whole] == [True] * len(whole)
    assert [is_whole for _, is_whole, _ in cut] == [False] * len(cut)
    halfway.may_end = True
    await asyncio.to_thread(home.wait_healthy)
    assert (await listen(home, "bedrock", "after"))[1]
    await logged_once(home, {request_id for request_id, _, _ in whole})


async def test_a_disk_that_refuses_gets_503_and_no_stream_claims_to_be_whole(home, main):
    main.script = halfway = Halfway()
    pid = worker(home).pid
    streams = [asyncio.create_task(listen(home, kind, "hold")) for kind in KINDS for _ in range(EACH)]
    while halfway.waiting < len(streams):
        await asyncio.sleep(0.01)
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1000, hard))
    try:
        before = await _until(home, 503)
        halfway.may_end = True
        ended = await asyncio.gather(*streams)
        refused = await _until(home, 503)
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))
    await _until(home, 200)

    assert refused[-1].headers["retry-after"] == "5"
    assert refused[-1].json()["error"]["type"] == "server_error"
    assert all(is_whole != is_error for _, is_whole, is_error in ended)
    kept = {request_id for request_id, is_whole, _ in ended if is_whole}
    answered = [answer for answer in before + refused if answer.status == 200]
    assert all((WHOLE["bedrock"] in answer.body) != (BROKEN in answer.body) for answer in answered)
    told = {answer.headers["x-request-id"] for answer in answered if WHOLE["bedrock"] in answer.body}
    await logged_once(home, kept | told)


async def test_a_full_spool_refuses_calls_and_finishes_those_under_way(home, main):
    main.script = halfway = Halfway()
    streams = [asyncio.create_task(listen(home, kind, "hold")) for kind in KINDS for _ in range(EACH)]
    while halfway.waiting < len(streams):
        await asyncio.sleep(0.01)
    unshipped = home.data_dir / "spool" / "unshipped"
    unshipped.write_bytes(bytes(MAX_MB * 1024 * 1024 + 1))
    assert (await ask(home.port, asking("bedrock", "reserve"))).status == 200
    unshipped.write_bytes(bytes((MAX_MB + RESERVE_MB) * 1024 * 1024 + 1))
    refused = await _until(home, 503)
    calls = len(main.here.requests)
    assert (await ask(home.port, asking("responses", "full"))).status == 503
    halfway.may_end = True
    ended = await asyncio.gather(*streams)
    unshipped.unlink()
    await _until(home, 200)

    assert len(main.here.requests) == calls + 1, "who is refused costs nothing upstream"
    assert refused[-1].headers["retry-after"] == "5"
    assert all(is_whole and not is_error for _, is_whole, is_error in ended)
    await logged_once(home, {request_id for request_id, _, _ in ended})


async def _until(home, status):
    """All answers up to the first of this status."""
    found = []
    async with asyncio.timeout(60):
        while not found or found[-1].status != status:
            found.append(await ask(home.port, asking("bedrock", "now")))
            await asyncio.sleep(0.05)
    return found
