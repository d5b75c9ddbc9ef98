"""``gpu-health replay``: recorded files through the system, or through its logic alone."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from streams.cli._files import UnusableFile
from streams.cli._settings import load_connected_settings

if TYPE_CHECKING:
    from collectors.damage import Damage
    from collectors.kernel.messages import Known

# A gzip that is cut short ends in EOFError, one that is damaged in the other two.
_UNREADABLE: Final = (OSError, EOFError, zlib.error)


@click.command("replay")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--offline", is_flag=True, help="Print what would be said, as JSON lines, without any server.")
@click.option("--at", help="Time of scrapes and of log lines without a clock (RFC 3339); default: the file's own.")
@click.option("--host", help="Host of scrapes, logs and traces; default: the exporter's, else the file's name.")
@click.option(
    "--inputs",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Directory with profile.toml, rules.toml, prices.toml, risk_model.json (offline).",
)
@click.option("--statuses", is_flag=True, help="Print gpu-status records too (offline).")
def command(
    files: tuple[Path, ...], offline: bool, at: str | None, host: str | None, inputs: Path | None, statuses: bool
) -> None:
    """Replay exporter text, JSON lines, kernel logs or 10 Hz CSV traces, in the order given.

    Without --offline the messages go to the broker as a collector's would. With it every record is printed as
    {"topic", "key", "value"}, and no server is needed.

    \b
    Example:
      gpu-health replay --offline scrape.txt --at 2026-02-09T12:00:00Z
      gpu-health replay dmesg.log --host node-7
    """
    from collectors.damage import Damage
    from collectors.recordings import named_gpus
    from schemas.times import parse_time

    try:
        moment = parse_time(at) if at else None
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--at") from error
    damage = Damage()
    try:
        known = named_gpus(files, host_id=host)
    except _UNREADABLE as error:
        raise _unusable(files, error) from error
    try:
        if offline:
            _print_offline(_read(files, host, moment, damage, known), inputs, statuses)
        else:
            _send(files, lambda path: _read([path], host, moment, damage, known))
    finally:
        for reason, count in damage.counts.items():
            click.echo(f"not read: {reason}: {count}", err=True)
        for example in damage.examples:
            click.echo(f"  {example}", err=True)


def _read(files: Sequence[Path], host: str | None, at: float | None, damage: Damage, known: Known) -> Iterator[bytes]:
    from collectors.recordings import UnknownRecording, read_recording

    for path in files:
        try:
            yield from read_recording(path, host_id=host, at=at, damage=damage, known=known)
        except UnknownRecording as error:
            raise UnusableFile(str(error)) from error
        except _UNREADABLE as error:
            raise _unusable([path], error) from error


def _unusable(files: Sequence[Path], error: Exception) -> UnusableFile:
    named = " or ".join(map(str, files))
    return UnusableFile(f"{named} cannot be read: {getattr(error, 'strerror', None) or error}")


def _print_offline(messages: Iterator[bytes], inputs: Path | None, statuses: bool) -> None:
    from schemas.user_file import UserFileError
    from streams.offline.inputs import FileInputs
    from streams.offline.replay import OfflineReplay, line

    try:
        replay = OfflineReplay(FileInputs(inputs) if inputs else None, statuses=statuses)
    except UserFileError as error:
        raise click.BadParameter(str(error), param_hint="--inputs") from error
    out = sys.stdout.buffer
    for output in replay.run(messages):
        out.write(line(output))
    out.flush()


def _send(files: tuple[Path, ...], read: Callable[[Path], Iterator[bytes]]) -> None:
    import asyncio

    from collectors.recordings import Recordings
    from schemas.errors import InvalidMessage
    from schemas.raw import decode
    from streams.feeding.feed import feed
    from streams.feeding.producer import RawProducer
    from streams.stop_signals import stop_event

    def key(value: bytes) -> bytes | None:
        try:
            return decode(value).gpu_id.encode()
        except InvalidMessage:
            return None  # it becomes a dead letter, as it would from any producer

    async def send() -> int:
        producer = RawProducer(load_connected_settings())
        recordings = Recordings(files, key=key, read=read)
        code = await feed([recordings], producer, command="replay", stop=stop_event(), flush_seconds=60.0)
        click.echo(f"{producer.sent} messages sent", err=True)
        return code

    raise SystemExit(asyncio.run(send()))
