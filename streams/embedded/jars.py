"""The pinned jars of the embedded broker: download, verification, and a fast way to know they are whole."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from schemas.errors import ShutdownError

# A name server or a repository that fails once is common when many files are asked for at a time.
PATIENT = Retrying(
    retry=retry_if_exception_type((OSError, http.client.HTTPException)),
    stop=stop_after_attempt(5),
    wait=wait_exponential(multiplier=1.0),
)
_CONNECTIONS = 4
_STAMP = "verified.json"


class JarMismatch(ShutdownError):
    """A jar is not the one that the pinned list names: nothing may run from it."""


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of the pinned list: the path in a Maven repository and what the file's SHA-256 must be."""

    path: str
    sha256: str

    @property
    def file_name(self) -> str:
        """Return the name under which the jar is kept."""
        return self.path.rsplit("/", 1)[1]


def pinned_jars(text: str) -> tuple[Jar, ...]:
    """Read a list in the form of ``sha256sum``: digest, two spaces, path."""
    rows = (line.split() for line in text.splitlines() if line.strip())
    return tuple(Jar(path, digest) for digest, path in rows)


def install_jars(
    jars: Sequence[Jar],
    folder: Path,
    *,
    maven_url: str,
    progress: Callable[[str], None] = lambda line: None,
    abandoned: Callable[[], bool] = lambda: False,
    retrying: Retrying = PATIENT,
) -> list[Path]:
    """Return the jars' paths in ``folder``, each one verified against the pinned list.

    A file that lacks or differs from the stamp of an earlier verification (size and modification time) is
    hashed again; a missing one is downloaded, hashed, and only then given its name. A proxy is taken from the
    environment (``https_proxy``), as everywhere in Python.

    Parameters
    ----------
    maven_url
        Repository or mirror, ``file:`` too.
    progress
        Told what is downloaded.
    abandoned
        Asked before each file whether to stop.
    retrying
        How often, and after which pauses, a file is asked for again.

    Raises
    ------
    JarMismatch
        A file, downloaded or found, has another SHA-256.
    ShutdownError
        The repository cannot be reached.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stamp = _read_stamp(folder)
    missing = [jar for jar in jars if not (folder / jar.file_name).exists()]
    if missing:
        progress(f"downloading {len(missing)} jars (45 MB in all) from {maven_url}")
        with ThreadPoolExecutor(_CONNECTIONS) as pool:
            list(pool.map(lambda jar: abandoned() or _download(jar, folder, maven_url, retrying), missing))
    if abandoned():
        raise ShutdownError("the download was abandoned")
    for jar in jars:
        path = folder / jar.file_name
        if stamp.get(jar.file_name) != _seal(path, jar):
            _require(jar, path, hashlib.sha256(path.read_bytes()).hexdigest())
    seals = {jar.file_name: _seal(folder / jar.file_name, jar) for jar in jars}
    if seals != stamp:
        _replace(folder / _STAMP, json.dumps(seals, indent=1).encode())
    return [folder / jar.file_name for jar in jars]


def _seal(path: Path, jar: Jar) -> list[str | int]:
    status = path.stat()
    return [jar.sha256, status.st_size, status.st_mtime_ns]


def _read_stamp(folder: Path) -> dict[str, list[str | int]]:
    try:
        stamp: dict[str, list[str | int]] = json.loads((folder / _STAMP).read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return stamp


def _require(jar: Jar, path: Path | str, digest: str) -> None:
    if digest != jar.sha256:
        raise JarMismatch(
            f"wrong checksum: {path} has SHA-256 {digest}, the pinned list says {jar.sha256}; nothing was "
            f"started. Delete the file and start again; if it comes back, do not trust the repository."
        )


def _download(jar: Jar, folder: Path, maven_url: str, retrying: Retrying) -> bool:
    url = f"{maven_url.rstrip('/')}/{jar.path}"
    try:
        body = retrying(_fetch, url)
    except RetryError as error:
        raise ShutdownError(
            f"cannot download {url}: {error.last_attempt.exception()}. Set GPU_HEALTH_MAVEN_URL to a mirror, or "
            f"GPU_HEALTH_BROKER to a Kafka that runs elsewhere."
        ) from error
    _require(jar, url, hashlib.sha256(body).hexdigest())
    _replace(folder / jar.file_name, body)
    return True


def _fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=60) as response:
        body: bytes = response.read()
        return body


def _replace(path: Path, body: bytes) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_bytes(body)
    part.replace(path)
