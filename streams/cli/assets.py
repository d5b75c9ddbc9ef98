"""``gpu-health assets``: the owner's list of GPUs."""

from __future__ import annotations

from pathlib import Path

import click

from streams.cli._files import UnusableFile
from streams.cli._printing import Format, format_option


@click.group()
def command() -> None:
    """Import and list what the owner knows of each GPU.

    \b
    Example:
      gpu-health assets import fleet.csv
      gpu-health assets list --format csv
    """


@command.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--partial", is_flag=True, help="Import the good lines although others are wrong.")
def import_(file: Path, partial: bool) -> None:
    """Import a CSV list: one line a GPU, again to change it.

    Columns (others are ignored): gpu_id or uuid, asset_tag, serial_number, model, host, pci_address, slot, rack,
    datacenter, deployed_date, purchase_date, purchase_price, warranty_expiry, known_issues, removed_at, notes.
    A gpu_id that is no UUID is kept as asset_tag; the GPU is found by UUID, else by serial, else by host and
    PCI address. Exit code 1: a line is wrong, and nothing is imported unless --partial.

    \b
    Example:
      gpu-health assets import fleet.csv --partial
    """
    from streams.cli._database import run
    from streams.cli._settings import load_connected_settings
    from streams.inputs.asset_import import import_assets

    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UnusableFile(f"{file} is not UTF-8: {error}") from error
    except OSError as error:
        raise UnusableFile(f"{file} cannot be read: {error.strerror}") from error
    report = run(import_assets(load_connected_settings(), text, partial=partial))
    for name in report.ignored:
        click.echo(f"column {name!r} is not known and was ignored", err=True)
    for wrong in report.errors:
        click.echo(f"{file}:{wrong.line}: {wrong.text}", err=True)
    how = ", ".join(f"{count} by {name}" for name, count in report.joined.items())
    click.echo(f"{report.imported} imported ({how or 'none joined'}), {len(report.unseen)} not seen reporting yet")
    click.echo(report.published)
    if report.errors:
        raise SystemExit(1)


@command.command("list")
@format_option
def list_(output_format: Format) -> None:
    """List all assets with their age.

    \b
    Example:
      gpu-health assets list --format json
    """
    from streams.cli._database import run
    from streams.cli._printing import render
    from streams.cli._settings import load_connected_settings
    from streams.db.assets import list_assets

    rows = run(list_assets(load_connected_settings()))
    wide = [
        "purchase_date",
        "purchase_price_usd",
        "warranty_expiry",
        "in_warranty",
        "removed_at",
        "notes",
        "joined_by",
    ]
    columns = ["asset_id", "gpu_id", "asset_tag", "serial", "model", "host_id", "pci_bus_id", "slot", "rack_id"]
    columns += ["datacenter", "deployed_date", "age_days", "known_issues"]
    click.echo(render(rows, columns if output_format == "table" else [*columns, *wide, "joined_by"], output_format))
