"""Rows in: once, whole, and never held up by a bad one."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from agents.store.rows import EVENT_TABLES
from schemas.ids import digest
from schemas.topics import ALERTS, EVENTS, METRICS_RAW
from streams.db.copy import DatabaseUnavailable, RowsMissing
from streams.db.pool import Connection, connect
from streams.db.writer import Writer
from streams.settings import Settings
from tests.integration.db.feeding import event, raw, value
from tests.unit.agents.view.records import ALERT, EVENT, EXAMPLES

NOW = datetime.now(UTC).replace(microsecond=0)


async def count(database: Connection, table: str) -> int:
    return int(await database.fetchval(f"SELECT count(*) FROM {table}"))


async def test_a_record_read_twice_is_one_row(writer: Writer, database: Connection) -> None:
    records = [raw(NOW + timedelta(seconds=10 * i)) for i in range(20)]
    records.append(raw(NOW, metrics={}, events=[{"type": "xid", "code": 79, "line": "x"}]))
    for _ in range(2):
        for record in records:
            writer.add(record)
        offsets = await writer.flush()
        assert offsets == {(METRICS_RAW, 0): records[-1].offset + 1}
        assert writer.pending == 0
    assert await count(database, "gpu_health_metrics") == 20
    assert await count(database, "gpu_raw_events") == 1
    assert writer.given == {"gpu_health_metrics": 40, "gpu_raw_events": 2}
    assert writer.stored == {"gpu_health_metrics": 20, "gpu_raw_events": 1}


async def test_a_row_whose_key_another_one_has_is_told(
    writer: Writer, database: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    for load in (10, 20):  # one GPU, one time, two messages
        writer.add(raw(NOW, metrics={"DCGM_FI_DEV_GPU_UTIL": load}))
    with caplog.at_level("INFO"):
        await writer.flush()
    assert (writer.given["gpu_health_metrics"], writer.stored["gpu_health_metrics"]) == (2, 1)
    assert "gpu_health_metrics: 1 of 2 rows were not stored" in caplog.text


async def test_every_event_record_is_a_row_with_its_values(writer: Writer, database: Connection) -> None:
    for _ in range(2):
        for record in EXAMPLES:
            (table,) = [t for t in EVENT_TABLES if t.record is type(record)]
            writer.add(event(table.topic, record))
        await writer.flush()
    for record in EXAMPLES:
        (table,) = [t for t in EVENT_TABLES if t.record is type(record)]
        (row,) = await database.fetch(f"SELECT * FROM {table.name}")
        for column in table.columns:
            original = msgspec.to_builtins(getattr(record, column.name))
            if column.type == "timestamptz" and original is not None:
                original = datetime.fromisoformat(original)
            assert row[column.name] == original, column.name


async def test_unreadable_records_are_passed_over(writer: Writer, database: Connection) -> None:
    ahead = NOW + timedelta(seconds=61)
    writer.add(value(METRICS_RAW, b"{", NOW.timestamp()))
    writer.add(value(METRICS_RAW, None, NOW.timestamp()))
    writer.add(value(METRICS_RAW, raw(ahead).value, NOW.timestamp()))
    writer.add(value(ALERTS, b"[1]", NOW.timestamp()))
    writer.add(value(ALERTS, None, NOW.timestamp()))
    assert writer.pending == 0
    assert writer.age_seconds() > 0
    offsets = await writer.flush()
    assert set(offsets) == {(METRICS_RAW, 0), (ALERTS, 0)}
    assert writer.unreadable == {METRICS_RAW: 3, ALERTS: 2}
    assert await count(database, "gpu_health_metrics") == 0


async def test_a_refused_row_becomes_a_dead_letter_and_the_others_are_stored(
    writer: Writer, database: Connection
) -> None:
    bad = event(EVENTS, msgspec.structs.replace(EVENT, event_id="bad", code=2**63))
    incompressible = "".join(digest(i) for i in range(300))  # longer than an index row may be
    too_long = event(ALERTS, msgspec.structs.replace(ALERT, event_id=incompressible))
    for i in range(50):
        writer.add(event(EVENTS, msgspec.structs.replace(EVENT, event_id=f"good-{i}")))
        if i == 20:
            writer.add(bad)
    writer.add(too_long)
    await writer.flush()
    assert await count(database, "gpu_events") == 50
    letters = await database.fetch("SELECT * FROM gpu_dead_letters ORDER BY topic")
    assert [(row["reason"], row["topic"], row["offset"]) for row in letters] == [
        ("refused_by_receiver", ALERTS, too_long.offset),
        ("refused_by_receiver", EVENTS, bad.offset),
    ]
    assert "gpu_events" in letters[1]["detail"]
    assert writer.refused == {"gpu_events": 1, "gpu_alerts": 1}
    assert writer.given == writer.stored == {"gpu_events": 50, "gpu_dead_letters": 2}


async def test_text_that_postgresql_cannot_hold_is_stored_without_it(writer: Writer, database: Connection) -> None:
    line = "NVRM: \0 Xid"
    writer.add(event(EVENTS, msgspec.structs.replace(EVENT, line=line, detail={"line": line})))
    writer.add(raw(NOW, labels={"pod": "a\0b"}, host_id="h\0"))
    await writer.flush()
    assert writer.refused == {}
    row = await database.fetchrow("SELECT line, detail FROM gpu_events")
    assert row is not None
    assert row["line"] == row["detail"]["line"] == "NVRM: \ufffd Xid"
    assert await database.fetchval("SELECT labels ->> 'pod' FROM gpu_health_metrics") == "a\ufffdb"


async def test_while_the_database_is_away_nothing_is_forgotten(migrated: Settings, database: Connection) -> None:
    name = await database.fetchval("SELECT current_database()")
    is_away = True

    async def connect_or_miss(dsn: str) -> Connection:
        return await connect(dsn.replace(name, "no_such_database") if is_away else dsn)

    dsn = migrated.metrics_dsn.get_secret_value()
    away = Writer(dsn, timedelta(days=7), time.monotonic, open_connection=connect_or_miss)
    away.add(raw(NOW))
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable):
            await away.flush()
        assert away.pending == 1
    is_away = False
    assert await away.flush() != {}
    assert await count(database, "gpu_health_metrics") == 1
    await away.close()


async def test_a_connection_cut_in_between_is_opened_again(writer: Writer, database: Connection) -> None:
    writer.add(raw(NOW))
    await writer.flush()
    await database.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    writer.add(raw(NOW + timedelta(seconds=10)))
    try:
        await writer.flush()
    except DatabaseUnavailable:
        await writer.flush()
    assert await count(database, "gpu_health_metrics") == 2


async def test_what_was_dropped_is_not_stored(writer: Writer, database: Connection) -> None:
    writer.add(raw(NOW, labels={"pod": "a"}))
    writer.drop()
    assert await writer.flush() == {}
    writer.add(raw(NOW, labels={"pod": "a"}))
    await writer.flush()
    assert await database.fetchval("SELECT labels FROM gpu_health_metrics") == {"pod": "a"}


@pytest.mark.plain_postgres
async def test_a_day_within_the_retention_has_a_partition_and_an_older_one_has_not(
    writer: Writer, database: Connection
) -> None:
    writer.add(raw(NOW))
    writer.add(raw(NOW - timedelta(days=400)))
    await writer.flush()
    rows = await database.fetch("SELECT tableoid::regclass::text AS part FROM gpu_health_metrics ORDER BY time")
    assert [row["part"] for row in rows] == [
        "gpu_health_metrics_default",
        f"gpu_health_metrics_{NOW:%Y%m%d}",
    ]


async def test_a_connection_that_became_read_only_is_left(writer: Writer, database: Connection) -> None:
    """After a failover the old primary answers, and takes no rows."""
    writer.add(raw(NOW))
    await writer.flush()
    assert writer._connection is not None
    await writer._connection.execute("SET default_transaction_read_only = on")
    writer.add(raw(NOW + timedelta(seconds=10)))
    with pytest.raises(DatabaseUnavailable, match="read-only"):
        await writer.flush()
    await writer.flush()
    assert await count(database, "gpu_health_metrics") == 2


async def test_a_server_that_takes_no_writes_is_passed_over(writer: Writer, database: Connection) -> None:
    name = await database.fetchval("SELECT current_database()")
    await database.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    writer.add(raw(NOW))
    with pytest.raises(DatabaseUnavailable, match="TargetServerAttributeNotMatched"):
        await writer.flush()
    await database.execute("SET default_transaction_read_only = off")
    await database.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    await writer.flush()
    assert writer.stored["gpu_health_metrics"] == 1


SLOW = """
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.02); RETURN NEW; END $$;
CREATE TRIGGER slow BEFORE INSERT ON gpu_events FOR EACH ROW EXECUTE FUNCTION slow();
"""


async def test_a_batch_that_times_out_is_tried_with_fewer_rows(writer: Writer, database: Connection) -> None:
    await database.execute(SLOW)
    name = await database.fetchval("SELECT current_database()")
    await database.execute(f"ALTER DATABASE {name} SET statement_timeout = '400ms'")
    for number in range(50):  # a second together
        writer.add(event(EVENTS, msgspec.structs.replace(EVENT, event_id=f"e{number}")))
    tries = 0
    while writer.pending:
        tries += 1
        assert tries < 6
        try:
            await writer.flush()
        except DatabaseUnavailable as error:
            assert "statement timeout" in str(error)
    assert tries > 1
    assert await count(database, "gpu_events") == 50


async def test_a_column_that_this_version_does_not_fill_is_no_rows_fault(
    writer: Writer, database: Connection
) -> None:
    await database.execute("ALTER TABLE gpu_events ADD COLUMN later bigint NOT NULL")
    for number in range(5):
        writer.add(event(EVENTS, msgspec.structs.replace(EVENT, event_id=f"e{number}")))
    with pytest.raises(DatabaseUnavailable, match="later"):
        await writer.flush()
    await database.execute("ALTER TABLE gpu_events ALTER later SET DEFAULT 0")
    await writer.flush()
    assert await count(database, "gpu_events") == 5
    assert await count(database, "gpu_dead_letters") == 0


async def test_a_column_that_is_gone_is_no_rows_fault(writer: Writer, database: Connection) -> None:
    await database.execute("ALTER TABLE gpu_events RENAME COLUMN line TO other")
    writer.add(event(EVENTS, EVENT))
    with pytest.raises(DatabaseUnavailable, match="line"):
        await writer.flush()
    await database.execute("ALTER TABLE gpu_events RENAME COLUMN other TO line")
    await writer.flush()
    assert await count(database, "gpu_events") == 1
    assert await count(database, "gpu_dead_letters") == 0


SWALLOW = """
CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN IF NEW.gpu_id = 'GPU-lost' THEN RETURN NULL; END IF; RETURN NEW; END $$;
"""


@pytest.mark.parametrize("table", ["gpu_events", "gpu_health_metrics"])
async def test_rows_that_vanish_without_an_error_are_told(writer: Writer, database: Connection, table: str) -> None:
    """An old TimescaleDB drops rows beside a duplicate in a compressed chunk: here a trigger does."""
    await database.execute(SWALLOW)
    await database.execute(f"CREATE TRIGGER swallow BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION swallow()")

    def add(gpu_id: str, name: str, number: int) -> None:
        if table == "gpu_events":
            writer.add(event(EVENTS, msgspec.structs.replace(EVENT, event_id=name, gpu_id=gpu_id)))
        else:
            writer.add(raw(NOW + timedelta(seconds=number), gpu_id))

    add("GPU-1", "known", 0)
    await writer.flush()
    add("GPU-1", "known", 0)  # a duplicate is no loss
    await writer.flush()
    assert (writer.given[table], writer.stored[table]) == (2, 1)
    add("GPU-1", "known", 0)
    add("GPU-lost", "lost", 1)
    with pytest.raises(RowsMissing, match="1 are neither stored nor duplicates"):
        await writer.flush()
    await database.execute(f"DROP TRIGGER swallow ON {table}")
    await writer.flush()
    assert await count(database, table) == 2


async def test_an_error_of_the_program_is_no_fault_of_the_database(writer: Writer, database: Connection) -> None:
    record = event(EVENTS, EVENT)
    writer.add(record)
    _, values = writer._rows["gpu_events"][0]
    writer._rows["gpu_events"] = [(record, (5, *values[1:]))]  # a number where the column has text
    with pytest.raises(TypeError):
        await writer.flush()
    assert await count(database, "gpu_dead_letters") == 0
