"""A file that a person names on the command line and that cannot be used."""

from __future__ import annotations

import click


class UnusableFile(click.ClickException):
    """One sentence, and exit code 2: what was asked for cannot be done as it stands."""

    exit_code = 2
