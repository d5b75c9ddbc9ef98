"""How every aiokafka client reaches the broker: address and security, from the settings."""

from __future__ import annotations

import ssl
from typing import Any, Final

from streams.settings import Settings

# A transaction that a crash left open is ended by whoever takes over, at once; only where nobody does, its readers
# wait this long. It must be longer than a broker's restart: a broker that finds it timed out while it starts marks it
# ended before its partitions have leaders, writes no marker, and its readers wait for ever (docs/decisions/0014).
TRANSACTION_TIMEOUT_MS: Final = 60_000


def ssl_context(settings: Settings) -> ssl.SSLContext | None:
    """Return the TLS context that the settings ask for; None where the protocol has no TLS."""
    if settings.kafka_security_protocol not in ("SSL", "SASL_SSL"):
        return None
    context = ssl.create_default_context(cafile=settings.kafka_security_cafile)
    if settings.kafka_security_certfile is not None:
        context.load_cert_chain(settings.kafka_security_certfile, settings.kafka_security_keyfile)
    return context


def client_options(settings: Settings) -> dict[str, Any]:
    """Return the keyword arguments that every aiokafka consumer, producer and admin client is made with.

    Examples
    --------
    >>> client_options(Settings(broker="127.0.0.1:9092"))
    {'bootstrap_servers': '127.0.0.1:9092', 'security_protocol': 'PLAINTEXT'}
    """
    options: dict[str, Any] = {
        "bootstrap_servers": settings.broker,
        "security_protocol": settings.kafka_security_protocol,
    }
    context = ssl_context(settings)
    if context is not None:
        options["ssl_context"] = context
    if settings.kafka_security_protocol.startswith("SASL"):
        options["sasl_mechanism"] = settings.kafka_security_mechanism
        options["sasl_plain_username"] = settings.kafka_security_username
        options["sasl_plain_password"] = settings.kafka_security_password.get_secret_value()
    return options
