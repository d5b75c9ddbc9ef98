"""receivers.toml: who is told, where, and with which secret; the secrets themselves come by environment."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from agents.notify.telling import Receiver
from schemas.alert import Severity
from schemas.errors import ShutdownError

_SECRET_PREFIX: Final = "whsec_"
# Standard Webhooks 1.0.0: 24 to 64 random bytes.
_SECRET_BYTES: Final = range(24, 65)


class _Webhook(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    url: str
    secret_env: str
    min_severity: Severity = "warning"


class _File(msgspec.Struct, forbid_unknown_fields=True):
    webhook: list[_Webhook] = []


@dataclass(frozen=True, slots=True)
class WebhookReceiver:
    """An endpoint; ``secrets`` are tried by it in turn, so that they can be rotated."""

    name: str
    url: str
    min_severity: Severity
    secrets: tuple[bytes, ...] = field(repr=False)

    def rule(self) -> Receiver:
        """Return what decides whether it is told."""
        return Receiver(self.name, self.min_severity)


def load_receivers(path: Path | None, environment: Mapping[str, str]) -> tuple[WebhookReceiver, ...]:
    """Return the receivers of the file; none without a file.

    Raises
    ------
    ShutdownError
        The file, an address or a secret is unusable; the text names the repair.
    """
    if path is None:
        return ()
    try:
        listed = msgspec.convert(tomllib.loads(path.read_text()), _File).webhook
    except (OSError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ShutdownError(f"receivers file {path}: {error}") from error
    names = [one.name for one in listed]
    if len(set(names)) != len(names) or not all(names):
        raise ShutdownError(f"receivers file {path}: each receiver needs a name of its own, found {names}")
    for one in listed:
        refused = refuse_address(one.url)
        if refused is not None:
            raise ShutdownError(f"receiver {one.name}: {refused}")
    return tuple(
        WebhookReceiver(one.name, one.url, one.min_severity, _secrets(one.name, one.secret_env, environment))
        for one in listed
    )


def refuse_address(url: str) -> str | None:
    """Return why nothing is sent to ``url``; None: it may be used.

    Alerts name hosts and workloads, so they travel encrypted or stay on this machine; link-local addresses
    are those of cloud metadata services.

    >>> refuse_address("http://pager.example/hook")
    'http is for loopback addresses only: use https'
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return f"no usable address: {error}"
    if parts.scheme not in ("http", "https") or not host:
        return "the address must begin with https:// and name a host"
    if parts.username is not None or parts.password is not None:
        return "credentials do not belong in the address: they would be logged"
    address = _address(host)
    if address is not None and (address.is_link_local or address.is_multicast or address.is_unspecified):
        return f"{host} is no address of a receiver"
    loopback = host == "localhost" or (address is not None and address.is_loopback)
    if parts.scheme == "http" and not loopback:
        return "http is for loopback addresses only: use https"
    return None


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _secrets(name: str, variable: str, environment: Mapping[str, str]) -> tuple[bytes, ...]:
    words: Sequence[str] = environment.get(variable, "").split()
    if not words:
        raise ShutdownError(
            f"receiver {name}: the environment variable {variable} holds no secret; make one with "
            f'echo "{_SECRET_PREFIX}$(openssl rand -base64 32)"'
        )
    return tuple(_secret(name, variable, word) for word in words)


def _secret(name: str, variable: str, word: str) -> bytes:
    try:
        secret = base64.b64decode(word.removeprefix(_SECRET_PREFIX), validate=True)
    except binascii.Error:
        secret = b""
    if not word.startswith(_SECRET_PREFIX) or len(secret) not in _SECRET_BYTES:
        raise ShutdownError(
            f"receiver {name}: {variable} must hold {_SECRET_PREFIX} and the base64 of 24 to 64 random bytes "
            "(two such words, apart by a space, while it is rotated)"
        )
    return secret
