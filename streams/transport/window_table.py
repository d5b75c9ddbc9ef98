"""Faust's windowed table with keys that share their parts, and with old windows removed by a sweep.

A GPU has 97 windows a day. Faust makes the gpu_id, the two times and the pair of them anew for each, which is as
much memory as the values; and it remembers the partition of every key that it ever restored or stood by for.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from sys import intern
from typing import Any

from faust.tables.table import Table

_Range = tuple[float, float]


class WindowTable(Table[Any, Any]):
    """A tumbling table whose old windows are removed by :meth:`forget`.

    Keys are (text, (start, end)). Faust's own expiry pushes an entry onto a heap at each write (a day of 300
    records a second is 26 million) and never expires what was restored from the changelog.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._shared: dict[_Range, _Range] = {}

    def forget(self, ended_before: float) -> int:
        """Remove from memory the windows that ended by then (epoch s); return how many.

        No tombstones are written: the changelog ends by retention.
        """
        store: Any = self.data
        old = _forget(store.data, ended_before)
        _forget(store._key_partition, ended_before)
        for window in [window for window in self._shared if window[1] <= ended_before]:
            del self._shared[window]
        return old

    def _should_expire_keys(self) -> bool:
        return False

    def _set_windowed(self, key: Any, value: Any, timestamp: float) -> None:
        super()._set_windowed(intern(key), value, timestamp)

    def _window_ranges(self, timestamp: float) -> Iterator[_Range]:
        for window in super()._window_ranges(timestamp):
            yield self._share(window)

    def _to_key(self, k: Any) -> Any:
        key, window = super()._to_key(k)
        return intern(key), self._share(window)

    def _share(self, window: _Range) -> _Range:
        return self._shared.setdefault(window, window)


def _forget(by_key: MutableMapping[Any, Any], ended_before: float) -> int:
    old = [key for key in by_key if key[1][1] <= ended_before]
    for key in old:
        del by_key[key]
    return len(old)
