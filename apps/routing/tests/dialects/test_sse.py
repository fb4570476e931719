"""Events are gathered from pieces of any size, and what they say does not depend on the pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.routing.edge.dialects.sse import LARGEST_EVENT, Events, EventTooLarge, Gathered, end_of_events, split_events

TEXT = st.lists(
    st.sampled_from(
        [b"data: a", b"data: \xd8\xb3", b"event: x", b": note", b"\n", b"\r\n", b"\r", b"\n\n", b"\r\n\r\n"]
    )
).map(b"".join)


def pieces_of(data, sizes):
    place = 0
    for size in sizes:
        yield data[place : place + size]
        place += size
    yield data[place:]


@pytest.mark.parametrize("data", [b"data: a\n\n\n", b"\r\ndata: a\n\n\n", b"data: a\r\n\r\n\r\ndata: b\n\n", b"\n\n\n"])
def test_further_empty_lines_belong_to_the_event_before_them(data):
    assert end_of_events(data) == len(data)
    assert b"".join(split_events(data)) == data


@given(TEXT, st.lists(st.integers(1, 7)))
def test_nothing_is_lost_and_every_block_ends_with_an_event(data, sizes):
    gathered = Gathered()
    blocks = [gathered.feed(piece) for piece in pieces_of(data, sizes) if piece]

    assert b"".join([*blocks, gathered.finish()]) == data
    assert all(end_of_events(block) == len(block) for block in blocks if block)


@pytest.mark.parametrize("ends", [b"\n", b"\r\n", b"\r"])
def test_an_event_of_a_megabyte_byte_by_byte(ends):
    data = b"data: " + b"x" * 1_000_000 + ends * 2 + b"data: b" + ends * 2
    events = Events()
    found = [event for place in range(len(data)) for event in events.feed(data[place : place + 1])]

    assert [(name, len(text)) for name, text in found] == [(b"", 1_000_000), (b"", 1)]


def test_one_without_an_end_is_given_up():
    gathered = Gathered()
    for _ in range(LARGEST_EVENT // 65536):
        assert gathered.feed(b"x" * 65536) == b""
    with pytest.raises(EventTooLarge):
        gathered.feed(b"x")
