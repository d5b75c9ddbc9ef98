"""receivers.toml: what is accepted, and what stops the role before it says anything."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from schemas.errors import ShutdownError
from streams.notify.receivers.address import refuse_address
from streams.notify.receivers.file import load_receivers
from streams.notify.receivers.webhook import WebhookReceiver

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
FILE = """
[[webhook]]
name = "pager"
url = "https://pager.example/hook"
secret_env = "PAGER_SECRET"
min_severity = "critical"
"""


def write(folder: Path, text: str) -> Path:
    """Return a receivers file."""
    path = folder / "receivers.toml"
    path.write_text(text)
    return path


def test_a_receiver_with_two_secrets_while_one_is_rotated(tmp_path: Path) -> None:
    (receiver,) = load_receivers(write(tmp_path, FILE), {"PAGER_SECRET": f"{SECRET} {SECRET}"})
    assert (receiver.name, receiver.address, receiver.min_severity) == (
        "pager",
        "https://pager.example/hook",
        "critical",
    )
    assert isinstance(receiver, WebhookReceiver)
    assert receiver.secrets == (bytes(range(32)), bytes(range(32)))
    assert SECRET not in repr(receiver)
    assert repr(bytes(range(32))) not in repr(receiver)


def test_without_a_file_nobody_is_told() -> None:
    assert load_receivers(None, {}) == ()


@pytest.mark.parametrize(
    ("text", "secret", "why"),
    [
        (FILE, "", "PAGER_SECRET holds no secret"),
        (FILE, "whsec_c2hvcnQ=", "24 to 64 random bytes"),
        (FILE, SECRET.removeprefix("whsec_"), "must hold whsec_"),
        (FILE, "whsec_***", "must hold whsec_"),
        (FILE + FILE, SECRET, "a name of its own"),
        (FILE.replace("https", "http"), SECRET, "use https"),
        (FILE.replace("critical", "loud"), SECRET, "loud"),
        (FILE + 'colour = "red"', SECRET, "colour"),
        (FILE + '[[pigeon]]\nname = "post"', SECRET, "pigeon"),
        ("[[webhook", SECRET, "receivers file"),
    ],
)
def test_what_is_unusable_is_named(tmp_path: Path, text: str, secret: str, why: str) -> None:
    with pytest.raises(ShutdownError, match=why) as raised:
        load_receivers(write(tmp_path, text), {"PAGER_SECRET": secret})
    assert not secret or secret not in str(raised.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ShutdownError, match=r"nothing\.toml"):
        load_receivers(tmp_path / "nothing.toml", {})


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example/x",
        "http://127.0.0.1:8080/x",
        "http://[::1]:8080/x",
        "http://localhost/x",
        "https://10.0.0.7/",
    ],
)
def test_addresses_that_may_be_used(url: str) -> None:
    assert refuse_address(url) is None


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/x",
        "http://10.0.0.7/",
        "http://localhost.example/",
        "http://127.0.0.1.example/",
        "http://0.0.0.0/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:169.254.169.254]/",
        "https://user:word@hooks.example/",
        "ftp://hooks.example/",
        "file:///etc/passwd",
        "https://",
        "https://[bad/",
        "https://hooks.example:99999/",
        "",
    ],
)
def test_addresses_that_are_refused(url: str) -> None:
    assert refuse_address(url)
