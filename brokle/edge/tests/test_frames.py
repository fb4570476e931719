from hypothesis import given
from hypothesis import strategies as st

from brokle.edge.frames import Damage, Record, frame, kind_prefix, read

PREFIX = kind_prefix("request")


@given(st.lists(st.binary(max_size=200)))
def test_what_was_framed_is_read_back(payloads):
    data = b"".join(frame(PREFIX, payload) for payload in payloads)

    assert list(read(data)) == [Record("request", payload) for payload in payloads]


@given(st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=6), st.data())
def test_a_torn_tail_costs_only_the_torn_record(payloads, data):
    frames = [frame(PREFIX, payload) for payload in payloads]
    cut = data.draw(st.integers(1, len(frames[-1]) - 1))

    items = list(read(b"".join(frames[:-1]) + frames[-1][:cut]))

    records = [item for item in items if isinstance(item, Record)]
    assert records == [Record("request", payload) for payload in payloads[:-1]]


def test_every_byte_flipped_once_costs_only_its_record():
    payloads = [b"first payload", b"second payload", b"third payload"]
    frames = [frame(PREFIX, payload) for payload in payloads]
    whole = b"".join(frames)
    begin, end = len(frames[0]), len(frames[0]) + len(frames[1])

    for position in range(begin, end):
        damaged = bytearray(whole)
        damaged[position] ^= 0xFF
        items = list(read(bytes(damaged)))
        assert [i.payload for i in items if isinstance(i, Record)] == [payloads[0], payloads[2]]
        assert [i.offset for i in items if isinstance(i, Damage)] == [begin]
