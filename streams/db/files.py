"""Where the SQL text is, and the named queries in it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

import aiosql

SQL_DIR: Final = Path(__file__).resolve().parents[2] / "sql"


@cache
def queries(name: str) -> Any:
    """Return the named queries of sql/queries/``name``.sql, each a coroutine of a connection and its parameters.

    ``query.sql`` is the text; in the file of writes ``{table}`` and ``{columns}`` are filled in by the caller,
    from names that the code knows: an identifier cannot be a parameter.
    """
    return aiosql.from_path(SQL_DIR / "queries" / f"{name}.sql", "asyncpg")
