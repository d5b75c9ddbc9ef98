"""The position record: what it refuses to go on from, and what it tells the person who must repair it."""

from __future__ import annotations

import pytest

from schemas.errors import ShutdownError
from streams.hot_state.position import InputPosition, decode, encode, verify
from streams.transport.identity import TopicIdentity

RECORDED = InputPosition("id-1", 8, {3: 100})


def test_a_position_comes_back() -> None:
    """What is written is read: offsets of several topics and partitions, identity, extra."""
    positions = {("a", 0): 5, ("a", 1): 7, ("b", 0): 9}
    identities = {"a": TopicIdentity("x", 2), "b": TopicIdentity("", 1)}
    position = decode(encode(positions, identities, {"adopted": {"profile": 2}}))
    assert position.inputs["a"] == InputPosition("x", 2, {0: 5, 1: 7})
    assert position.inputs["b"].offsets == {0: 9}
    assert position.extra == {"adopted": {"profile": 2}}


@pytest.mark.parametrize(
    ("now", "ends", "says"),
    [
        (TopicIdentity("id-1", 12), {3: 200}, "has 12 partitions.*made with 8"),
        (TopicIdentity("id-2", 8), {3: 200}, "deleted and created again"),
        (TopicIdentity("", 8), {3: 99}, "ends at 99.*up to 100"),
    ],
)
def test_another_input_stops_the_worker(now: TopicIdentity, ends: dict[int, int], says: str) -> None:
    """Another number, another id, a position beyond the end: the text names the repair."""
    with pytest.raises(ShutdownError, match=f"{says}.*delete the state topic"):
        verify("raw", RECORDED, now, ends, "delete the state topic")


def test_the_same_input_is_taken() -> None:
    """The same topic, processed to its very end; a broker that tells no id is believed."""
    verify("raw", RECORDED, TopicIdentity("id-1", 8), {3: 100}, "repair")
    verify("raw", RECORDED, TopicIdentity("", 8), {3: 100}, "repair")


@pytest.mark.parametrize("value", [b"", b"{", b'{"inputs":3}', b'{"inputs":{},"schema_version":2}'])
def test_an_unreadable_position_stops_the_worker(value: bytes) -> None:
    """Nothing is guessed from a damaged record, nor from one of a later version."""
    with pytest.raises(ShutdownError):
        decode(value)
