"""Which GPU must be looked at when: one entry a GPU, found out late where its deadline moved on."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from math import inf


class Deadlines:
    """The earliest known deadline of each GPU.

    A deadline that moves later is found out when the old one comes, so that a sample costs nothing.

    >>> deadlines = Deadlines()
    >>> deadlines.watch("GPU-1", 5.0)
    >>> list(deadlines.due(4.0)), list(deadlines.due(5.0)), "GPU-1" in deadlines
    ([], ['GPU-1'], False)
    """

    __slots__ = ("_heap", "_watched")

    def __init__(self) -> None:
        self._heap: list[tuple[float, str]] = []
        self._watched: set[str] = set()

    def __contains__(self, gpu_id: str) -> bool:
        """Tell whether ``gpu_id`` has an entry."""
        return gpu_id in self._watched

    def watch(self, gpu_id: str, deadline: float) -> None:
        """Yield ``gpu_id`` once ``deadline`` (epoch s; inf: never) is reached."""
        if deadline < inf:
            heapq.heappush(self._heap, (deadline, gpu_id))
            self._watched.add(gpu_id)

    def due(self, clock: float) -> Iterator[str]:
        """Yield and forget what is due by ``clock`` (epoch s), what is watched meanwhile too."""
        heap = self._heap
        while heap and heap[0][0] <= clock:
            _, gpu_id = heapq.heappop(heap)
            self._watched.discard(gpu_id)
            yield gpu_id
