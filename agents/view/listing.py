"""The rows of a table, decoded once a value and kept in order: a request sorts what changed since the last one."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Generic, NamedTuple, TypeVar

import msgspec

from schemas.errors import UNREADABLE

Row = TypeVar("Row", bound=msgspec.Struct)

# Above this share of changed rows one sort is less work than placing each.
_SORT_ALL_SHARE: Final = 0.125


class _Entry(NamedTuple, Generic[Row]):
    """The decoded value of one key: None where it is no such record (a later version may have written it).

    ``change`` is the number of the refresh that brought it.
    """

    value: bytes
    row: Row | None
    change: int


class Listing(Generic[Row]):
    """Rows of a table of JSON bytes.

    Parameters
    ----------
    row_type
        What of a record is decoded.
    orders
        By name: the sort key of a row, as a tuple; equal ones go by the table's key.
    moved
        Called with a row that came (+1) or went (-1), for whoever counts.
    """

    def __init__(
        self,
        row_type: type[Row],
        orders: Mapping[str, Callable[[Row], tuple[Any, ...]]],
        moved: Callable[[Row, int], None] = lambda row, by: None,
    ) -> None:
        self._decoder = msgspec.json.Decoder(row_type)
        self._sort_keys = orders
        self._moved = moved
        self._entries: dict[bytes, _Entry[Row]] = {}
        self._ordered: dict[str, list[tuple[Any, ...]]] = {name: [] for name in orders}
        self.change = 0

    def refresh(self, table: Mapping[bytes, bytes]) -> None:
        """Take over what changed in ``table``: a value is decoded again only when the table holds another object."""
        entries = self._entries
        changed: dict[bytes, _Entry[Row] | None] = {}
        for key, value in table.items():
            entry = entries.get(key)
            if entry is None or entry.value is not value:
                changed[key] = _Entry(value, decode_row(self._decoder, value), self.change + 1)
        new = sum(key not in entries for key in changed)
        if len(entries) + new > len(table):
            changed.update((key, None) for key in entries if key not in table)
        self.change += bool(changed)
        if len(changed) > _SORT_ALL_SHARE * len(table):
            self._replace(changed, place=False)
            self._sort()
        else:
            self._replace(changed, place=True)

    def _replace(self, changed: Mapping[bytes, _Entry[Row] | None], *, place: bool) -> None:
        for key, entry in changed.items():
            old = self._entries.pop(key, None)
            if old is not None and old.row is not None:
                self._moved(old.row, -1)
                if place:
                    self._take_out(key, old.row)
            if entry is None:
                continue
            self._entries[key] = entry
            if entry.row is not None:
                self._moved(entry.row, +1)
                if place:
                    for name, sort_key in self._sort_keys.items():
                        insort(self._ordered[name], (*sort_key(entry.row), key))

    def _take_out(self, key: bytes, row: Row) -> None:
        for name, sort_key in self._sort_keys.items():
            ordered = self._ordered[name]
            del ordered[bisect_left(ordered, (*sort_key(row), key))]

    def _sort(self) -> None:
        rows = [(key, entry.row) for key, entry in self._entries.items() if entry.row is not None]
        for name, sort_key in self._sort_keys.items():
            self._ordered[name] = sorted((*sort_key(row), key) for key, row in rows)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(next(iter(self._ordered.values())))

    def rows(self) -> Iterator[Row]:
        """Yield every row, in no order."""
        return (entry.row for entry in self._entries.values() if entry.row is not None)

    def entries(self, order: str) -> Iterator[tuple[Row, bytes]]:
        """Yield the row and the value of every record in ``order``."""
        entries = self._entries
        for placed in self._ordered[order]:
            value, row, _ = entries[placed[-1]]
            if row is not None:
                yield row, value

    def changed_since(self, key: bytes, change: int) -> bool:
        """Tell whether the value of ``key`` came with a later refresh than number ``change``."""
        return self._entries[key].change > change


def decode_row(decoder: msgspec.json.Decoder[Row], value: bytes) -> Row | None:
    """Return the row, None where ``value`` is no such record."""
    try:
        return decoder.decode(value)
    except UNREADABLE:
        return None
