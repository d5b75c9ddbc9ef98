"""Every private name of Faust, mode and aiokafka that streams/transport uses is there, and is what it was.

The uses are read from the source; whose each name is stands below. After an upgrade that loses or changes a name,
the test that fails has it in its title.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import aiokafka
import faust
import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.fetcher import Fetcher, FetchResult, PartitionRecords
from faust.stores.memory import Store
from faust.tables.base import Collection
from faust.tables.recovery import Recovery
from faust.tables.table import Table
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer
from mode.utils.queues import FlowControlEvent

Kind = Literal["attribute", "coroutine", "generator", "method"]

_ROOM: Final = Path(__file__).parents[2] / "streams" / "transport"
_LIBRARIES: Final = {"faust", "mode", "aiokafka"}
LIBRARY: Final[dict[type, dict[str, Kind]]] = {
    faust.App: {
        "_on_agent_error": "coroutine",
        "_create_directories": "method",
        "_new_transport": "method",
    },
    AIOKafkaConsumerThread: {
        "_consumer": "attribute",
        "_create_worker_consumer": "method",
        "_ensure_consumer": "method",
        "_fetch_records": "coroutine",
    },
    Consumer: {
        "_new_consumer_thread": "method",
        "_read_offset": "attribute",
        "_thread": "attribute",
        "_to_message": "method",
    },
    aiokafka.AIOKafkaConsumer: {
        "_client": "attribute",
        "_closed": "attribute",
        "_fetch_max_wait_ms": "attribute",
        "_fetch_min_bytes": "attribute",
        "_fetcher": "attribute",
        "_isolation_level": "attribute",
        "_max_partition_fetch_bytes": "attribute",
        "_subscription": "attribute",
    },
    AIOKafkaClient: {"_wait_on_metadata": "coroutine"},
    Fetcher: {
        "_closed": "attribute",
        "_create_fetch_waiter": "method",
        "_records": "attribute",
        "_subscriptions": "attribute",
    },
    FetchResult: {"_partition_records": "attribute"},
    PartitionRecords: {
        "_consumer_record": "method",
        "_records": "attribute",
        "_records_iterator": "attribute",
        "_unpack_records": "generator",
    },
    Recovery: {"_generation_id": "attribute"},
    Table: {"_set_windowed": "method", "_to_key": "method"},
    Collection: {"_should_expire_keys": "method", "_window_ranges": "generator"},
    Store: {"_key_partition": "attribute"},
    FlowControlEvent: {"_resume": "attribute", "_suspend": "attribute"},
}
# What an expression that is not ``self`` holds; one that is missing here fails the first test.
HOLDS: Final[dict[str, type]] = {
    "consumer": aiokafka.AIOKafkaConsumer,
    "self._ensure_consumer()": aiokafka.AIOKafkaConsumer,
    "client": aiokafka.AIOKafkaConsumer,
    "client._client": AIOKafkaClient,
    "fetcher": Fetcher,
    "result": FetchResult,
    "fetched": PartitionRecords,
    "self._tables.recovery": Recovery,
    "store": Store,
}
# Our own private names in subclasses of theirs: a version that has one of them too would be overridden unseen.
OURS: Final[dict[str, set[str]]] = {
    "HealthApp": {"_after_stop", "_before_flow", "_before_stop", "_chunked", "_settings_of_system"},
    "ChunkedConsumerThread": {
        "_commit_positions",
        "_drain",
        "_reached",
        "_seek_chunks",
        "_seek_to_known",
        "_state",
    },
    "ChunkedConsumer": {"_positions"},
    "RebalanceFlow": {"_cleared_generation", "_tables"},
    "_MetadataRequest": {"_topics"},
    "WindowTable": {"_share", "_shared"},
}


@dataclass(frozen=True)
class Use:
    """A private name, on ``self`` of class ``inside`` or on another expression."""

    where: str
    name: str
    on: str
    inside: type | None

    def bases(self) -> list[type]:
        """Return the classes of the libraries that ``inside`` has above it."""
        above = [] if self.inside is None else self.inside.__mro__
        return [one for one in above if one.__module__.partition(".")[0] in _LIBRARIES]


def uses() -> Iterator[Use]:
    """Yield every private name in the room that may be a library's."""
    for path in sorted(_ROOM.glob("*.py")):
        module = importlib.import_module(f"streams.transport.{path.stem}")
        tree = ast.parse(path.read_text("utf-8"))
        own = {
            inner: getattr(module, node.name, None)
            for node in tree.body
            if isinstance(node, ast.ClassDef)
            for inner in ast.walk(node)
        }
        for node in ast.walk(tree):
            for name, on in private_names(node):
                inside = own.get(node)
                use = Use(f"{path.name}:{getattr(node, 'lineno', 0)}", name, on, inside)
                if on != "self" or use.bases():
                    yield use


