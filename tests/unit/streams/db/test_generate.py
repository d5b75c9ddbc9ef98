"""The committed migrations agree with the schemas that they are generated from."""

from __future__ import annotations

import pytest

from streams.db.files import SQL_DIR
from streams.db.generate import generated_files
from streams.db.migrate import migrations


@pytest.mark.parametrize("path", sorted(generated_files()))
def test_generated_migrations_are_as_committed(path: str) -> None:
    written = (SQL_DIR / path).read_text(encoding="utf-8")
    assert written == generated_files()[path], "run `python -m streams.db.generate` (or add a migration)"


def test_no_placeholder_is_left() -> None:
    for text in generated_files().values():
        assert "{" not in text.replace("'{}'", "")


def test_numbers_are_unique_within_a_flavour() -> None:
    for part in ("metrics", "assets"):
        for flavour in ("plain", "timescale"):
            found = migrations("metrics" if part == "metrics" else "assets")
            numbers = [m.file[:3] for m in found if m.flavour in (None, flavour)]
            assert len(numbers) == len(set(numbers))


def test_the_copy_of_the_assets_is_the_assets() -> None:
    original = (SQL_DIR / "assets" / "001_gpu_assets.sql").read_text(encoding="utf-8")
    copy = (SQL_DIR / "metrics" / "007_gpu_assets.sql").read_text(encoding="utf-8")
    assert copy.partition("\n")[2] == original
