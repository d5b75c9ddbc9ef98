"""``gpu-health db``: the databases' schema and state."""

from __future__ import annotations

import click

from streams.cli._printing import Format, format_option


@click.group()
def command() -> None:
    """Create the databases' schema and see what they hold.

    \b
    Example:
      gpu-health db migrate
      gpu-health db status --format json
      gpu-health db grant grafana --as reader
    """


@command.command()
def migrate() -> None:
    """Bring both databases up to date; safe to run again.

    \b
    Example:
      GPU_HEALTH_METRICS_DSN=postgresql://gpu@db/metrics gpu-health db migrate
    """
    from streams.cli._database import run
    from streams.cli._settings import load_connected_settings
    from streams.db.migrate import migrate as bring_up_to_date

    report = run(bring_up_to_date(load_connected_settings()))
    for file in report.applied:
        click.echo(f"applied {file}")
    click.echo(f"{report.flavour}: {len(report.applied)} applied, {len(report.present)} were there")


@command.command()
@format_option
def status(output_format: Format) -> None:
    """Show versions, migrations, and each table's rows, size and retention.

    \b
    Example:
      gpu-health db status --format csv
    """
    from streams.cli._database import run
    from streams.cli._printing import render
    from streams.cli._settings import load_connected_settings
    from streams.db.status import database_status

    found = run(database_status(load_connected_settings()))
    if output_format == "json":
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
        return
    columns = ["part", "name", "rows", "rows_estimated", "size_bytes", "partitions", "retention_days"]
    rows = [{"part": one.part, **table} for one in found for table in one.tables]
    for one in found if output_format == "table" else ():
        timescale = f", TimescaleDB {one.timescale_version}" if one.timescale_version else ""
        missing = f", missing: {', '.join(one.migrations_missing)}" if one.migrations_missing else ""
        click.echo(
            f"{one.part}: database {one.database}, PostgreSQL {one.version}{timescale}, {one.flavour} schema, "
            f"{one.size_bytes / 1e6:.1f} MB, {one.migrations_applied} migrations{missing}"
        )
    click.echo(render(rows, columns, output_format))


@command.command()
@click.argument("role")
@click.option(
    "--as",
    "duties",
    multiple=True,
    required=True,
    type=click.Choice(["writer", "maintenance", "reader", "assets"]),
    help="What the role does; may be repeated.",
)
def grant(role: str, duties: tuple[str, ...]) -> None:
    """Give an existing database ROLE the rights that its duty needs; run it as who migrates.

    \b
    Example:
      gpu-health db grant gpu_store --as writer --as maintenance
      gpu-health db grant grafana --as reader
    """
    from streams.cli._database import run
    from streams.cli._settings import load_connected_settings
    from streams.db.rights import DUTIES
    from streams.db.rights import grant as give

    wanted = tuple(duty for duty in DUTIES if duty in duties)
    for database in run(give(load_connected_settings(), role, wanted)):
        click.echo(f"{role} is {', '.join(wanted)} in {database}")