def private_names(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield (name, what it is a name of) of one node; methods and annotations of a class are on ``self``."""
    if isinstance(node, ast.Attribute):
        on = ast.unparse(node.value)
        found = [(node.attr, "self" if on in ("super()", "cls") else on)]
    elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("getattr", "setattr", "hasattr"):
        texts = [one.value for one in node.args[1:2] if isinstance(one, ast.Constant)]
        found = [(str(text), ast.unparse(node.args[0])) for text in texts]
    elif isinstance(node, ast.ClassDef):
        methods = [one.name for one in node.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
        targets = [one.target for one in node.body if isinstance(one, ast.AnnAssign)]
        found = [(name, "self") for name in [*methods, *map(ast.unparse, targets)]]
    else:
        found = []
    yield from ((name, on) for name, on in found if name.startswith("_") and not name.endswith("__"))


USES: Final = list(uses())


def owner(use: Use) -> type | None:
    """Return the class of a library that has the name by the table above; None: it is our own."""
    if use.on == "self":
        return next((one for one in use.bases() if use.name in LIBRARY.get(one, {})), None)
    return HOLDS.get(use.on)


def kind_of(cls: type, name: str) -> Kind | None:
    """Return what ``name`` is in ``cls``; None: there is no such name.

    Attributes are those that a method of the class, or of one above it, assigns to ``self``.
    """
    found = inspect.getattr_static(cls, name, None)
    if inspect.iscoroutinefunction(found):
        return "coroutine"
    if inspect.isgeneratorfunction(found):
        return "generator"
    if inspect.isfunction(found):
        return "method"
    for one in cls.__mro__[:-1]:
        if one.__module__ == "collections.abc":  # has methods alone, and no source of its own
            continue
        for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(one)))):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.ctx, ast.Store)
                and node.attr == name
                and ast.unparse(node.value) == "self"
            ):
                return "attribute"
    return None


def test_every_use_has_its_owner() -> None:
    """A use that the tables above do not know, or an entry that nothing uses any more."""
    unknown: list[str] = []
    used: set[tuple[type, str]] = set()
    for use in USES:
        cls = owner(use)
        if cls is not None and use.name in LIBRARY.get(cls, {}):
            used.add((cls, use.name))
        elif use.on != "self" or use.inside is None or use.name not in OURS.get(use.inside.__name__, ()):
            unknown.append(f"{use.where}: {use.on}.{use.name}")
    listed = {(cls, name) for cls, names in LIBRARY.items() for name in names}
    assert unknown == []
    assert used == listed


@pytest.mark.parametrize(
    ("cls", "name", "kind"),
    [
        pytest.param(cls, name, kind, id=f"{cls.__module__}.{cls.__qualname__}.{name}")
        for cls, names in LIBRARY.items()
        for name, kind in names.items()
    ],
)
def test_the_name_is_there_and_of_its_kind(cls: type, name: str, kind: Kind) -> None:
    assert kind_of(cls, name) == kind


@pytest.mark.parametrize(
    ("cls", "name"),
    sorted({(use.inside, use.name) for use in USES if use.on == "self" and owner(use) is None}, key=str),
)
def test_our_own_name_is_not_theirs(cls: type, name: str) -> None:
    assert name in OURS[cls.__name__]
    bases = [one for one in cls.__mro__ if one.__module__.partition(".")[0] in _LIBRARIES]
    assert [one.__qualname__ for one in bases if kind_of(one, name) is not None] == []


def test_a_name_that_is_lost_or_changed_is_seen() -> None:
    assert kind_of(Fetcher, "_no_such_name") is None
    assert kind_of(Fetcher, "_proc_fetch_request") == "coroutine"
