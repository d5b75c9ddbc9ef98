"""Who is answered, and what every answer carries."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from schemas.errors import ShutdownError
from streams.settings import Settings
from streams.web.auth import COOKIE, is_loopback, require_token
from tests.unit.streams.web.fleet import Tables, client_of, status

TOKEN = "correct horse battery staple"


def tables() -> Tables:
    found = Tables()
    found.put(status("GPU-a"))
    return found


def test_other_machines_need_a_token() -> None:
    with pytest.raises(ShutdownError, match="GPU_HEALTH_WEB_TOKEN"):
        require_token(Settings(web_host="0.0.0.0"))
    require_token(Settings(web_host="0.0.0.0", web_token=SecretStr(TOKEN)))
    require_token(Settings(web_host="127.0.0.1"))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "gpu.example", "", "127.0.0.1.example"])
def test_what_is_no_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer "},
        {"Authorization": TOKEN},
        {"Authorization": f"Basic {TOKEN}"},
        {"Cookie": f"{COOKIE}={TOKEN.replace(' ', '-')}"},
        {"Cookie": f"{COOKIE}="},
    ],
)
@pytest.mark.parametrize("path", ["/", "/gpus/", "/metrics", "/page.js", "/nothing"])
async def test_without_the_token_nothing_is_told(headers: dict[str, str], path: str) -> None:
    async with client_of(tables(), token=TOKEN) as client:
        response = await client.get(path, headers=headers, allow_redirects=False)
        assert (response.status, response.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert (await response.json())["error"]["status"] == 401


async def test_the_header_opens() -> None:
    async with client_of(tables(), token=TOKEN) as client:
        response = await client.get("/gpus/", headers={"Authorization": f"bearer {TOKEN}"})
        assert response.status == 200


async def test_probes_and_the_form_need_none() -> None:
    async with client_of(tables(), token=TOKEN) as client:
        for path in ("/healthz", "/readyz", "/login/", "/page.css"):
            assert (await client.get(path)).status == 200
        assert (await client.get("/favicon.ico")).status == 204


async def test_a_browser_is_sent_to_the_form_and_gets_a_cookie_that_is_not_the_token() -> None:
    async with client_of(tables(), token=TOKEN) as client:
        sent = await client.get("/", headers={"Accept": "text/html"}, allow_redirects=False)
        assert (sent.status, sent.headers["Location"]) == (303, "/login/")
        refused = await client.post("/login/", data={"token": "wrong"}, allow_redirects=False)
        assert (refused.status, refused.headers.get("Set-Cookie")) == (401, None)
        given = await client.post("/login/", data={"token": TOKEN}, allow_redirects=False)
        cookie = given.headers["Set-Cookie"]
        assert given.status == 303
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert TOKEN not in cookie
        value = cookie.partition("=")[2].partition(";")[0]
        assert (await client.get("/gpus/", headers={"Cookie": f"{COOKIE}={value}"})).status == 200


async def test_another_token_makes_another_cookie() -> None:
    async with client_of(tables(), token=TOKEN) as client:
        given = await client.post("/login/", data={"token": TOKEN}, allow_redirects=False)
        value = given.headers["Set-Cookie"].partition("=")[2].partition(";")[0]
    async with client_of(tables(), token="rotated") as client:
        assert (await client.get("/gpus/", headers={"Cookie": f"{COOKIE}={value}"})).status == 401


async def test_without_a_token_only_this_machines_names_are_answered() -> None:
    async with client_of(tables()) as client:
        assert (await client.get("/gpus/", headers={"Host": "localhost:6066"})).status == 200
        assert (await client.get("/gpus/", headers={"Host": "rebound.example"})).status == 403
    async with client_of(tables(), web_url="https://gpu.example/") as client:
        assert (await client.get("/gpus/", headers={"Host": "gpu.example"})).status == 200
    async with client_of(tables(), token=TOKEN) as client:
        headers = {"Host": "rebound.example", "Authorization": f"Bearer {TOKEN}"}
        assert (await client.get("/gpus/", headers=headers)).status == 200


@pytest.mark.parametrize("path", ["/", "/page.js", "/gpus/", "/nothing", "/login/", "/metrics"])
async def test_every_answer_has_the_security_headers(path: str) -> None:
    async with client_of(tables()) as client:
        headers = (await client.get(path)).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
