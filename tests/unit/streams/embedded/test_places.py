"""Ports, folders, locks and leftovers of the embedded servers."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from schemas.errors import ShutdownError
from streams.embedded import ports
from streams.embedded.data_dir_lock import DataDirLock
from streams.embedded.kafka import new_cluster_id
from streams.embedded.leftover import end_leftover, process_of
from streams.embedded.postgres_place import Machine, Place, choose_place
from streams.embedded.run_file import without_password

_WAIT = [sys.executable, "-c", "import sys; sys.stdin.read()"]


def test_a_port_is_kept_while_it_is_free(tmp_path: Path) -> None:
    kept = tmp_path / "ports.json"
    port = ports.kept_port(kept, "broker")
    ports.keep_ports(kept, {"broker": port})
    assert ports.kept_port(kept, "broker") == port
    with socket.socket() as taken:
        taken.bind((ports.LOOPBACK, port))
        taken.listen()
        assert not ports.is_free(port)
        assert ports.kept_port(kept, "broker") != port


def test_free_ports_lie_below_those_of_outgoing_connections() -> None:
    assert all(ports.free_port() < 32_768 for _ in range(20))


def test_a_damaged_port_file_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "ports.json").write_text("{")
    assert ports.kept_port(tmp_path / "ports.json", "broker") > 0


def test_one_supervisor_a_folder(tmp_path: Path) -> None:
    with DataDirLock(tmp_path), pytest.raises(ShutdownError, match=f"in use by process {os.getpid()}"):
        DataDirLock(tmp_path).__enter__()
    with DataDirLock(tmp_path):
        pass


def test_a_lock_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    code = (
        "import os, sys, pathlib\n"
        "from streams.embedded.data_dir_lock import DataDirLock\n"
        "DataDirLock(pathlib.Path(sys.argv[1])).__enter__()\n"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert (tmp_path / "lock").read_text()
    with DataDirLock(tmp_path):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_a_leftover_on_our_folder_is_ended(tmp_path: Path) -> None:
    with subprocess.Popen([*_WAIT, str(tmp_path)], stdin=subprocess.PIPE) as process:
        (tmp_path / "pid").write_text(f"{process.pid}\n")
        end_leftover(tmp_path / "pid", tmp_path)
        assert process.wait(10) != 0


def test_a_process_that_was_given_the_same_pid_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen([*_WAIT, "elsewhere"], stdin=subprocess.PIPE) as process:
        assert process_of(process.pid, tmp_path) is None
        (tmp_path / "pid").write_text(f"{process.pid}\n")
        end_leftover(tmp_path / "pid", tmp_path)
        assert process.poll() is None
        assert not (tmp_path / "pid").exists(), "PostgreSQL would take that process for itself"
        process.kill()


def test_no_leftover_is_no_problem(tmp_path: Path) -> None:
    end_leftover(tmp_path / "pid", tmp_path)
    (tmp_path / "pid").write_text("")
    end_leftover(tmp_path / "pid", tmp_path)


@pytest.fixture
def plain_user(tmp_path: Path) -> Machine:
    """Return a machine as one who is not root sees it, who owns the folders in ``tmp_path``."""
    uid = os.geteuid() or 65_534
    for folder in (tmp_path / "postgres", tmp_path / "run"):
        folder.mkdir()
        os.chown(folder, uid, -1)
    return replace(Machine.here(), uid=uid)


def test_a_user_who_is_not_root_keeps_everything_in_the_data_folder(tmp_path: Path, plain_user: Machine) -> None:
    place = choose_place(tmp_path, plain_user)
    assert place == Place(plain_user.binaries, tmp_path.resolve() / "postgres", tmp_path.resolve() / "run", None)


def test_a_folder_of_another_user_is_refused(tmp_path: Path, plain_user: Machine) -> None:
    with pytest.raises(ShutdownError, match="postgres belongs to another user"):
        choose_place(tmp_path, replace(plain_user, uid=plain_user.uid + 1))


def test_root_of_a_machine_without_accounts_is_told(tmp_path: Path) -> None:
    machine = replace(Machine.here(), uid=0, accounts=("no-such-account",))
    with pytest.raises(ShutdownError, match=r"accounts no-such-account.*GPU_HEALTH_METRICS_DSN"):
        choose_place(tmp_path, machine)


@pytest.mark.parametrize(
    ("dsn", "shown"),
    [
        ("postgresql://me:secret@host:5432/db", "postgresql://me:***@host:5432/db"),
        ("postgresql:///db?host=/run&password=secret&user=me", "postgresql:///db?host=/run&password=***&user=me"),
        ("host=db password='se cret' user=me", "host=db password=*** user=me"),
        ("postgresql://postgres@/gpu_health?host=%2Frun", "postgresql://postgres@/gpu_health?host=%2Frun"),
    ],
)
def test_passwords_are_not_shown(dsn: str, shown: str) -> None:
    assert without_password(dsn) == shown


def test_no_cluster_id_looks_like_an_option() -> None:
    made = iter([UUID(bytes=b"\xf8" * 16), UUID(bytes=b"\xfb" + b"\x00" * 15), UUID(bytes=b"\x01" * 16)])
    assert new_cluster_id(lambda: next(made)) == "AQEBAQEBAQEBAQEBAQEBAQ"
    assert next(made, None) is None
