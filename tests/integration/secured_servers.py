"""The embedded servers with the security that managed ones have, and the certificates for it."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import pytest

from streams.embedded.kafka import EmbeddedKafka
from streams.embedded.ports import LOOPBACK, free_port
from streams.embedded.postgres import SUPERUSER

USERNAME: Final = "gpu-health"
PASSWORD: Final = "pass word,=%"
_SCRAM_PASSWORD: Final = "scram-word"
_LISTENERS: Final = ("SSL", "SASL_SSL", "SASL_PLAINTEXT")
# PostgreSQL documentation, 54.7 Message Formats, SSLRequest.
_SSL_REQUEST: Final = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")
_BLOCK: Final = 65536
_JAAS: Final = "org.apache.kafka.common.security"


@dataclass(frozen=True, slots=True)
class Certificates:
    """An authority, a server's and a client's certificate of it, and an authority that signed neither.

    ``server`` and ``client`` hold the key, then the certificate.
    """

    authority: Path
    other_authority: Path
    server: Path
    client: Path


def make_certificates(folder: Path) -> Certificates:
    """Make certificates of one day with the command ``openssl``; skip the test where there is none."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the command openssl, which is absent")
    for name in ("authority", "other"):
        _openssl(folder, name, "-subj", f"/CN={name}", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    signed = ("-CA", "authority.crt", "-CAkey", "authority.key")
    plain = ("-addext", "basicConstraints=critical,CA:FALSE")
    _openssl(folder, "server", "-subj", "/CN=server", "-addext", f"subjectAltName=IP:{LOOPBACK}", *plain, *signed)
    _openssl(folder, "client", "-subj", "/CN=client", *plain, *signed)
    for name in ("server", "client"):
        joined = (folder / f"{name}.key").read_text() + (folder / f"{name}.crt").read_text()
        (folder / f"{name}.pem").write_text(joined)
    return Certificates(folder / "authority.crt", folder / "other.crt", folder / "server.pem", folder / "client.pem")


def _openssl(folder: Path, name: str, *arguments: str) -> None:
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{name}.key")
    command = ["openssl", "req", "-x509", "-days", "1", *key, "-out", f"{name}.crt", *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


class SecuredKafka(EmbeddedKafka):
    """A broker with the listeners SSL (which asks for a client certificate), SASL_SSL and SASL_PLAINTEXT."""

    def __init__(self, folder: Path, certificates: Certificates, *, cache_dir: Path, maven_url: str) -> None:
        super().__init__(folder, cache_dir=cache_dir, maven_url=maven_url, heap_mib=384)
        self._certificates = certificates
        self.ports = {name: free_port() for name in _LISTENERS}

    def address(self, protocol: str) -> str:
        """Return host:port of a listener."""
        return f"{LOOPBACK}:{self.ports[protocol]}"

    def _choose_ports(self) -> None:
        super()._choose_ports()
        file = self.data_dir / "server.properties"
        properties = dict(line.split("=", 1) for line in file.read_text().splitlines())
        secured = ",".join(f"{name}://{self.address(name)}" for name in _LISTENERS)
        for name in ("listeners", "advertised.listeners"):
            properties[name] += f",{secured}"
        properties["listener.security.protocol.map"] += "," + ",".join(f"{name}:{name}" for name in _LISTENERS)
        properties |= {
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
            "listener.name.ssl.ssl.client.auth": "required",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self._certificates.server),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self._certificates.authority),
        }
        for name in ("sasl_ssl", "sasl_plaintext"):
            prefix = f"listener.name.{name}"
            properties[f"{prefix}.plain.sasl.jaas.config"] = (
                f'{_JAAS}.plain.PlainLoginModule required "user_{USERNAME}"="{PASSWORD}";'
            )
            properties[f"{prefix}.scram-sha-512.sasl.jaas.config"] = f"{_JAAS}.scram.ScramLoginModule required;"
        file.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))

    def _command(self, classpath: list[Path], *arguments: str) -> list[str]:
        if arguments[0] == "kafka.tools.StorageTool":
            credentials = f"SCRAM-SHA-512=[name={USERNAME},password={_SCRAM_PASSWORD}]"
            arguments = (*arguments, "--add-scram", credentials)
        return super()._command(classpath, *arguments)

    def password(self, mechanism: str) -> str:
        """Return the password of the user by ``mechanism``."""
        return PASSWORD if mechanism == "PLAIN" else _SCRAM_PASSWORD


class TlsFront:
    """TLS before a PostgreSQL server, as the protocol asks for it: the embedded build has none of its own.

    ``secured`` counts the connections on which the client went on after the handshake.
    """

    def __init__(self, socket: Path, certificates: Certificates) -> None:
        self.port = free_port()
        self.secured = 0
        self._socket = socket
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(certificates.server)
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, LOOPBACK, self.port)

    async def stop(self) -> None:
        """Stop listening."""
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    def dsn(self, mode: str, authority: Path) -> str:
        """Return the connection string for clients."""
        query = f"sslmode={mode}&sslrootcert={quote(str(authority), safe='')}"
        return f"postgresql://{SUPERUSER}@{LOOPBACK}:{self.port}/{SUPERUSER}?{query}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if await reader.readexactly(len(_SSL_REQUEST)) != _SSL_REQUEST:
                return
            writer.write(b"S")
            await writer.start_tls(self._context)
            first = await reader.read(_BLOCK)
            if not first:
                return
            self.secured += 1
            inner, outer = await asyncio.open_unix_connection(self._socket)
            outer.write(first)
            await asyncio.gather(_pass(reader, outer), _pass(inner, writer))
        except (OSError, asyncio.IncompleteReadError):
            return  # the client does not trust this server, or has gone
        finally:
            writer.close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while block := await reader.read(_BLOCK):
        writer.write(block)
        await writer.drain()
    writer.close()
