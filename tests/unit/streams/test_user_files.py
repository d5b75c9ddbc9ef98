"""What is wrong with a file or address that a person gives: one sentence that names it, code 2, nothing started."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agents.score.side_inputs import KINDS
from models.economics.prices import load_prices
from models.health.profile import load_profile
from streams.settings import Settings

ROOT = Path(__file__).parents[3]
PACKAGED = {
    "GPU_HEALTH_SCORE_PROFILE": ROOT / "models" / "health" / "profile.toml",
    "GPU_HEALTH_RULES": ROOT / "models" / "alerts" / "rules.toml",
    "GPU_HEALTH_PRICES": ROOT / "models" / "economics" / "prices.toml",
}
RECEIVERS = b'[[webhook]]\nname = "pager"\nurl = "https://pager.example/hook"\nsecret_env = "PAGER_SECRET"\n'
WHOLE = {name: path.read_bytes() for name, path in PACKAGED.items()} | {"GPU_HEALTH_RECEIVERS": RECEIVERS}
CERTIFICATES = tuple(f"GPU_HEALTH_KAFKA_SECURITY_{name}FILE" for name in ("CA", "CERT", "KEY"))
SCRAPE = tuple(f"GPU_HEALTH_SCRAPE_{name}_FILE" for name in ("TOKEN", "PASSWORD")) + tuple(
    f"GPU_HEALTH_SCRAPE_{name}FILE" for name in ("CA", "CERT", "KEY")
)


def missing(path: Path, whole: bytes) -> None:
    """Nothing is there."""


def directory(path: Path, whole: bytes) -> None:
    path.mkdir()


def half_written(path: Path, whole: bytes) -> None:
    path.write_bytes(whole[: whole.rindex(b"=") + 1])


def of_another_type(path: Path, whole: bytes) -> None:
    path.write_bytes(whole.replace(b"version = 1", b'version = "one"').replace(b'"pager"', b"7"))


def not_utf8(path: Path, whole: bytes) -> None:
    path.write_bytes(b"# gr\xfc\xdfe\n" + whole)


def nested(path: Path, whole: bytes) -> None:
    path.write_bytes(b"x = " + b"[" * 2_000 + b"]" * 2_000)


def empty(path: Path, whole: bytes) -> None:
    path.write_bytes(b"")


def unreadable(path: Path, whole: bytes) -> None:
    if os.geteuid() == 0:
        pytest.skip("every file is readable to root")
    path.write_bytes(whole)
    path.chmod(0)


DAMAGES = (missing, directory, half_written, of_another_type, not_utf8, nested, empty, unreadable)


def started(command: tuple[str, ...], environment: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command that would wait for a broker that is away, were its settings usable."""
    return subprocess.run(
        [sys.executable, "-m", "streams", *command],
        env={
            "PATH": os.environ["PATH"],
            "GPU_HEALTH_BROKER": "127.0.0.1:1",
            "GPU_HEALTH_DATA_DIR": str(folder / "data"),
            "PAGER_SECRET": "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
            **environment,
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def assert_told(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """One sentence, exit code 2."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    told = done.stderr.strip().splitlines()[-1]
    for word in words:
        assert word in told, told


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_file_is_told_before_anything_starts(
    name: str, damage: Callable[[Path, bytes], None], tmp_path: Path
) -> None:
    path = tmp_path / "given.toml"
    damage(path, WHOLE[name])
    if name == "GPU_HEALTH_RECEIVERS" and damage is empty:
        pytest.skip("a file without receivers is one: nobody is notified")
    assert_told(started(("worker", "--role", "notify"), {name: str(path)}, tmp_path), str(path))


@pytest.mark.parametrize("command", [("up",), ("prepare",), ("worker", "--role", "score")], ids=lambda one: one[0])
def test_every_command_that_starts_something_looks_first(command: tuple[str, ...], tmp_path: Path) -> None:
    done = started(command, {"GPU_HEALTH_RULES": str(tmp_path / "none.toml")}, tmp_path)
    assert_told(done, "none.toml cannot be read: No such file or directory")


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"GPU_HEALTH_DATA_DIR": "/dev/null/data"}, ("GPU_HEALTH_DATA_DIR", "cannot be written")),
        ({"GPU_HEALTH_DATA_DIR": str(ROOT / "Makefile")}, ("GPU_HEALTH_DATA_DIR", "cannot be written")),
        ({"GPU_HEALTH_CACHE_DIR": "/dev/null/cache"}, ("GPU_HEALTH_CACHE_DIR", "cannot be written")),
        ({"GPU_HEALTH_BROKER": "broker"}, ("GPU_HEALTH_BROKER", "'broker' is not host:port")),
        ({"GPU_HEALTH_BROKER": "a:9092,b"}, ("GPU_HEALTH_BROKER", "'b' is not host:port")),
        ({"GPU_HEALTH_METRICS_DSN": "host=db password=hidden"}, ("GPU_HEALTH_METRICS_DSN", "postgresql://")),
        ({"GPU_HEALTH_ASSETS_DSN": "mysql://db/x"}, ("GPU_HEALTH_ASSETS_DSN", "postgresql://")),
        ({"GPU_HEALTH_WEB_PORT": "many"}, ("GPU_HEALTH_WEB_PORT", "integer")),
        ({"GPU_HEALTH_WEB_PORT": "70000"}, ("GPU_HEALTH_WEB_PORT", "65535")),
        ({"GPU_HEALTH_LOG_FORMAT": "yaml"}, ("GPU_HEALTH_LOG_FORMAT", "'text' or 'json'")),
        ({"GPU_HEALTH_SESSION_TIMEOUT_SECONDS": ""}, ("GPU_HEALTH_SESSION_TIMEOUT_SECONDS", "number")),
    ],
    ids=lambda one: next(iter(one)) if isinstance(one, dict) else "",
)
def test_a_setting_that_cannot_be_is_told(
    environment: dict[str, str], words: tuple[str, ...], tmp_path: Path
) -> None:
    done = started(("up",), environment, tmp_path)
    assert_told(done, *words)
    assert "hidden" not in done.stderr


@pytest.mark.parametrize("name", CERTIFICATES)
@pytest.mark.parametrize("damage", [missing, directory, empty], ids=lambda damage: damage.__name__)
def test_a_certificate_that_cannot_be_used_is_told(
    name: str, damage: Callable[[Path, bytes], None], tmp_path: Path
) -> None:
    path = tmp_path / "given.pem"
    damage(path, b"")
    environment = {"GPU_HEALTH_KAFKA_SECURITY_PROTOCOL": "SSL", name: str(path)}
    if name.endswith("KEYFILE"):
        environment["GPU_HEALTH_KAFKA_SECURITY_CERTFILE"] = str(ROOT / "Makefile")
    assert_told(started(("up",), environment, tmp_path), "GPU_HEALTH_KAFKA_SECURITY", str(path))


@pytest.mark.parametrize("name", SCRAPE)
@pytest.mark.parametrize("damage", [missing, directory, empty, not_utf8], ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("command", [("up",), ("collect", "--once", "--url", "http://h:1/")], ids=lambda one: one[0])
def test_a_file_for_exporters_that_cannot_be_used_is_told(
    command: tuple[str, ...], name: str, damage: Callable[[Path, bytes], None], tmp_path: Path
) -> None:
    path = tmp_path / "given"
    damage(path, b"-----BEGIN\nCERTIFICATE-----\n")
    environment = {name: str(path)}
    if name.endswith("PASSWORD_FILE"):
        environment["GPU_HEALTH_SCRAPE_USERNAME"] = "me"
    if name.endswith("KEYFILE"):
        environment["GPU_HEALTH_SCRAPE_CERTFILE"] = str(ROOT / "Makefile")
    assert_told(started(command, environment, tmp_path), str(path))


@pytest.mark.parametrize("file", [kind.file for kind in KINDS if kind.file])
@pytest.mark.parametrize("damage", [directory, half_written, not_utf8, nested], ids=lambda damage: damage.__name__)
def test_a_damaged_file_of_an_offline_replay_is_told(
    file: str, damage: Callable[[Path, bytes], None], tmp_path: Path
) -> None:
    whole = b'{"a": "b=1"}' if file.endswith(".json") else PACKAGED["GPU_HEALTH_RULES"].read_bytes()
    damage(tmp_path / file, whole)
    (tmp_path / "one.json").write_text("{}")
    command = ("replay", "--offline", str(tmp_path / "one.json"), "--inputs", str(tmp_path))
    assert_told(started(command, {}, tmp_path), file)


def no_recording(path: Path) -> None:
    path.write_bytes(b"neither\nthis nor that\n" * 9)


def cut_gzip(path: Path) -> None:
    path.write_bytes(gzip.compress(b"DCGM_FI_DEV_GPU_TEMP 1\n" * 999)[:-20])


def damaged_gzip(path: Path) -> None:
    path.write_bytes(b"\x1f\x8b" + b"z" * 40)


@pytest.mark.parametrize("damage", [no_recording, cut_gzip, damaged_gzip], ids=lambda damage: damage.__name__)
def test_a_file_that_cannot_be_replayed_is_told(damage: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "recording"
    damage(path)
    assert_told(started(("replay", "--offline", str(path)), {}, tmp_path), str(path))


@pytest.mark.parametrize("damage", [missing, directory, not_utf8, unreadable], ids=lambda damage: damage.__name__)
def test_a_list_of_assets_that_cannot_be_read_is_told(damage: Callable[[Path, bytes], None], tmp_path: Path) -> None:
    path = tmp_path / "fleet.csv"
    damage(path, b"gpu_id,model\n")
    assert_told(started(("assets", "import", str(path)), {}, tmp_path), str(path))


def test_every_setting_of_a_path_is_looked_at() -> None:
    paths = {
        f"GPU_HEALTH_{name.upper()}"
        for name, field in Settings.model_fields.items()
        if field.annotation in (Path, Path | None)
    }
    looked_at = {*WHOLE, *CERTIFICATES, *SCRAPE, "GPU_HEALTH_DATA_DIR", "GPU_HEALTH_CACHE_DIR"}
    assert paths == looked_at | {"GPU_HEALTH_SPOOL_DIR"}  # the last is used by nothing yet


def test_the_packaged_files_are_whole() -> None:
    assert load_profile(PACKAGED["GPU_HEALTH_SCORE_PROFILE"]) == load_profile(None)
    assert load_prices(PACKAGED["GPU_HEALTH_PRICES"]) == load_prices()
