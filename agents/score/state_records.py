"""The records of one GPU on the state topic: their keys, and the state that they hold together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from models.gpu import packing
from models.gpu.state import GpuState
from schemas.errors import ShutdownError
from schemas.raw import HOST_PREFIX

HOT: Final = b"h"
EVIDENCE: Final = b"e"
WINDOW: Final = b"w"
_SEPARATOR: Final = b"\x00"


def key_of(gpu_id: str, kind: bytes) -> bytes:
    """Return the key of a GPU's record of ``kind``.

    >>> key_of("GPU-1", HOT)
    b'GPU-1\\x00h'
    """
    return gpu_id.encode() + _SEPARATOR + kind


def split_key(key: bytes) -> tuple[str, bytes]:
    """Return gpu_id and kind; undoes :func:`key_of`."""
    gpu_id, _, kind = key.rpartition(_SEPARATOR)
    return gpu_id.decode(), kind


def new_state(gpu_id: str, host_id: str) -> GpuState:
    """Return the state of a GPU, or of a host, of which nothing is known."""
    return GpuState(gpu_id, host_id, is_host=gpu_id.startswith(HOST_PREFIX))


def unpack(gpu_id: str, records: Mapping[bytes, bytes]) -> GpuState:
    """Return the state that ``records`` (values by kind) hold.

    Raises
    ------
    ShutdownError
        A record was written by a newer version.
    """
    state = new_state(gpu_id, "")
    try:
        if HOT in records:
            packing.unpack_hot(state, records[HOT])
        if WINDOW in records:
            packing.unpack_window(state, records[WINDOW])
        if EVIDENCE in records:
            packing.unpack_evidence(state, records[EVIDENCE])
    except packing.StateVersionError as error:
        raise ShutdownError(f"state of {gpu_id}: {error}; start the version that wrote it") from error
    packing.finish(state)
    return state
