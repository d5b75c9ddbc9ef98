"""An alert that release 0.1.0 published is read by notify, store and view, and keeps what it asked people to do."""

from __future__ import annotations

from pathlib import Path

import msgspec

from agents.notify.hosts import Host
from agents.notify.incidents import Incident
from agents.store.rows import EVENT_TABLES, RowMaker
from agents.view.rows import AlertRow
from schemas.alert import SCHEMA_VERSION, AlertEvent
from schemas.times import format_time, parse_time
from tests.unit.agents.notify.notifying import Desk

RECORDED = (Path(__file__).parent / "alert_version_1.json").read_bytes()
FIELDS = msgspec.json.decode(RECORDED)
TEXT = "RESTART_BM: drain the node and restart it; if the GPU does not come back, power cycle it"


def read() -> AlertEvent:
    """Return the recorded alert."""
    return msgspec.json.decode(RECORDED, type=AlertEvent)


def test_it_is_of_version_1() -> None:
    assert FIELDS["schema_version"] == 1
    assert FIELDS["action"] == TEXT


def test_all_of_it_is_read_and_written_as_version_2() -> None:
    event = read()
    assert (event.action_text, event.action_code, event.action_ladder) == (TEXT, "see_text", [])
    assert (event.worst, event.count, event.trial, event.tenant_text) == (None, 1, False, "")
    written = msgspec.json.decode(msgspec.json.encode(event))
    assert "action" not in written
    assert written["schema_version"] == SCHEMA_VERSION == 2
    same = set(FIELDS) - {"action", "schema_version"}
    assert {name: written[name] for name in same} == {name: FIELDS[name] for name in same}
    assert msgspec.json.decode(msgspec.json.encode(event), type=AlertEvent) == event


def test_version_2_knows_no_action() -> None:
    later = msgspec.json.encode({**msgspec.to_builtins(read()), "action": "of a later version"})
    assert msgspec.json.decode(later, type=AlertEvent).action_text == TEXT


def test_notify_tells_people_of_it() -> None:
    event = read()
    at = format_time(parse_time("2026-02-09T12:00:01Z"))
    desk = Desk()
    (told,) = desk.say(msgspec.structs.replace(event, starts_at=at, updated_at=at), at=10.0)
    assert (told.rule, told.page, told.reason) == ("gpu_lost", True, "first_firing")


def test_notify_s_own_state_of_it_is_read() -> None:
    incident = {"incident_id": "i", "members": {"f": {"event": FIELDS, "noted_at": 1.0}}}
    again = msgspec.json.decode(msgspec.json.encode(incident), type=Incident)
    assert again.members["f"].event == read()
    host = msgspec.msgpack.decode(msgspec.msgpack.encode({"host_id": "h", "event": FIELDS}), type=Host)
    assert host.event == read()


def test_store_makes_its_row() -> None:
    (table,) = [table for table in EVENT_TABLES if table.record is AlertEvent]
    row = dict(zip([column.name for column in table.columns], RowMaker(table).row(RECORDED).values, strict=True))
    assert (row["action_text"], row["action_code"], row["action_ladder"]) == (TEXT, "see_text", b"[]")
    assert (row["event_id"], row["rule"]) == (FIELDS["event_id"], "gpu_lost")


def test_view_lists_it() -> None:
    row = msgspec.json.decode(RECORDED, type=AlertRow)
    assert (row.severity, row.page, row.fingerprint) == ("critical", True, FIELDS["fingerprint"])
