"""A child process gets the settings of its parent by its environment."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from streams.settings import Settings


def test_settings_survive_the_way_through_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = Settings(
        broker="127.0.0.1:9092",
        partitions=3,
        topic_prefix="t-",
        metrics_dsn=SecretStr("postgresql://me:secret@host/db"),
        data_dir=tmp_path,
        web_port=0,
        receivers=tmp_path / "receivers.toml",
    )
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    assert Settings() == settings


def test_defaults_need_no_variable() -> None:
    assert Settings().environment() == {}
