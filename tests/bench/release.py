"""An earlier release's step, run beside today's: its files as git has them, in a folder of their own."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Final

NAME: Final = "0.1.0"
# The tag where there is one, else the last commit of that version.
_REFERENCES: Final = ("v0.1.0", "0e0e03e30b7b059515f7b075bb50ca2c8846cb23")
_ROOT: Final = Path(__file__).parents[2]
_DRIVER: Final = Path("tests/bench/contenders/bare_step.py")


def unpack(folder: Path) -> Path | None:
    """Put the release's files, with today's driver of the step, into ``folder``; None where git has them not."""
    for reference in _REFERENCES:
        try:
            done = subprocess.run(
                ["git", "archive", "--format=tar", reference], cwd=_ROOT, capture_output=True, check=False
            )
        except FileNotFoundError:  # no git
            return None
        if done.returncode == 0:
            with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
                archive.extractall(folder, filter="data")
            shutil.copy(_ROOT / _DRIVER, folder / _DRIVER)
            return folder
    return None
