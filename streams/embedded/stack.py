"""The whole system on one machine: the servers it lacks, and our own processes, kept running and ended together."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from types import TracebackType

from pydantic import SecretStr

from streams.embedded.data_dir_lock import DataDirLock
from streams.embedded.data_folder import claim
from streams.embedded.kafka import EmbeddedKafka
from streams.embedded.postgres import EmbeddedPostgres
from streams.embedded.run_file import RunState, remove_run, supervisor_identity, without_password, write_run
from streams.embedded.supervision import Part, Supervised, Worker
from streams.settings import Settings

DATABASE = "gpu_health"
_LOOK_SECONDS = 1.0


class Stack:
    """Starts the embedded servers that the settings leave unset, runs workers, and stops them all, servers last.

    Use it by ``async with``, from the main thread. Nothing that it started outlives it, even when this
    process is killed (Linux).

    Parameters
    ----------
    settings
        Servers set there are used; the others are started under ``data_dir``.
    simulated
        Whether the fleet is simulated: shown wherever the run is shown.
    report
        Told, a line or a message at a time, what happens.
    """

    def __init__(self, settings: Settings, *, simulated: bool, report: Callable[[str], None]) -> None:
        self.settings = settings
        self.page = ""
        self._simulated = simulated
        self._report = report
        self._supervised: list[Supervised] = []
        self._watches: set[asyncio.Task[None]] = set()
        self._started_at = datetime.now(UTC).isoformat(timespec="seconds")
        self._broker_embedded = not settings.broker
        self._database_embedded = not settings.metrics_dsn.get_secret_value()
        self._exit = AsyncExitStack()

    async def __aenter__(self) -> Stack:
        self._exit.enter_context(DataDirLock(self.settings.data_dir))
        self._exit.callback(remove_run, self.settings.data_dir)
        self._exit.push_async_callback(self._stop_all)
        try:
            if self._broker_embedded:
                claim(self.settings.data_dir, "simulated" if self._simulated else "real")
            async with asyncio.TaskGroup() as starts:
                if self._broker_embedded:
                    starts.create_task(self._start_broker())
                if self._database_embedded:
                    starts.create_task(self._start_database())
        except BaseExceptionGroup as errors:
            await self._exit.aclose()
            raise errors.exceptions[0] from None
        except BaseException:
            await self._exit.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exit.aclose()

    async def run(self, name: str, arguments: Sequence[str], *, again: Sequence[str] | None = None) -> None:
        """Start ``arguments`` as a worker with this stack's settings, and keep it running.

        ``again`` is the command line of its restarts, where it is another one.
        """
        worker = Worker(
            name,
            arguments,
            log_path=self.settings.data_dir / "logs" / f"{name}.log",
            environment={**os.environ, **self.settings.environment()},
            again=again,
        )
        await self._keep(name, worker)

    async def watch(self) -> None:
        """Keep everything running; return only by an error of the supervisor itself, or when cancelled."""
        while True:
            # Looked at each second, since parts join while this runs.
            await asyncio.sleep(_LOOK_SECONDS)
            for task in self._watches:
                if task.done():
                    task.result()

    def describe(self) -> RunState:
        """Return what runs where."""
        pid, created = supervisor_identity()
        return RunState(
            supervisor_pid=pid,
            supervisor_created=created,
            data_dir=str(self.settings.data_dir),
            started_at=self._started_at,
            simulated=self._simulated,
            broker=self.settings.broker,
            broker_embedded=self._broker_embedded,
            metrics_dsn=without_password(self.settings.metrics_dsn.get_secret_value()),
            assets_dsn=without_password(self.settings.assets_dsn.get_secret_value()),
            database_embedded=self._database_embedded,
            page=self.page,
            processes=[one.describe() for one in self._supervised],
        )

    async def _start_broker(self) -> None:
        broker = EmbeddedKafka.of(self.settings, self._report)
        await self._keep("kafka", broker)
        self.settings = self.settings.model_copy(update={"broker": broker.bootstrap})
        self._report(f"Kafka answers at {broker.bootstrap}")

    async def _start_database(self) -> None:
        server = EmbeddedPostgres.of(self.settings)
        await self._keep("postgres", server)
        dsn = await server.ensure_database(DATABASE)
        self.settings = self.settings.model_copy(update={"metrics_dsn": SecretStr(dsn)})
        self._report(f"PostgreSQL answers at {dsn}")

    async def _keep(self, name: str, part: Part) -> None:
        supervised = Supervised(name, part, report=self._report, changed=self._write_run)
        # Listed before it is started: a start that is cut off half-way must be stopped, too.
        self._supervised.append(supervised)
        await supervised.start()
        self._watches.add(asyncio.create_task(supervised.watch(), name=f"watch-{name}"))

    async def _stop_all(self) -> None:
        for watch in self._watches:
            watch.cancel()
        await asyncio.gather(*self._watches, return_exceptions=True)
        workers = [one for one in self._supervised if isinstance(one.part, Worker)]
        servers = [one for one in self._supervised if not isinstance(one.part, Worker)]
        await asyncio.gather(*(one.stop() for one in workers))
        await asyncio.gather(*(one.stop() for one in servers))

    def _write_run(self) -> None:
        write_run(self.settings.data_dir, self.describe())
