"""Security settings reach the clients."""

from __future__ import annotations

import ssl

from pydantic import SecretStr

from streams.kafka.clients import client_options, ssl_context
from streams.settings import Settings


def test_sasl_over_tls() -> None:
    settings = Settings(
        broker="kafka:9093",
        kafka_security_protocol="SASL_SSL",
        kafka_security_mechanism="SCRAM-SHA-256",
        kafka_security_username="me",
        kafka_security_password=SecretStr("secret"),
    )
    options = client_options(settings)
    context = options.pop("ssl_context")
    assert isinstance(context, ssl.SSLContext)
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert options == {
        "bootstrap_servers": "kafka:9093",
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": "me",
        "sasl_plain_password": "secret",
    }


def test_no_tls_without_asking() -> None:
    assert ssl_context(Settings(kafka_security_protocol="SASL_PLAINTEXT")) is None
