"""What sql/frozen.sha256 lists."""

from __future__ import annotations

from streams.db.files import SQL_DIR


def frozen() -> dict[str, dict[str, str]]:
    """Return the digest of each file by its path below sql/, for each release."""
    releases: dict[str, dict[str, str]] = {}
    release: dict[str, str] = {}
    for line in (SQL_DIR / "frozen.sha256").read_text(encoding="utf-8").splitlines():
        if line.startswith("# ") and line[2:3].isdigit():
            release = releases.setdefault(line[2:], {})
        elif line and not line.startswith("#"):
            digest, path = line.split()
            release[path] = digest
    return releases
