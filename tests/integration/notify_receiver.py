"""A receiver that checks what it is sent, and a worker of role notify in a process of its own."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from streams.roles.view import free_port
from streams.settings import Settings

SECRET = bytes(range(32))
SECRET_TEXT = "whsec_" + base64.b64encode(SECRET).decode()
DEADLINE_SECONDS = 60.0
_RUN = (
    "import sys, logging; from streams.roles.run import run; from streams.settings import Settings; "
    "logging.basicConfig(level='INFO'); sys.exit(run('notify', Settings()))"
)


async def until(what: str, test: Callable[[], bool], *logs: Path) -> None:
    """Poll ``test`` until it holds."""
    limit = time.monotonic() + DEADLINE_SECONDS
    while not test():
        if time.monotonic() > limit:
            pytest.fail("\n".join([f"not in time: {what}", *(log.read_text()[-4000:] for log in logs)]))
        await asyncio.sleep(0.05)


@dataclass
class Receiver:
    """What came, and what is answered; ``hangs``: nothing is answered at all."""

    port: int
    answer: int = 200
    hangs: bool = False
    taken: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
    forged: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Return its address."""
        return f"http://127.0.0.1:{self.port}/hook"

    async def take(self, request: web.Request) -> web.Response:
        """Verify and keep a webhook, as the specification tells receivers to."""
        body = await request.read()
        id, stamp = request.headers["webhook-id"], request.headers["webhook-timestamp"]
        expected = hmac.new(SECRET, f"{id}.{stamp}.".encode() + body, hashlib.sha256).digest()
        signatures = request.headers["webhook-signature"].split()
        genuine = f"v1,{base64.b64encode(expected).decode()}" in signatures
        if not genuine or abs(time.time() - int(stamp)) > 300 or request.headers["idempotency-key"] != id:
            self.forged.append(id)
            return web.Response(status=401)
        self.tried.append(id)
        if self.hangs:
            await asyncio.sleep(3600)
        if self.answer == 200:
            self.taken.append((id, msgspec.json.decode(body)))
        return web.Response(status=self.answer)

    def told(self) -> list[tuple[str, str]]:
        """Return (summary, status) of what was taken."""
        return [(body["data"]["alert"]["summary"], body["data"]["notification"]["status"]) for _, body in self.taken]

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Answer on the port until the block ends."""
        app = web.Application()
        app.router.add_post("/hook", self.take)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        try:
            yield
        finally:
            await runner.cleanup()


def new_receiver() -> Receiver:
    """Return a receiver on a free port; not listening."""
    return Receiver(free_port("127.0.0.1"))


def receivers_file(folder: Path, receiver: Receiver) -> Path:
    """Return a receivers file that names ``receiver``."""
    path = folder / "receivers.toml"
    path.write_text(
        f'[[webhook]]\nname = "pager"\nurl = "{receiver.url}"\nsecret_env = "PAGER_SECRET"\nmin_severity = "error"\n'
    )
    return path


@dataclass
class Worker:
    """A running worker."""

    process: subprocess.Popen[bytes]
    log: Path

    def kill(self) -> None:
        """End it as a power failure would."""
        self.process.kill()
        self.process.wait()

    def says(self, words: str) -> bool:
        """Tell whether its log has ``words``."""
        return words in self.log.read_text(errors="replace")


@contextmanager
def worker(settings: Settings, folder: Path, receiver: Receiver, name: str = "one") -> Iterator[Worker]:
    """Run a worker of role notify until the block ends."""
    environment = {
        **os.environ,
        **settings.environment(),
        "GPU_HEALTH_RECEIVERS": str(receivers_file(folder, receiver)),
        "PAGER_SECRET": SECRET_TEXT,
    }
    log = folder / f"notify-{name}.log"
    with log.open("ab") as out:
        process = subprocess.Popen([sys.executable, "-c", _RUN], env=environment, stdout=out, stderr=out)
        try:
            yield Worker(process, log)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
