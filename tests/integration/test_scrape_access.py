"""Exporters that ask who reads them: a token, a password, a certificate; what is wrong is said, never the secret."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from collectors.access import Access
from collectors.scrape import Exporter, Scrape, scrape
from schemas.user_file import UserFileError
from streams.clock import SystemClock
from streams.doctor.exporter import check_exporter
from tests.integration.secured_servers import Certificates, make_certificates

TEXT = 'DCGM_FI_DEV_GPU_TEMP{gpu="0",UUID="GPU-1"} 65\n'
SECRET = "hunter2-secret"
Serve = Callable[..., Awaitable[str]]


@pytest_asyncio.fixture
async def serving() -> AsyncIterator[Serve]:
    """Return what serves metrics to requests with one Authorization header, over TLS where a context is given."""
    runners: list[web.AppRunner] = []

    async def serve(authorization: str | None, context: ssl.SSLContext | None = None) -> str:
        async def answer(request: web.Request) -> web.Response:
            if authorization is not None and request.headers.get("Authorization") != authorization:
                return web.Response(status=401)
            return web.Response(text=TEXT)

        app = web.Application()
        app.router.add_get("/metrics", answer)
        runner = web.AppRunner(app, shutdown_timeout=0.0)
        await runner.setup()
        runners.append(runner)
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        return f"http{'s' if context else ''}://127.0.0.1:{runner.addresses[0][1]}/metrics"

    yield serve
    for runner in runners:
        await runner.cleanup()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def holding(folder: Path, text: str) -> Path:
    path = folder / "secret"
    path.write_text(text)
    return path


async def asked(url: str, access: Access) -> Scrape:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=access.tls())) as session:
        return await scrape(session, Exporter(url, "n1"), timeout_seconds=5.0, clock=SystemClock(), access=access)


async def test_a_token_that_is_renewed_needs_no_restart(serving: Serve, tmp_path: Path) -> None:
    url = await serving(f"Bearer {SECRET}")
    access = Access(token_file=holding(tmp_path, "old\n"))
    assert "asks for a token or a password" in (await asked(url, access)).error
    holding(tmp_path, f"{SECRET}\n")
    assert (await asked(url, access)).error == ""
    (tmp_path / "secret").unlink()
    assert "cannot be read: No such file" in (await asked(url, access)).error


async def test_a_name_and_a_password_from_a_file(serving: Serve, tmp_path: Path) -> None:
    url = await serving(aiohttp.encode_basic_auth("me", SECRET))
    access = Access(username="me", password_file=holding(tmp_path, SECRET))
    assert (await asked(url, access)).error == ""
    findings = await check_exporter(url, now=SystemClock().time(), access=access)
    assert findings[0].state == "ok"
    assert SECRET not in (await asked(url, Access(username="you", password_file=tmp_path / "secret"))).error


async def test_tls_of_an_own_authority_and_a_certificate_of_ours(serving: Serve, certificates: Certificates) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(certificates.authority))
    context.load_cert_chain(certificates.server)
    context.verify_mode = ssl.CERT_REQUIRED
    url = await serving(None, context)
    whole = Access(cafile=certificates.authority, certfile=certificates.client)
    assert (await asked(url, whole)).error == ""
    assert (await asked(url, Access(cafile=certificates.authority))).error
    assert "CERTIFICATE_VERIFY_FAILED" in (await asked(url, Access(certfile=certificates.client))).error
    stranger = Access(cafile=certificates.other_authority, certfile=certificates.client)
    assert "CERTIFICATE_VERIFY_FAILED" in (await asked(url, stranger)).error


def test_what_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    secret = holding(tmp_path, f"{SECRET}\nX-Other: 1\n")
    wrong = [
        Access(token_file=secret),
        Access(token_file=tmp_path / "none"),
        Access(token_file=tmp_path),
        Access(token_file=secret, username="me"),
        Access(password_file=secret),
        Access(keyfile=secret),
        Access(cafile=secret),
        Access(certfile=tmp_path / "none.pem"),
    ]
    for access in wrong:
        with pytest.raises(UserFileError) as found:
            access.check()
        assert SECRET not in str(found.value)
    Access().check()
