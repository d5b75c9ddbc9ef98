"""Nothing runs from a jar that is not the pinned one."""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path

import pytest

from schemas.errors import ShutdownError
from streams.embedded.jars import PATIENT, Jar, JarMismatch, install_jars, pinned_jars

_PATHS = ("org/one/1/one-1.jar", "org/two/2/two-2.jar")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    for path in _PATHS:
        (root / path).parent.mkdir(parents=True)
        (root / path).write_bytes(path.encode())
    return root


@pytest.fixture
def jars() -> tuple[Jar, ...]:
    return pinned_jars("".join(f"{hashlib.sha256(path.encode()).hexdigest()}  {path}\n" for path in _PATHS))


def test_jars_are_downloaded_once(repository: Path, jars: tuple[Jar, ...], tmp_path: Path) -> None:
    said: list[str] = []
    folder = tmp_path / "jars"
    paths = install_jars(jars, folder, maven_url=repository.as_uri(), progress=said.append)
    assert [path.read_bytes().decode() for path in paths] == list(_PATHS)
    assert len(said) == 1
    assert install_jars(jars, folder, maven_url="file:///nowhere", progress=said.append) == paths
    assert len(said) == 1


def test_a_download_with_another_checksum_is_refused_and_not_kept(
    repository: Path, jars: tuple[Jar, ...], tmp_path: Path
) -> None:
    (repository / _PATHS[1]).write_bytes(b"something else")
    folder = tmp_path / "jars"
    with pytest.raises(JarMismatch, match=r"two-2\.jar"):
        install_jars(jars, folder, maven_url=repository.as_uri())
    assert not (folder / "two-2.jar").exists()


def test_a_file_that_changed_after_it_was_verified_is_refused(
    repository: Path, jars: tuple[Jar, ...], tmp_path: Path
) -> None:
    folder = tmp_path / "jars"
    install_jars(jars, folder, maven_url=repository.as_uri())
    (folder / "one-1.jar").write_bytes(b"changed on disk, later")
    with pytest.raises(JarMismatch, match=r"one-1\.jar"):
        install_jars(jars, folder, maven_url=repository.as_uri())


def test_a_new_pin_is_checked_although_the_file_did_not_change(
    repository: Path, jars: tuple[Jar, ...], tmp_path: Path
) -> None:
    folder = tmp_path / "jars"
    install_jars(jars, folder, maven_url=repository.as_uri())
    with pytest.raises(JarMismatch):
        install_jars([Jar(_PATHS[0], "0" * 64)], folder, maven_url=repository.as_uri())


def test_an_unreachable_repository_names_the_way_out(jars: tuple[Jar, ...], tmp_path: Path) -> None:
    pauses: list[float] = []
    retrying = PATIENT.copy(sleep=pauses.append)
    with pytest.raises(ShutdownError, match=r"cannot download file:///nowhere/org/one.*GPU_HEALTH_MAVEN_URL"):
        install_jars(jars[:1], tmp_path / "jars", maven_url="file:///nowhere", retrying=retrying)
    assert pauses == [1.0, 2.0, 4.0, 8.0]


def test_a_repository_that_fails_once_is_asked_again(repository: Path, jars: tuple[Jar, ...], tmp_path: Path) -> None:
    late = repository / _PATHS[0]
    body = late.read_bytes()
    late.unlink()
    retrying = PATIENT.copy(sleep=lambda seconds: late.write_bytes(body))
    (path,) = install_jars(jars[:1], tmp_path / "jars", maven_url=repository.as_uri(), retrying=retrying)
    assert path.read_bytes() == body


def test_the_pinned_list_is_whole() -> None:
    text = (resources.files("streams.embedded") / "kafka-4.3.1.sha256.txt").read_text()
    pinned = pinned_jars(text)
    assert len(pinned) == 46
    assert len({jar.file_name for jar in pinned}) == len(pinned)
    assert all(len(jar.sha256) == 64 for jar in pinned)
    assert "org/apache/kafka/kafka_2.13/4.3.1/kafka_2.13-4.3.1.jar" in {jar.path for jar in pinned}
