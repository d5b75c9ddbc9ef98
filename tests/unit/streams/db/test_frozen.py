"""Released migrations never change."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Literal

import pytest

from streams.db.files import SQL_DIR
from streams.db.migrate import MigrationError, migrations, refuse_old_timescale
from tests.unit.streams.db.frozen import frozen

LISTED = {path: digest for release in frozen().values() for path, digest in release.items()}


@pytest.mark.parametrize("path", sorted(LISTED))
def test_a_released_migration_is_as_released(path: str) -> None:
    found = sha256((SQL_DIR / path).read_bytes()).hexdigest()
    assert found == LISTED[path], f"restore sql/{path}: a change is a new migration (`python -m streams.db.generate`)"


@pytest.mark.parametrize("part", ["metrics", "assets"])
def test_only_numbers_above_the_released_ones_are_unlisted(part: Literal["metrics", "assets"]) -> None:
    numbers = {path.partition("/")[2][:3] for path in LISTED if path.startswith(f"{part}/")}
    for migration in migrations(part):
        assert f"{part}/{migration.file}" in LISTED or migration.file[:3] > max(numbers), migration.file


def test_every_release_of_the_changelog_has_its_heading() -> None:
    changelog = (SQL_DIR.parent / "CHANGELOG.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^## (\d+\.\d+\.\d+)", changelog, re.MULTILINE)) <= set(frozen())


@pytest.mark.parametrize("part", ["metrics", "assets"])
@pytest.mark.parametrize("flavour", ["plain", "timescale"])
def test_numbers_are_unique_within_a_flavour(part: Literal["metrics", "assets"], flavour: str) -> None:
    numbers = [m.file[:3] for m in migrations(part) if m.flavour in (None, flavour)]
    assert len(numbers) == len(set(numbers))


def test_the_first_copy_of_the_assets_is_the_assets() -> None:
    original = (SQL_DIR / "assets" / "001_gpu_assets.sql").read_text(encoding="utf-8")
    copy = (SQL_DIR / "metrics" / "007_gpu_assets.sql").read_text(encoding="utf-8")
    assert copy.partition("\n")[2] == original


@pytest.mark.parametrize("version", ["2.17.2", "2.18.0", "1.7.5", "dev"])
def test_a_timescaledb_that_loses_rows_is_refused(version: str) -> None:
    with pytest.raises(MigrationError, match=r"2\.18\.1 or later"):
        refuse_old_timescale(version)


@pytest.mark.parametrize("version", ["2.18.1", "2.29.2", "2.30", "3.0.0-dev"])
def test_a_timescaledb_that_keeps_rows_is_taken(version: str) -> None:
    refuse_old_timescale(version)
