"""The guard: whatever chunks are lost, repeated or late, each offset is processed once, in order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agents.ports import Chunk
from streams.hot_state.guard import Verdict, admit


def chunk(first: int, following: int, *, follows: int = -1, offsets: list[int] | None = None) -> Chunk:
    """Return a chunk of the log from ``first`` to ``following``; every offset holds a record, unless told."""
    held = list(range(first, following)) if offsets is None else offsets
    return Chunk(
        topic="t",
        partition=0,
        first_offset=first,
        next_offset=following,
        follows=follows,
        offsets=held,
        times_ms=[offset * 10 for offset in held],
        keys=[None] * len(held),
        values=[b"%d" % offset for offset in held],
        rekeyed=[False] * len(held),
    )


def test_what_continues_is_taken_whole() -> None:
    """A chunk from the position on is processed as it is."""
    given_chunk = chunk(5, 9, follows=5)
    assert admit(given_chunk, 5).chunk is given_chunk


def test_what_was_processed_is_dropped() -> None:
    """A chunk delivered again is not processed again."""
    assert admit(chunk(5, 9), 9).verdict is Verdict.DELIVERED_AGAIN
    assert admit(chunk(5, 9), 9).chunk is None


def test_what_was_partly_processed_is_cut() -> None:
    """Of a chunk that overlaps the position only the rest is processed."""
    taken = admit(chunk(5, 9, offsets=[5, 6, 8]), 7)
    assert taken.verdict is Verdict.CUT
    assert taken.chunk is not None
    assert (taken.chunk.offsets, taken.chunk.values, taken.chunk.first_offset) == ([8], [b"8"], 7)
    assert len(taken.chunk.keys) == len(taken.chunk.times_ms) == len(taken.chunk.rekeyed) == 1


def test_a_lost_chunk_is_a_hole() -> None:
    """The transport handed out 5 to 9 before; it never came."""
    assert admit(chunk(9, 12, follows=9), 5).verdict is Verdict.HOLE


def test_a_jump_of_the_log_is_none() -> None:
    """Retention moved the beginning of the log: the first chunk after a seek starts beyond the position."""
    assert admit(chunk(100, 120), 5).verdict is Verdict.CONTINUES


@given(st.data())
def test_each_record_is_processed_once_and_in_order(data: st.DataObject) -> None:
    """Chunks are lost, cleared and read again at random; after a hole the log is read from the position."""
    length = data.draw(st.integers(1, 30))
    held = sorted(data.draw(st.sets(st.integers(0, length - 1))))
    position, fetch_at, reached = 0, 0, -1
    queue: list[Chunk] = []
    processed: list[int] = []
    for _ in range(60):
        act = data.draw(st.sampled_from(["fetch", "deliver", "deliver", "lose", "reread"]))
        if act == "fetch" and fetch_at < length:
            end = data.draw(st.integers(fetch_at + 1, length))
            follows = fetch_at if reached == fetch_at else -1
            queue.append(chunk(fetch_at, end, follows=follows, offsets=[o for o in held if fetch_at <= o < end]))
            fetch_at = reached = end
        elif act == "lose" and queue:
            queue.pop(data.draw(st.integers(0, len(queue) - 1)))
        elif act == "reread":
            fetch_at, reached = data.draw(st.integers(0, position)), -1
        elif act == "deliver" and queue:
            admission = admit(queue.pop(0), position)
            if admission.verdict is Verdict.HOLE:
                fetch_at, reached = position, -1
            elif admission.chunk is not None:
                processed.extend(admission.chunk.offsets)
                position = admission.chunk.next_offset
    assert processed == [offset for offset in held if offset < position]
