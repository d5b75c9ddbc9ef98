"""Batches of every codec are read as they were written, through the buffer where they fit."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import aiokafka.codec
import cramjam
import pytest
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from streams.transport.chunked import transport_class
from streams.transport.decompress import BUFFER_BYTES, Decompressor, keep_buffers

_CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
_COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "lz4": lambda data: bytes(cramjam.lz4.compress(data)),
    "zstd": lambda data: bytes(cramjam.zstd.compress(data)),
}


class Original:
    """The decompression that is replaced; counts what was left to it."""

    def __init__(self, codec: str) -> None:
        self._decompress = getattr(cramjam, codec).decompress
        self.calls = 0

    def __call__(self, payload: bytes) -> bytes:
        self.calls += 1
        return bytes(self._decompress(payload))


def batch(codec: str, values: list[bytes]) -> bytes:
    """Return a record batch."""
    builder = DefaultRecordBatchBuilder(2, _CODECS[codec], False, -1, -1, -1, 100_000_000)
    for offset, value in enumerate(values):
        assert builder.append(offset, 1_790_000_000_000, b"k", value, []) is not None
    return bytes(builder.build())


@pytest.mark.parametrize("codec", _CODECS)
def test_a_batch_is_read_as_it_was_written(codec: str) -> None:
    """Every codec, small and larger than the buffer, one after the other."""
    keep_buffers()
    keep_buffers()
    for values in ([b"one", b"two" * 500], [os.urandom(BUFFER_BYTES // 2)] * 3, [b"after"]):
        records = MemoryRecords(batch(codec, values))
        assert records.has_next()
        assert [record.value for record in records.next_batch()] == values


@pytest.mark.parametrize("codec", _COMPRESS)
def test_the_reader_of_batches_uses_the_buffer(codec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails where aiokafka looks its decompression up elsewhere."""
    keep_buffers()
    used: list[bytes] = []
    taken = Decompressor.__call__

    def watched(self: Decompressor, payload: bytes) -> bytes:
        used.append(payload)
        return taken(self, payload)

    monkeypatch.setattr(Decompressor, "__call__", watched)
    assert [record.value for record in MemoryRecords(batch(codec, [b"x" * 1000])).next_batch()] == [b"x" * 1000]
    assert len(used) == 1


def test_every_transport_keeps_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    """As aiokafka was loaded, until the first transport is made."""
    reader = sys.modules[DefaultRecordBatch.__module__]
    for name in ("lz4_decode", "zstd_decode"):
        monkeypatch.setattr(reader, name, getattr(aiokafka.codec, name))
    transport_class(["raw"])
    assert isinstance(reader.lz4_decode, Decompressor)
    assert isinstance(reader.zstd_decode, Decompressor)


@pytest.mark.parametrize("codec", _COMPRESS)
def test_a_batch_outlives_the_next(codec: str) -> None:
    """Readers of other topics hold one batch while another is opened."""
    keep_buffers()
    batches = [[bytes([number]) * 1000] * 3 for number in range(2)]
    readers = [iter(MemoryRecords(batch(codec, values)).next_batch()) for values in batches]
    for reader, values in zip(readers, batches, strict=True):
        assert [next(reader).value for _ in values] == values


@pytest.mark.parametrize("codec", _COMPRESS)
def test_only_what_does_not_fit_is_left_to_the_original(codec: str) -> None:
    """To the byte."""
    original = Original(codec)
    decompress = Decompressor(getattr(cramjam, codec), original)
    for size, calls in ((0, 0), (1, 0), (BUFFER_BYTES, 0), (BUFFER_BYTES + 1, 1), (10, 1)):
        data = os.urandom(size)
        assert decompress(_COMPRESS[codec](data)) == data
        assert original.calls == calls


@pytest.mark.parametrize("codec", _COMPRESS)
def test_damaged_bytes_raise_as_before(codec: str) -> None:
    """And nothing of an earlier batch is returned instead."""
    decompress = Decompressor(getattr(cramjam, codec), Original(codec))
    whole = _COMPRESS[codec](os.urandom(10_000))
    assert decompress(whole)
    for damaged in (b"rubbish", whole[: len(whole) // 2]):
        with pytest.raises(cramjam.DecompressionError):
            decompress(damaged)


def test_threads_do_not_share_a_buffer() -> None:
    """Decompression gives up Python's lock: a shared buffer would mix two batches."""
    decompress = Decompressor(cramjam.lz4, Original("lz4"))
    datas = [bytes([number]) * 1_500_000 for number in range(8)]
    packed = [_COMPRESS["lz4"](data) for data in datas]

    def read(number: int) -> bool:
        return all(decompress(packed[number]) == datas[number] for _ in range(30))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(8)))
