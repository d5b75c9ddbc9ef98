"""Side inputs in memory: what cannot be read is left out, and stops nothing."""

from __future__ import annotations

import msgspec
import pytest

from streams.inputs.reading import InputsTable

KEY = b'{"kind": "rules", "id": "default", "version": 1}'
NESTED = b"[" * 2000 + b"]" * 2000


@pytest.mark.parametrize(
    "value",
    [b"", b"{", b"null", NESTED, b'{"kind": "rules", "id": "default", "version": 1, "payload": ' + NESTED + b"}"],
)
def test_a_record_that_cannot_be_read_is_left_out(value: bytes, caplog: pytest.LogCaptureFixture) -> None:
    table = InputsTable({"rules": msgspec.json.decode})
    table.take(KEY, value)
    assert table.newest("rules", "default", 0.0) is None
    assert "left out" in caplog.text
    caplog.clear()


def test_a_key_nested_deeper_than_the_stack_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    table = InputsTable({"rules": msgspec.json.decode})
    table.take(NESTED, b"{}")
    assert table.newest("rules", "default", 0.0) is None
    caplog.clear()


def test_a_kind_of_a_later_version_is_kept_and_counted() -> None:
    table = InputsTable({"rules": msgspec.json.decode})
    value = b'{"kind": "weather", "id": "default", "version": 3, "effective_from": null, "payload": {"celsius": 31}}'
    table.take(b'{"kind": "weather", "id": "default", "version": 3}', value)
    assert table.newest("weather", "default", 0.0) == (3, b'{"celsius": 31}')
    assert table.unknown == {"weather": 1}
    table.take(b'{"kind": "weather", "id": "default", "version": 3}', value)  # the topic is read again
    assert table.unknown == {"weather": 1}
    table.take(b'{"kind": "weather", "id": "default", "version": 3}', None)
    assert table.unknown == {}
