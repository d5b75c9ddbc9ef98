"""A ring of bucket rows that keeps only the columns in which there is something to tell."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Final

import numpy as np

from models.gpu.columns import KNOWN_SUMS, OBSERVED, Buckets, empty_buckets

_EMPTY: Final = empty_buckets(1)[0]
_KNOWN: Final = list(KNOWN_SUMS)
# A known sum of 0 is what nearly every GPU has: inside a ring it is what takes no memory, and -1 is "nothing told".
_UNTOLD: Final = -1.0
_QUIET: Final = _EMPTY.copy()
_QUIET[_KNOWN] = 0.0


class Ring:
    """A fixed number of bucket rows, shape (size, WIDTH) to the outside, addressed by epoch number.

    A column takes memory once a row of it differs from one in which nothing was observed; most GPUs have no
    errors, no throttling, and no margin or no residual.

    Attributes
    ----------
    columns
        The columns that are kept, ascending; one tuple for all rings that keep the same.
    block
        Their values, shape (len(columns), size), float32, one column after another.

    Examples
    --------
    >>> ring = Ring(3)
    >>> ring.rows([0, 4]).shape, ring.columns
    ((2, 21), ())
    """

    __slots__ = ("block", "columns", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.columns: tuple[int, ...] = ()
        self.block: Buckets = _block(0, size)

    def put(self, number: int, row: Buckets) -> None:
        """Store ``row``, shape (WIDTH,), as bucket ``number``."""
        kept = _inner(row[np.newaxis])[0]
        more = np.flatnonzero(_told(kept)).tolist()
        if not set(more).issubset(self.columns):
            self._keep(tuple(sorted({*self.columns, *more})))
        self.block[:, number % self.size] = kept[list(self.columns)]

    def clear(self, number: int) -> None:
        """Make bucket ``number`` one in which nothing was observed."""
        self.block[:, number % self.size] = _QUIET[list(self.columns)]

    def trim(self) -> None:
        """Give back the memory of columns in which nothing is left to tell."""
        columns = list(self.columns)
        told = np.array(columns, dtype=int)[_told(self.block.T, columns).any(axis=0)]
        if len(told) < len(columns):
            self._keep(tuple(told.tolist()))

    def rows(self, numbers: Iterable[int] | None = None) -> Buckets:
        """Return the buckets ``numbers``, or all of them in the order of their places, as one array."""
        where = [number % self.size for number in (range(self.size) if numbers is None else numbers)]
        found: Buckets = np.repeat(_QUIET[np.newaxis], len(where), axis=0)
        found[:, list(self.columns)] = self.block[:, where].T
        return _outer(found)

    def fill(self, rows: Buckets) -> None:
        """Put back what :meth:`rows` returned for all buckets."""
        inner = _inner(rows)
        self.columns = _shared(tuple(np.flatnonzero(_told(inner).any(axis=0)).tolist()))
        self.block = np.ascontiguousarray(inner[:, list(self.columns)].T)

    def pack(self) -> bytes:
        """Return the number of columns kept, which, and the block."""
        return bytes((len(self.columns), *self.columns)) + self.block.astype("<f4", copy=False).tobytes()

    def unpack(self, record: bytes, start: int) -> int:
        """Take what :meth:`pack` gave from ``start`` on; return where it ends.

        A column that the record lacks was not told in any of its rows, by this version or because the one that
        wrote it did not know it.
        """
        width = record[start]
        places = start + 1 + width
        self.columns = _shared(tuple(record[start + 1 : places]))
        block = np.frombuffer(record, "<f4", width * self.size, places)
        self.block = block.reshape(width, self.size).astype(np.float32)
        return places + block.nbytes

    def _keep(self, columns: tuple[int, ...]) -> None:
        block = _block(len(columns), self.size)
        for place, column in enumerate(columns):
            block[place] = self.block[self.columns.index(column)] if column in self.columns else _QUIET[column]
        self.columns, self.block = _shared(columns), block


def _block(columns: int, size: int) -> Buckets:
    return np.empty((columns, size), dtype=np.float32)


@cache
def _shared(columns: tuple[int, ...]) -> tuple[int, ...]:
    return columns


def _told(rows: Buckets, columns: list[int] | slice = slice(None)) -> np.ndarray:
    """Return where a row says something: neither 0 nor NaN, as the column has it, in an empty row."""
    quiet = _QUIET[columns]
    return np.where(np.isnan(quiet), ~np.isnan(rows), rows != quiet)


def _inner(rows: Buckets) -> Buckets:
    """Return ``rows``, shape (n, WIDTH), as a ring keeps them."""
    inner = np.array(rows, dtype=np.float32)
    known = inner[:, _KNOWN]
    untold = np.where(rows[:, OBSERVED : OBSERVED + 1] > 0.0, np.float32(_UNTOLD), np.float32(0.0))
    inner[:, _KNOWN] = np.where(np.isnan(known), untold, known)
    return inner


def _outer(rows: Buckets) -> Buckets:
    """Return the inverse of :func:`_inner`, in place."""
    known = rows[:, _KNOWN]
    untold = (known == _UNTOLD) | ((known == 0.0) & ~(rows[:, OBSERVED : OBSERVED + 1] > 0.0))
    rows[:, _KNOWN] = np.where(untold, np.float32(np.nan), known)
    return rows
