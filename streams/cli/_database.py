"""How commands talk to the databases: the settings in force, and errors as one line."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import asyncpg
import click

from schemas.errors import ShutdownError

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work``; a database that is away or refuses ends the command with one line and code 1."""
    try:
        return asyncio.run(work)
    except (ShutdownError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        raise click.ClickException(str(error) or type(error).__name__) from error
