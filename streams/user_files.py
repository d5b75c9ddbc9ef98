"""Every file and address that a person gives in the settings, looked at before anything starts."""

from __future__ import annotations

import re
import ssl
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from schemas.errors import ShutdownError
from schemas.user_file import UserFileError
from streams.settings import Settings

_BROKER: Final = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^\s:,/]+):[0-9]{1,5}")
_SCHEMES: Final = ("postgresql", "postgres")


def check_user_files(settings: Settings, environment: Mapping[str, str]) -> None:
    """Make sure that every file can be used, and every address can be one.

    Raises
    ------
    UserFileError
        The first that cannot; the text is a sentence that names it.
    """
    for problem in problems(settings, environment):
        raise UserFileError(problem)


def problems(settings: Settings, environment: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for each file and address that cannot be used."""
    # The kinds import every model: only who looks at files pays for that.
    from streams.inputs.files import load_files
    from streams.notify.receivers.file import load_receivers

    checks: tuple[Callable[[], object], ...] = (
        lambda: load_files(settings),
        lambda: load_receivers(settings.receivers, environment),
        lambda: _check_broker(settings.broker),
        lambda: _check_dsn("GPU_HEALTH_METRICS_DSN", settings.metrics_dsn),
        lambda: _check_dsn("GPU_HEALTH_ASSETS_DSN", settings.assets_dsn),
        lambda: _check_certificates(settings),
        lambda: _check_scrape(settings),
        lambda: _check_writable("GPU_HEALTH_DATA_DIR", settings.data_dir),
        lambda: _check_writable("GPU_HEALTH_CACHE_DIR", settings.cache_dir),
    )
    for check in checks:
        try:
            check()
        except (UserFileError, ShutdownError) as error:
            yield str(error)


def _check_broker(broker: str) -> None:
    for one in broker.split(",") if broker else ():
        if not _BROKER.fullmatch(one.strip()):
            raise UserFileError(f"GPU_HEALTH_BROKER: {one.strip()!r} is not host:port")


def _check_dsn(name: str, dsn: SecretStr) -> None:
    """The DSN may hold a password: it is not shown."""
    text = dsn.get_secret_value()
    if text and urlsplit(text).scheme not in _SCHEMES:
        raise UserFileError(f"{name} is not an address postgresql://user@host:port/database")


def _check_certificates(settings: Settings) -> None:
    if settings.kafka_security_protocol not in ("SSL", "SASL_SSL"):
        return
    named = {
        name: path
        for name in ("cafile", "certfile", "keyfile")
        if (path := getattr(settings, f"kafka_security_{name}")) is not None
    }
    for name, path in named.items():
        if not path.is_file():
            raise UserFileError(f"GPU_HEALTH_KAFKA_SECURITY_{name.upper()}: {path} is no file")
    context = ssl.create_default_context()
    try:
        if "cafile" in named:
            context.load_verify_locations(named["cafile"])
        if "certfile" in named:
            context.load_cert_chain(named["certfile"], named.get("keyfile"))
    except (ssl.SSLError, OSError) as error:
        names = ", ".join(map(str, named.values()))
        raise UserFileError(f"GPU_HEALTH_KAFKA_SECURITY_*: {names} cannot be used: {error}") from None


def _check_scrape(settings: Settings) -> None:
    from streams.feeding.collecting import scrape_access

    try:
        scrape_access(settings).check()
    except UserFileError as error:
        raise UserFileError(f"GPU_HEALTH_SCRAPE_*: {error}") from None


def _check_writable(name: str, folder: Path) -> None:
    """Make a file for a moment in the folder, or in the nearest one above it that is there."""
    there = next((one for one in (folder, *folder.parents) if one.exists()), folder)
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise UserFileError(f"{name}: {folder} cannot be written: {error.strerror or error}") from None
