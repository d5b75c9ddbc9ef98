"""The next migration adds what the schemas have and the files have not, and leaves the files alone."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from agents.store.rows import EVENT_TABLES, Column, EventTable
from streams.db.files import SQL_DIR
from streams.db.generate import GenerateError, declared_columns, next_migration, write


class Record(msgspec.Struct):
    """A record with a field of each sort."""

    event_id: str
    gpu_id: str
    at: str
    note: str | None = None
    kind: str = "owner's"
    count: int = 3
    open: bool = True
    links: list[str] = msgspec.field(default_factory=list)


COLUMNS = (
    Column("event_id", "text", False),
    Column("gpu_id", "text", False),
    Column("at", "timestamptz", False),
    Column("note", "text", True),
    Column("kind", "text", False),
    Column("count", "bigint", False),
    Column("open", "boolean", False),
    Column("links", "jsonb", False),
)
TABLE = EventTable("topic", "records", Record, "event_id", "at", True, COLUMNS)
FIRST = """CREATE TABLE records (
    "event_id" text PRIMARY KEY, -- "kind" text
    "gpu_id" text,
    at timestamptz
);
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Return a copy of the migrations without one signal and one field."""
    shutil.copytree(SQL_DIR / "metrics", tmp_path, dirs_exist_ok=True)
    for path in tmp_path.glob("00[13]_*.sql"):
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if not line.lstrip().startswith(("fan_speed_ratio ", '"band" '))]
        path.write_text("".join(kept), encoding="utf-8")
    return tmp_path


def test_nothing_is_missing_in_the_committed_files() -> None:
    assert next_migration() is None, "run `python -m streams.db.generate NAME`"


def test_the_texts_name_every_column_of_a_record() -> None:
    for found in (declared_columns("plain"), declared_columns("timescale")):
        for table in EVENT_TABLES:
            left = {"action"} if table.name == "gpu_alerts" else set()  # version 1's, for its rows
            assert found[table.name] == {column.name for column in table.columns} | left


def test_a_missing_signal_and_field_are_a_new_file(old: Path) -> None:
    before = {path.name: path.read_bytes() for path in old.iterdir()}
    number = max(int(name[:3]) for name in before) + 1
    path = write("fan_and_band", old)
    assert path == old / f"{number:03d}_fan_and_band.sql"
    assert path.read_text(encoding="utf-8").splitlines()[1:] == [
        'ALTER TABLE gpu_health_metrics ADD COLUMN IF NOT EXISTS "fan_speed_ratio" double precision;',
        'ALTER TABLE gpu_health_scores ADD COLUMN IF NOT EXISTS "band" text;',
    ]
    assert {p.name: p.read_bytes() for p in old.iterdir() if p != path} == before
    assert write("again", old) is None


def test_a_field_that_is_never_null_takes_its_default(tmp_path: Path) -> None:
    (tmp_path / "001_records.sql").write_text(FIRST)
    text = next_migration(tmp_path, (TABLE,), ())
    assert text is not None
    assert [line.partition("EXISTS ")[2] for line in text.splitlines()[1:]] == [
        '"note" text;',
        "\"kind\" text NOT NULL DEFAULT 'owner''s';",
        '"count" bigint NOT NULL DEFAULT 3;',
        '"open" boolean NOT NULL DEFAULT true;',
        "\"links\" jsonb NOT NULL DEFAULT '[]';",
    ]


def test_a_field_without_a_default_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "001_records.sql").write_text(FIRST.replace('    "gpu_id" text,\n', ""))
    with pytest.raises(GenerateError, match=r"records\.gpu_id .* Record a default"):
        next_migration(tmp_path, (TABLE,), ())


def test_a_new_record_is_a_table(tmp_path: Path) -> None:
    (tmp_path / "001_records.sql").write_text(FIRST)
    text = next_migration(tmp_path, (replace(TABLE, name="others", columns=COLUMNS[:3]),), ())
    assert text is not None
    assert '    "event_id" text NOT NULL PRIMARY KEY,\n' in text
    assert 'CREATE INDEX IF NOT EXISTS others_gpu ON others (gpu_id, "at");\n' in text
    (tmp_path / "002_others.sql").write_text(text)
    assert declared_columns("plain", tmp_path)["others"] == {"event_id", "gpu_id", "at"}


def test_a_name_that_is_no_file_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GenerateError, match="no name of a migration"):
        write("../x", tmp_path)
