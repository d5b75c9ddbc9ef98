"""One supervisor a data folder: two would run two servers on the same files."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType

from schemas.errors import ShutdownError


class DataDirLock:
    """An exclusive lock on ``data_dir/lock`` for the life of this process; use it by ``with``.

    The kernel drops it with the process, however that ends: no lock of a dead process is ever left, and the
    pid in the file is only there to be shown.
    """

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / "lock"
        self._descriptor = -1

    def __enter__(self) -> DataDirLock:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(descriptor, 32).decode(errors="replace").strip()
            os.close(descriptor)
            raise ShutdownError(
                f"{self.path.parent} is in use by process {pid or 'unknown'}: stop it, or set "
                f"GPU_HEALTH_DATA_DIR to another folder"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)
