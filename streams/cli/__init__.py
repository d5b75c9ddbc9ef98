"""The one command, ``gpu-health``; each subcommand is a module here, imported when it is asked for.

A module ``db.py`` is the subcommand ``db``, ``risk_top.py`` is ``risk-top``; it has ``command``, a
:class:`click.Command`. Modules whose name begins with an underscore are no subcommands.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys

import click

from schemas.errors import ShutdownError
from schemas.user_file import UserFileError


class LazyCommands(click.Group):
    """A group whose commands are the modules of this package."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Return the names of all subcommands."""
        modules = (module.name for module in pkgutil.iter_modules(__path__))
        return sorted(name.replace("_", "-") for name in modules if not name.startswith("_"))

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Import and return the subcommand ``name``."""
        if name not in self.list_commands(context):
            return None
        command: click.Command = importlib.import_module(f"{__name__}.{name.replace('-', '_')}").command
        return command


@click.command(cls=LazyCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="gpu-health-system", prog_name="gpu-health")
def gpu_health() -> None:
    """Watch a fleet of NVIDIA GPUs: health scores, failure risk, alerts and advice from their telemetry.

    \b
    Example:
      gpu-health up          # everything on this machine, with a simulated fleet
      gpu-health status      # what runs, and where
    """


def main() -> None:
    """Run the command line; exit 0 when all is well, 1 when the work failed, 2 when it was asked wrongly."""
    try:
        gpu_health(prog_name="gpu-health")
    except UserFileError as error:
        click.echo(f"gpu-health: {error}", err=True)
        sys.exit(2)
    except ShutdownError as error:
        click.echo(f"gpu-health: {error}", err=True)
        sys.exit(1)
