"""Loopback ports that stay the same between runs, as long as nobody else took them."""

from __future__ import annotations

import json
import random
import socket
from pathlib import Path

from schemas.errors import ShutdownError

LOOPBACK = "127.0.0.1"
_FIRST, _LAST = 20_000, 32_000
_TRIES = 1_000


def is_free(port: int) -> bool:
    """Tell whether ``port`` of the loopback address can be listened on now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As Kafka does: a port whose last connections linger in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Return a loopback port that nobody listens on now.

    It lies below the range that Linux gives to outgoing connections (ip_local_port_range, 32768 and up): a
    client that tries again and again while the server is away could otherwise be given the server's port.
    """
    for _ in range(_TRIES):
        port = random.randrange(_FIRST, _LAST)
        if is_free(port):
            return port
    raise ShutdownError(f"no free port between {_FIRST} and {_LAST}")


def kept_port(path: Path, name: str) -> int:
    """Return the port kept under ``name`` in ``path`` if it is still free, else a new free one."""
    kept = _read(path).get(name, 0)
    return kept if kept and is_free(kept) else free_port()


def keep_ports(path: Path, ports: dict[str, int]) -> None:
    """Remember ``ports`` for the next run."""
    path.write_text(json.dumps(ports))


def _read(path: Path) -> dict[str, int]:
    try:
        ports: dict[str, int] = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return ports
