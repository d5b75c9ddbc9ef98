"""The windowed table: keys share their parts, and what is old leaves the memory whole."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import faust

from streams.transport.window_table import WindowTable

START = 1_770_638_400.0
SECONDS = 900.0


def table() -> Any:
    app = faust.App("windows", broker="memory://", store="memory://")
    made: Any = WindowTable(app, name="windows", partitions=2, default=bytes, value_type=bytes, key_type=str)
    made.tumbling(SECONDS, expires=86_400.0)
    made.on_key_set = lambda key, value: None  # writes to the changelog
    return made


def change(gpu_id: str, number: int, value: bytes | None = b"{}") -> Any:
    """Return a record of the changelog: a key comes as Faust's JSON gives it."""
    start = START + number * SECONDS
    window = [start, start + SECONDS - 0.1]
    return SimpleNamespace(key=[gpu_id, window], value=value, message=SimpleNamespace(value=value, partition=1))


def test_windows_of_one_gpu_share_its_id_and_gpus_share_their_windows() -> None:
    one = table()
    for number in range(3):
        for gpu in range(2):
            one._set_windowed("".join(["GPU-", str(gpu)]), b"{}", START + number * SECONDS)
    one.apply_changelog_batch([change("".join(["GPU-", "0"]), number) for number in (3, 4)])
    keys = list(one.data.data)
    assert len(keys) == 8
    assert len({id(key[0]) for key in keys}) == 2
    assert len({id(key[1]) for key in keys}) == 5
    assert one._windowed_timestamp("GPU-0", START + 4 * SECONDS) == b"{}"


def test_a_sweep_forgets_old_windows_and_their_partitions() -> None:
    one = table()
    one.apply_changelog_batch([change(f"GPU-{gpu}", number) for gpu in range(2) for number in range(4)])
    assert len(one.data._key_partition) == 8
    assert one.forget(START + 2 * SECONDS) == 4
    assert {key[1][0] for key in one.data.data} == {START + 2 * SECONDS, START + 3 * SECONDS}
    assert one.data.data.keys() == one.data._key_partition.keys()
    assert one.forget(START + 2 * SECONDS) == 0
