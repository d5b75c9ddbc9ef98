"""Event records to rows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.store.rows import EVENT_TABLES, RowMaker, UnreadableRecord, storable_json, storable_text
from schemas.gpu_event import GpuEvent
from tests.unit.agents.view.records import EXAMPLES

TABLES = {table.record: table for table in EVENT_TABLES}


@pytest.mark.parametrize("record", EXAMPLES, ids=lambda record: type(record).__name__)
def test_every_field_of_every_record_is_a_column(record: msgspec.Struct) -> None:
    table = TABLES[type(record)]
    row = RowMaker(table).row(msgspec.json.encode(record))
    written = [one.name for one in msgspec.structs.fields(record) if one.default is not msgspec.UNSET]
    assert [column.name for column in table.columns] == written
    for column, value in zip(table.columns, row.values, strict=True):
        original = getattr(record, column.name)
        if original is None:
            assert value is None
            assert column.nullable
        elif column.type == "timestamptz":
            assert value == datetime.fromisoformat(original)
        elif column.type == "jsonb":
            assert msgspec.json.decode(value) == msgspec.to_builtins(original)
        else:
            assert value == original


def test_every_event_table_has_an_example() -> None:
    assert {type(record) for record in EXAMPLES} == set(TABLES)


def test_a_naive_time_is_utc() -> None:
    event = next(record for record in EXAMPLES if isinstance(record, GpuEvent))
    maker = RowMaker(TABLES[GpuEvent])
    values = maker.row(msgspec.json.encode(msgspec.structs.replace(event, at="2026-02-09T12:00:00"))).values
    assert values[[c.name for c in TABLES[GpuEvent].columns].index("at")] == datetime(2026, 2, 9, 12, tzinfo=UTC)


@pytest.mark.parametrize("value", [b"", b"{", b"[]", b'{"event_id": 1}', b"null", b"\xff"])
def test_what_is_no_record_is_told_and_not_a_row(value: bytes) -> None:
    for table in EVENT_TABLES:
        with pytest.raises(UnreadableRecord, match=table.topic):
            RowMaker(table).row(value)


@given(st.binary())
def test_any_bytes_are_a_row_or_unreadable(value: bytes) -> None:
    with pytest.raises(UnreadableRecord):
        RowMaker(TABLES[GpuEvent]).row(value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_stored_json_holds_no_nul(value: Any) -> None:
    stored = msgspec.json.decode(storable_json(value))
    assert "\\u0000" not in msgspec.json.encode(stored).decode().replace("\\\\", "")
    if "\0" not in str(value) and "\\x00" not in repr(value):
        assert stored == value


def test_text_keeps_everything_but_nul_and_lone_surrogates() -> None:
    assert storable_text("Temperatur 85 °C\n") == "Temperatur 85 °C\n"
    assert storable_text("a\0b\ud800") == "a\ufffdb?"
