"""Kafka with SASL and TLS, PostgreSQL with TLS: the settings reach every client, and a wrong one is refused."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from time import time
from typing import Any

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from pydantic import SecretStr

from schemas.topics import HEALTH_SCORES, METRICS_RAW
from streams.db.pool import connect, open_pool
from streams.embedded.postgres import EmbeddedPostgres
from streams.kafka.clients import client_options
from streams.kafka.topics import check_topics, ensure_topics
from streams.settings import Settings
from tests.integration.secured_servers import (
    USERNAME,
    Certificates,
    SecuredKafka,
    TlsFront,
    make_certificates,
)
from tests.integration.test_score_role import message, scoring, wait_for


@pytest.fixture(scope="module")
def certificates() -> Iterator[Certificates]:
    folder = Path(tempfile.mkdtemp(prefix="gh-"))
    yield make_certificates(folder)
    shutil.rmtree(folder)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def kafka(certificates: Certificates) -> AsyncIterator[SecuredKafka]:
    folder = Path(tempfile.mkdtemp(prefix="gh-"))
    defaults = Settings()
    server = SecuredKafka(folder, certificates, cache_dir=defaults.cache_dir, maven_url=defaults.maven_url)
    await server.start()
    yield server
    await server.stop()
    shutil.rmtree(folder)


@pytest_asyncio.fixture(loop_scope="session")
async def postgres(postgres_server: EmbeddedPostgres, certificates: Certificates) -> AsyncIterator[TlsFront]:
    front = TlsFront(postgres_server.place.sockets / ".s.PGSQL.5432", certificates)
    await front.start()
    yield front
    await front.stop()


def secured(kafka: SecuredKafka, certificates: Certificates, protocol: str, mechanism: str) -> Settings:
    """Return settings of a client that is let in."""
    wanted: dict[str, Any] = {
        "broker": kafka.address(protocol),
        "kafka_security_protocol": protocol,
        "topic_prefix": f"t{uuid.uuid4().hex[:8]}-",
        "partitions": 1,
    }
    if protocol != "SASL_PLAINTEXT":
        wanted["kafka_security_cafile"] = certificates.authority
    if protocol == "SSL":
        wanted |= {"kafka_security_certfile": certificates.client, "kafka_security_keyfile": certificates.client}
    else:
        password = SecretStr(kafka.password(mechanism))
        user = {"kafka_security_username": USERNAME, "kafka_security_password": password}
        wanted |= {"kafka_security_mechanism": mechanism, **user}
    return Settings(**wanted)


@pytest.mark.parametrize(
    ("protocol", "mechanism"), [("SASL_SSL", "SCRAM-SHA-512"), ("SASL_PLAINTEXT", "PLAIN"), ("SSL", "")]
)
async def test_role_score_works_behind(
    kafka: SecuredKafka, certificates: Certificates, protocol: str, mechanism: str
) -> None:
    """Topics, a producer, a Faust app with its consumer, its transactions and its offsets."""
    settings = secured(kafka, certificates, protocol, mechanism)
    assert await ensure_topics(settings) == []
    producer = AIOKafkaProducer(**client_options(settings))
    await producer.start()
    await producer.send_and_wait(settings.topic(METRICS_RAW), key=b"GPU-1", value=message("GPU-1", time()))
    await producer.stop()
    async with scoring(settings):
        scores = await wait_for(settings, HEALTH_SCORES, 1)
    assert scores[0]["gpu_id"] == "GPU-1"


@pytest.mark.expected_errors
@pytest.mark.parametrize(
    ("protocol", "mechanism", "wrong"),
    [
        ("SASL_SSL", "SCRAM-SHA-512", {"kafka_security_password": SecretStr("wrong")}),
        ("SASL_PLAINTEXT", "PLAIN", {"kafka_security_username": "somebody"}),
        ("SASL_SSL", "SCRAM-SHA-512", {"kafka_security_cafile": None}),
        ("SSL", "", {"kafka_security_certfile": None, "kafka_security_keyfile": None}),
        ("SSL", "", {"kafka_security_protocol": "PLAINTEXT"}),
    ],
)
async def test_a_client_with_a_wrong_setting_is_told(
    kafka: SecuredKafka, certificates: Certificates, protocol: str, mechanism: str, wrong: Mapping[str, Any]
) -> None:
    """An error, not endless waiting."""
    settings = secured(kafka, certificates, protocol, mechanism).model_copy(update=dict(wrong))
    with pytest.raises(KafkaError):
        await asyncio.wait_for(check_topics(settings), 30)


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
async def test_postgresql_over_tls(postgres: TlsFront, certificates: Certificates, mode: str) -> None:
    """The pool and the single connection of the roles and commands."""
    dsn = postgres.dsn(mode, certificates.authority)
    pool = await open_pool(dsn, size=1)
    assert await pool.fetchval("SELECT 7") == 7
    await pool.close()
    connection = await connect(dsn)
    assert await connection.fetchval("SELECT 7") == 7
    await connection.close()
    assert postgres.secured == 2


async def test_postgresql_of_an_unknown_authority_is_refused(postgres: TlsFront, certificates: Certificates) -> None:
    """Before anything was said to it, with an error that names the reason."""
    dsn = postgres.dsn("verify-ca", certificates.other_authority)
    with pytest.raises(ssl.SSLCertVerificationError, match="certificate verify failed"):
        await open_pool(dsn, size=1)
    with pytest.raises(ssl.SSLCertVerificationError, match="certificate verify failed"):
        await connect(dsn)
    assert postgres.secured == 0
