"""Rows of data as a table, JSON or CSV, on standard output."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Literal

import click
import msgspec

Format = Literal["table", "json", "csv"]

format_option = click.option(
    "--format",
    "output_format",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
    help="How to print.",
)


def render(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], output_format: Format) -> str:
    """Return ``columns`` of ``rows`` in the format asked for.

    >>> print(render([{"gpu": "GPU-1", "score": 91}], ["gpu", "score"], "table"))
    gpu    score
    -----  -------
    GPU-1  91
    """
    if output_format == "json":
        chosen = [{column: row[column] for column in columns} for row in rows]
        return msgspec.json.format(msgspec.json.encode(chosen), indent=2).decode()
    cells = [[_text(row[column]) for column in columns] for row in rows]
    if output_format == "csv":
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="\n").writerows([columns, *cells])
        return buffer.getvalue().rstrip("\n")
    from tabulate import tabulate  # 40 ms that a command without a table does not pay

    return tabulate(cells, headers=columns, disable_numparse=True)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return value.isoformat() if isinstance(value, date) else str(value)
