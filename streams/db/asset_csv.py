"""An owner's list of GPUs, as CSV: the columns of the original guide, under the names people give them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

import msgspec

from schemas.pci import normalise_pci

_UUID: Final = re.compile(r"^(GPU-)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", re.IGNORECASE)
_NOTHING: Final = frozenset(["", "-", "n/a", "na", "none", "null", "nan"])

_SYNONYMS: Final[Mapping[str, tuple[str, ...]]] = {
    "gpu_id": ("gpu_id", "gpuid", "id"),
    "uuid": ("uuid", "gpu_uuid"),
    "asset_tag": ("asset_tag", "asset", "asset_id", "tag", "inventory_id", "inventory_number"),
    "serial": ("serial", "serial_number", "serial_no", "sn"),
    "model": ("model", "gpu_model", "model_name", "type"),
    "host_id": ("host_id", "host", "hostname", "node", "server"),
    "pci_bus_id": ("pci_bus_id", "pci_address", "pci", "bus_id", "pci_bus", "bdf"),
    "slot": ("slot", "slot_number", "gpu_index", "index", "position"),
    "rack_id": ("rack_id", "rack", "rack_location"),
    "datacenter": ("datacenter", "data_center", "dc", "site", "location"),
    "deployed_date": ("deployed_date", "deployment_date", "deployed", "deployed_at", "in_service_date"),
    "purchase_date": ("purchase_date", "purchased", "purchased_at", "bought"),
    "purchase_price_usd": ("purchase_price_usd", "purchase_price", "price", "price_usd", "cost", "cost_usd"),
    "warranty_expiry": ("warranty_expiry", "warranty_end", "warranty", "warranty_until", "warranty_expires"),
    "known_issues": ("known_issues", "known_issue", "issues"),
    "removed_at": ("removed_at", "removed", "retired_at", "decommissioned_at"),
    "notes": ("notes", "note", "comment", "comments"),
}
_FIELDS: Final = {name: field for field, names in _SYNONYMS.items() for name in names}


class AssetRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One asset as its owner lists it; ``line`` is its line in the file.

    ``gpu_id`` is the GPU's UUID where the list has it; the owner's own id is ``asset_tag``.
    """

    line: int
    asset_id: str
    gpu_id: str | None = None
    asset_tag: str | None = None
    serial: str | None = None
    model: str | None = None
    host_id: str | None = None
    pci_bus_id: str | None = None
    slot: str | None = None
    rack_id: str | None = None
    datacenter: str | None = None
    deployed_date: date | None = None
    purchase_date: date | None = None
    purchase_price_usd: float | None = None
    warranty_expiry: date | None = None
    known_issues: str | None = None
    removed_at: datetime | None = None
    notes: str | None = None


@dataclass(frozen=True, slots=True)
class LineError:
    """What is wrong with one line of the file (1 is the header)."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class AssetFile:
    """What a file holds; ``ignored`` are the columns that no name is known for."""

    records: tuple[AssetRecord, ...]
    errors: tuple[LineError, ...]
    ignored: tuple[str, ...]


def _date(text: str) -> date:
    return datetime.fromisoformat(text).date()


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _price(text: str) -> float:
    price = float(text.lstrip("$").replace(",", ""))
    if not 0 <= price < 1e9:
        raise ValueError(f"{text!r} is no price")
    return price


def _pci(text: str) -> str:
    address = normalise_pci(text)
    if address is None:
        raise ValueError(f"{text!r} is no PCI address")
    return address


_PARSERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "deployed_date": _date,
    "purchase_date": _date,
    "warranty_expiry": _date,
    "removed_at": _moment,
    "purchase_price_usd": _price,
    "pci_bus_id": _pci,
}


def read_assets(text: str) -> AssetFile:
    """Read a CSV file: each line becomes a record or an error, never both.

    >>> read_assets("gpu_id,model,purchase price\\nGPU-A100-001,A100,$9000\\n").records[0].asset_tag
    'GPU-A100-001'
    >>> read_assets("gpu_id,deployed_date\\nA,yesterday\\n").errors[0].line
    2
    """
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff")))
    header = next(reader, None)
    if header is None:
        return AssetFile((), (LineError(1, "the file is empty"),), ())
    fields = [_FIELDS.get(re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_")) for name in header]
    ignored = tuple(name for name, field in zip(header, fields, strict=True) if field is None)
    named = [field for field in fields if field is not None]
    if repeated := sorted({field for field in named if named.count(field) > 1}):
        return AssetFile((), (LineError(1, f"two columns mean the same: {', '.join(repeated)}"),), ignored)
    records: list[AssetRecord] = []
    errors: list[LineError] = []
    seen: dict[str, int] = {}
    for cells in reader:
        line = reader.line_num
        if not any(cell.strip() for cell in cells):
            continue
        try:
            if len(cells) != len(fields):
                raise ValueError(f"{len(cells)} values, the header has {len(fields)}")
            record = _record(line, fields, cells)
            first = [seen[name] for name in _ids(record) if name in seen]
            if first:
                raise ValueError(f"the same GPU as line {first[0]}")
        except ValueError as error:
            errors.append(LineError(line, str(error)))
            continue
        seen.update((name, line) for name in _ids(record))
        records.append(record)
    return AssetFile(tuple(records), tuple(errors), ignored)


def _ids(record: AssetRecord) -> set[str]:
    # Not the serial: it is the board's, and some boards carry several GPUs.
    ids = {f"asset {record.asset_id}"}
    if record.gpu_id:
        ids.add(f"gpu {record.gpu_id}")
    return ids


def _record(line: int, fields: list[str | None], cells: list[str]) -> AssetRecord:
    values: dict[str, Any] = {}
    for field, cell in zip(fields, cells, strict=True):
        text = cell.strip()
        if field is None or text.lower() in _NOTHING:
            continue
        try:
            values[field] = _PARSERS.get(field, str)(text)
        except ValueError as error:
            raise ValueError(f"{field}: {error}") from error
    named = values.pop("uuid", None)
    listed = values.pop("gpu_id", None)
    if named is None and listed is not None and _UUID.match(listed):
        named = listed
    elif listed is not None:
        values.setdefault("asset_tag", listed)
    if named is not None:
        values["gpu_id"] = named if named.startswith("GPU-") else f"GPU-{named}"
    host, address = values.get("host_id"), values.get("pci_bus_id")
    place = f"{host}/{address}" if host and address else None
    asset_id = values.get("asset_tag") or values.get("gpu_id") or values.get("serial") or place
    if asset_id is None:
        raise ValueError("nothing says which GPU it is: give gpu_id, serial, or host and PCI address")
    return AssetRecord(line=line, asset_id=asset_id, **values)
