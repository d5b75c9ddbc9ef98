"""Connections to the two databases, each with JSON both ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import asyncpg
import msgspec
from asyncpg.connect_utils import SessionAttribute

from schemas.errors import ShutdownError
from streams.settings import Settings

if TYPE_CHECKING:  # generic in asyncpg's stubs alone
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
    Acquired: TypeAlias = asyncpg.pool.PoolConnectionProxy[asyncpg.Record] | Connection
else:
    Connection = Acquired = asyncpg.Connection
    Pool = asyncpg.Pool

CONNECT_TIMEOUT_SECONDS = 10.0
COMMAND_TIMEOUT_SECONDS = 60.0
_JSONB_VERSION = b"\x01"


def metrics_dsn(settings: Settings) -> str:
    """Return the DSN of the metrics database.

    Raises
    ------
    ShutdownError
        None is set.
    """
    dsn = settings.metrics_dsn.get_secret_value()
    if not dsn:
        raise ShutdownError("no metrics database: set GPU_HEALTH_METRICS_DSN, or start `gpu-health up`")
    return dsn


def assets_dsn(settings: Settings) -> str:
    """Return the DSN of the asset database: the metrics database where none is set."""
    return settings.assets_dsn.get_secret_value() or metrics_dsn(settings)


def _encode_json(value: object) -> bytes:
    # Rows bring JSON that is encoded already; anything else is encoded here.
    return _JSONB_VERSION + (value if isinstance(value, bytes) else msgspec.json.encode(value))


def _decode_json(value: bytes) -> object:
    return msgspec.json.decode(value[1:])


async def _prepare(connection: Connection) -> None:
    # In binary, because COPY is: a byte of version, then the text.
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=_encode_json, decoder=_decode_json, format="binary"
    )


async def connect(
    dsn: str, *, command_timeout: float | None = COMMAND_TIMEOUT_SECONDS, writable: bool = False
) -> Connection:
    """Open one connection; TLS is set in the DSN (``sslmode``, ``sslrootcert``, ``sslcert``, ``sslkey``).

    Parameters
    ----------
    dsn
        May name several hosts (``postgresql://user@a:5432,b:5432/metrics``): they are tried in turn.
    command_timeout
        Seconds that a command may take; None: any time.
    writable
        Whether a server that takes no writes (a standby, a primary on its way down) is passed over, whatever
        ``target_session_attrs`` the DSN has; where no other is left, it is an error like a server that is away.
    """
    connection: Connection = await asyncpg.connect(
        dsn,
        timeout=CONNECT_TIMEOUT_SECONDS,
        command_timeout=command_timeout,
        target_session_attrs=SessionAttribute.read_write if writable else None,
        server_settings={"timezone": "UTC", "application_name": "gpu-health"},
    )
    await _prepare(connection)
    return connection


async def open_pool(dsn: str, *, size: int = 4) -> Pool:
    """Open a pool of up to ``size`` connections."""
    return await asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=size,
        timeout=CONNECT_TIMEOUT_SECONDS,
        command_timeout=COMMAND_TIMEOUT_SECONDS,
        server_settings={"timezone": "UTC", "application_name": "gpu-health"},
        init=_prepare,
    )
