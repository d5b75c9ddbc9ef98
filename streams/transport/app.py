"""The Faust app of a role: its own consumer group, read committed, nothing created on the broker."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

import faust
from aiokafka.errors import KafkaError
from faust.types.transports import TransportT
from yarl import URL

from agents.ports import Chunk
from schemas.errors import ShutdownError
from schemas.topics import METRICS_RAW
from streams.kafka.clients import ssl_context
from streams.settings import Settings
from streams.transport.chunked import transport_class

log = logging.getLogger(__name__)

# The roles that read in chunks, and what; all else is read message by message.
_CHUNKED: Final = {"score": (METRICS_RAW,)}
# What was fetched waits for the agent, one entry a partition and fetch: more of it only takes memory.
_FETCHED_WAITING: Final = 8
_HEARTBEATS_A_SESSION: Final = 4
# What keeping state on the broker can end in; anything else is a bug, and surfaces as one.
STATE_ERRORS: Final = (KafkaError, ShutdownError, OSError, asyncio.TimeoutError)


class HealthApp(faust.App):
    """A Faust app that ends by order, or by the first error that makes its state doubtful."""

    def __init__(self, settings: Settings, role: str, chunked: tuple[str, ...], **options: Any) -> None:
        self.failure: BaseException | None = None
        self.failing = asyncio.Event()
        self._settings_of_system = settings
        self._chunked = {name: settings.topic(name) for name in chunked}
        self._before_flow: list[Callable[[], Awaitable[None]]] = []
        self._before_stop: list[Callable[[], Awaitable[None]]] = []
        self._after_stop: list[Callable[[], Awaitable[None]]] = []
        super().__init__(settings.group(role), **options)

    @property
    def failed(self) -> bool:
        """Tell whether the process must end without writing anything more."""
        return self.failure is not None

    def fail(self, error: BaseException) -> None:
        """End the process (non-zero exit): what is in memory can no longer be committed."""
        if self.failure is None:
            self.failure = _first(error)
            log.critical("Stopping to start again from the last checkpoint: %r", self.failure)
            self.failing.set()

    def before_flow(self, action: Callable[[], Awaitable[None]]) -> None:
        """Run ``action`` once, before the app joins its group; its error ends the start."""
        self._before_flow.append(action)

    def after_stop(self, action: Callable[[], Awaitable[None]]) -> None:
        """Run ``action`` when the app has stopped."""
        self._after_stop.append(action)

    def before_stop(self, action: Callable[[], Awaitable[None]]) -> None:
        """Run ``action`` when the app stops, while the consumer is still a member of its group."""
        self._before_stop.append(action)

    def read_chunks(self, topic: str, take: Callable[[Chunk], Awaitable[None]]) -> None:
        """Give each chunk of ``topic`` (without prefix) to ``take``, one after the other."""
        channel = self.topic(self._chunked[topic], acks=False, value_serializer="raw", key_serializer="raw")

        async def feed(stream: faust.StreamT[Any]) -> None:
            async for fetched in stream:
                for chunk in fetched.chunks():
                    await take(chunk)
                    await asyncio.sleep(0)  # checkpoints and the rebalance have their turn

        self.agent(channel, name=f"chunks-of-{topic}")(feed)

    async def crash(self, reason: BaseException) -> None:
        """End the process: Faust calls this for what it could not handle."""
        self.fail(reason)
        await super().crash(reason)

    async def on_first_start(self) -> None:
        """Fetch first what the flow needs."""
        for action in self._before_flow:
            await action()
        await super().on_first_start()

    async def on_stop(self) -> None:
        """Write last checkpoints first: Faust stops the consumer before it sends any signal."""
        for action in self._before_stop:
            try:
                await action()
            except* STATE_ERRORS as errors:
                self.fail(errors)
        await super().on_stop()
        for action in self._after_stop:
            await action()

    async def _on_agent_error(self, agent: Any, exc: BaseException) -> None:
        """End the process: Faust would restart the agent behind the input that it lost."""
        self.fail(exc)

    def _create_directories(self) -> None:
        """Leave the disk alone: all tables are in memory."""

    def _new_transport(self) -> TransportT:
        transport: TransportT = transport_class(self._chunked.values())(self.conf.broker_consumer, self)
        return transport


def create_app(role: str, settings: Settings, **overrides: Any) -> HealthApp:
    """Return the app of ``role``.

    Parameters
    ----------
    overrides
        Faust settings of this role.
    """
    session = settings.session_timeout_seconds
    options: dict[str, Any] = {
        "broker": [URL(f"kafka://{address.strip()}") for address in settings.broker.split(",")],
        "broker_credentials": _credentials(settings),
        "broker_session_timeout": session,
        "broker_heartbeat_interval": session / _HEARTBEATS_A_SESSION,
        "broker_request_timeout": max(30.0, session * 2),
        "consumer_auto_offset_reset": "earliest",
        "store": "memory://",
        "topic_disable_leader": True,
        "stream_buffer_maxsize": _FETCHED_WAITING if role in _CHUNKED else 4096,
        "stream_wait_empty": False,
        "web_enabled": role == "view",
        **overrides,
    }
    if role == "view":
        options = {"web_bind": settings.web_host, "web_port": settings.web_port, **options}
    return HealthApp(settings, role, _CHUNKED.get(role, ()), **options)


def _credentials(settings: Settings) -> Any:
    context = ssl_context(settings)
    if settings.kafka_security_protocol.startswith("SASL"):
        return faust.SASLCredentials(
            username=settings.kafka_security_username,
            password=settings.kafka_security_password.get_secret_value(),
            mechanism=settings.kafka_security_mechanism,
            ssl_context=context,
        )
    return faust.SSLCredentials(context) if context is not None else None


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
