"""docs/settings.md, made from the settings themselves: ``python -m streams.settings_doc`` writes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from streams.settings import Settings

PATH: Final = Path(__file__).resolve().parents[1] / "docs" / "settings.md"
_HEAD: Final = """\
# Settings

Each is an environment variable; none has to be set. A value that does not fit ends the command with a line that
says why. Secrets are never logged. TLS of PostgreSQL is part of its DSN:
`?sslmode=verify-full&sslrootcert=/path/ca.pem`, with `sslcert` and `sslkey` where the server asks for a certificate.

<!-- Made from streams/settings.py by `python -m streams.settings_doc`. -->

| variable | default | meaning |
|---|---|---|
"""


def document() -> str:
    """Return the text of docs/settings.md.

    >>> "| `GPU_HEALTH_PARTITIONS` | `8` |" in document()
    True
    """
    return _HEAD + "".join(_row(name, field) for name, field in Settings.model_fields.items())


def _row(name: str, field: FieldInfo) -> str:
    meaning = field.description or ""
    choices = _choices(field.annotation)
    if choices:
        meaning += f" ({', '.join(f'`{one}`' for one in choices)})"
    return f"| `GPU_HEALTH_{name.upper()}` | {_default(field.default)} | {meaning} |\n"


def _choices(annotation: Any) -> tuple[str, ...]:
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def _default(value: Any) -> str:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, Path) and value.is_relative_to(Path.home()):
        value = Path("~") / value.relative_to(Path.home())
    return "" if value in (None, "") else f"`{value}`"


if __name__ == "__main__":
    PATH.write_text(document(), encoding="utf-8")
