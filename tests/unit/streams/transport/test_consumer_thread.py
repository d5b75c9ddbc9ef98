"""What the thread of the consumer tells without asking the broker."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from streams.transport.consumer_thread import ChunkedConsumerThread


@pytest.mark.parametrize(("known", "expected"), [({0, 1, 2}, 3), (None, None), (set(), None)])
def test_the_client_itself_knows_the_number_of_partitions(known: set[int] | None, expected: int | None) -> None:
    """The coordinator's notes, which Faust asks, are empty while a worker joins a rebalance under way."""
    thread: Any = object.__new__(ChunkedConsumerThread)
    thread._consumer = SimpleNamespace(
        partitions_for_topic=lambda topic: known, _coordinator=SimpleNamespace(_metadata_snapshot={})
    )
    assert thread.topic_partitions("raw") == expected
