"""Settings for a command: the environment, and where it is silent the stack that runs on this machine."""

from __future__ import annotations

import os

import click
from pydantic import ValidationError

from streams.embedded.run_file import connected
from streams.settings import Settings


def load_settings() -> Settings:
    """Return the settings of the environment.

    Raises
    ------
    click.UsageError
        A variable has a value that cannot be used; its value is not shown, it may be a secret.
    """
    try:
        return Settings()
    except ValidationError as error:
        wrong = (
            f"GPU_HEALTH_{'_'.join(str(part) for part in problem['loc']).upper()}: {problem['msg']}"
            for problem in error.errors(include_input=False, include_url=False)
        )
        raise click.UsageError("settings cannot be used:\n  " + "\n  ".join(wrong)) from None


def load_checked_settings() -> Settings:
    """Return the settings of the environment, whose every file was looked at.

    Raises
    ------
    click.UsageError
        See :func:`load_settings`.
    UserFileError
        A file that they name cannot be used.
    """
    from streams.user_files import check_user_files

    settings = load_settings()
    check_user_files(settings, os.environ)
    return settings


def load_connected_settings() -> Settings:
    """Return the settings, with unset servers filled in from the ``gpu-health up`` that runs here, if any."""
    return connected(load_settings())
