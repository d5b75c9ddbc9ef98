"""Which addresses notifications may be sent to."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


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
