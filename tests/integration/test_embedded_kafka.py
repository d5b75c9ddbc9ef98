"""The embedded broker keeps its data and its address, is reachable from this machine alone, and never hangs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from schemas.errors import ShutdownError
from streams.embedded import ports
from streams.embedded.kafka import EmbeddedKafka
from streams.embedded.process import ChildCrashed
from streams.settings import Settings


def _broker(folder: Path, port: int = 0) -> EmbeddedKafka:
    return EmbeddedKafka(folder, cache_dir=Settings().cache_dir, port=port, heap_mib=256)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedKafka]:
    """One broker for these tests; the last of them stops it."""
    server = _broker(tmp_path_factory.mktemp("kafka"))
    await server.start()
    yield server
    await server.stop()


async def _write(bootstrap: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic("kept", 1, 1)])
    await admin.close()
    # acks=all, as for everything that must outlive the broker.
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    await producer.send_and_wait("kept", b"value")
    await producer.stop()


async def _read(bootstrap: str) -> bytes | None:
    consumer = AIOKafkaConsumer("kept", bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    record = await consumer.getone()
    await consumer.stop()
    value: bytes | None = record.value
    return value


async def _until_crash(server: EmbeddedKafka) -> str:
    async with asyncio.timeout(10.0):
        while (reason := server.crash()) is None:  # noqa: ASYNC110 - another process ends: there is no event
            await asyncio.sleep(0.02)
    return reason


async def test_only_loopback_listens(broker: EmbeddedKafka) -> None:
    assert broker.process is not None
    listening = {
        connection.laddr.ip.removeprefix("::ffff:")
        for connection in psutil.Process(broker.process.pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


async def test_a_taken_port_that_was_asked_for_is_an_error(broker: EmbeddedKafka, tmp_path: Path) -> None:
    with pytest.raises(ShutdownError, match=f"port {broker.port} is taken"):
        await _broker(tmp_path, port=broker.port).start()


async def test_a_start_that_fails_says_what_the_log_says(server_folder: Path) -> None:
    server = _broker(server_folder)
    (server_folder / "log").mkdir()
    (server_folder / "log" / "meta.properties").write_text("version=1\nnode.id=7\ncluster.id=elsewhere\n")
    with pytest.raises(ChildCrashed, match=r"ended with code 1(.|\n)*node.id"):
        await server.start()
    assert server.process is not None
    assert server.process.poll() is not None
    assert ports.is_free(server.port)


async def test_a_killed_broker_is_reported_with_its_log_and_starts_again(broker: EmbeddedKafka) -> None:
    await _write(broker.bootstrap)
    address = broker.bootstrap
    assert broker.process is not None
    assert broker.crash() is None
    broker.process.kill()
    reason = await _until_crash(broker)
    assert "was killed by SIGKILL" in reason
    last_words = broker.log_path.read_text().splitlines()[-1]
    assert last_words in reason, "the tail of the log belongs to the report"
    await broker.start()
    assert broker.bootstrap == address
    assert await _read(broker.bootstrap) == b"value"


async def test_another_start_has_the_same_data_address_and_no_download(broker: EmbeddedKafka) -> None:
    await _write(broker.bootstrap)
    await broker.stop()
    said: list[str] = []
    again = EmbeddedKafka(
        broker.data_dir,
        cache_dir=Settings().cache_dir,
        # Nothing answers there: a start that wanted a download would fail.
        maven_url="http://127.0.0.1:9/",
        heap_mib=256,
        progress=said.append,
    )
    await again.start()
    try:
        assert again.bootstrap == broker.bootstrap
        assert await _read(again.bootstrap) == b"value"
        assert said == []
    finally:
        await again.stop()
