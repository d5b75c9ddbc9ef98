"""The embedded PostgreSQL keeps its data, has no network address, and runs for root without opening its home."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import asyncpg
import psutil
import pytest
import pytest_asyncio

from streams.embedded.postgres import EmbeddedPostgres
from streams.embedded.postgres_place import Machine, choose_place
from streams.embedded.process import ChildCrashed


@pytest_asyncio.fixture(loop_scope="session")
async def server(server_folder: Path) -> AsyncIterator[EmbeddedPostgres]:
    one = EmbeddedPostgres(server_folder, durable=False)
    await one.start()
    yield one
    await one.stop()


async def _fetch(dsn: str, sql: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        value: object = await connection.fetchval(sql)
        return value
    finally:
        await connection.close()


async def test_another_start_has_the_same_data_and_address(server: EmbeddedPostgres, server_folder: Path) -> None:
    dsn = await server.ensure_database("kept")
    await _fetch(dsn, "CREATE TABLE one AS SELECT 41 + 1 AS answer")
    await server.stop()
    again = EmbeddedPostgres(server_folder, durable=False)
    await again.start()
    try:
        assert await again.ensure_database("kept") == dsn
        assert await _fetch(dsn, "SELECT answer FROM one") == 42
    finally:
        await again.stop()


async def test_a_killed_server_is_reported_with_its_log_and_starts_again(server: EmbeddedPostgres) -> None:
    assert server.process is not None
    server.process.kill()
    async with asyncio.timeout(10.0):
        while (reason := server.crash()) is None:  # noqa: ASYNC110 - another process ends: there is no event
            await asyncio.sleep(0.02)
    assert "was killed by SIGKILL" in reason
    assert "database system is ready" in reason, "the tail of the log belongs to the report"
    async with asyncio.timeout(30.0):
        while True:
            # Backends of the killed server take a moment to notice; the supervisor tries again as this does.
            try:
                await server.start()
                break
            except ChildCrashed:
                await asyncio.sleep(0.2)
    assert await _fetch(server.dsn(), "SELECT 1") == 1


async def test_no_network_address_and_a_socket_for_the_owner_alone(server: EmbeddedPostgres) -> None:
    assert server.process is not None
    assert psutil.Process(server.process.pid).net_connections("inet") == []
    socket = server.place.sockets / ".s.PGSQL.5432"
    assert stat.S_IMODE(socket.stat().st_mode) == 0o700


async def test_a_long_data_folder_gets_a_short_socket_path(server_folder: Path) -> None:
    deep = server_folder / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    one = EmbeddedPostgres(deep, durable=False)
    try:
        await one.start()
        assert await _fetch(one.dsn(), "SELECT 1") == 1
    finally:
        await one.stop()
        shutil.rmtree(one.place.sockets, ignore_errors=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has folders that the server's account cannot reach")
async def test_root_keeps_its_folder_closed(server_folder: Path) -> None:
    closed = server_folder / "home"
    closed.mkdir(mode=0o700)
    one = EmbeddedPostgres(closed / ".gpu-health", durable=False)
    try:
        await one.start()
        assert await _fetch(one.dsn(), "SELECT 1") == 1
        assert one.process is not None
        assert psutil.Process(one.process.pid).uids().effective != 0
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    finally:
        await one.stop()
        shutil.rmtree(one.place.data.parent, ignore_errors=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has folders that the server's account cannot reach")
async def test_root_may_keep_the_project_in_its_own_home(server_folder: Path) -> None:
    package = Machine.here().binaries.parents[1]
    home = server_folder / "home"
    home.mkdir(mode=0o700)
    for folder in (package, package.with_name(f"{package.name}.libs")):
        if folder.exists():
            shutil.copytree(folder, home / folder.name)
    binaries = home / package.name / "pginstall" / "bin"
    machine = replace(Machine.here(), binaries=binaries, root_home=server_folder / "var")
    one = EmbeddedPostgres(home / ".gpu-health", durable=False, machine=machine)
    assert one.place.binaries.is_relative_to(server_folder / "var")
    try:
        await one.start()
        assert await _fetch(one.dsn(), "SELECT 1") == 1
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        # The next start finds the copy whole.
        assert choose_place(home / ".gpu-health", machine) == one.place
    finally:
        await one.stop()
