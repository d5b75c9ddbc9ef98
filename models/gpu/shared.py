"""Values that thousands of GPUs have alike, kept once: lasting values of one board type, labels of one job."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from sys import intern
from typing import Final, TypeVar

# A fleet whose GPUs are all different must not fill the memory with what nobody shares.
LIMIT: Final = 4096

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")

_lasting: dict[tuple[float, ...], tuple[float, ...]] = {}
labels_known: dict[tuple[tuple[str, str], ...], dict[str, str]] = {}


def shared_lasting(values: Sequence[float]) -> tuple[float, ...]:
    """Return ``values`` as a tuple that is one object for all GPUs that have the same.

    >>> shared_lasting([80.0, 0.0]) is shared_lasting([80.0, 0.0])
    True
    """
    found = tuple(values)
    return _kept(_lasting, found, lambda: found)


def shared_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Return ``labels`` as a dict that is one object for all GPUs that have the same: never change it in place.

    >>> shared_labels({"pod": "train-0"}) is shared_labels({"pod": "train-0"})
    True
    """
    return _kept(
        labels_known, tuple(labels.items()), lambda: {intern(name): intern(text) for name, text in labels.items()}
    )


def _kept(known: dict[_K, _V], key: _K, make: Callable[[], _V]) -> _V:
    found = known.get(key)
    if found is None:
        if len(known) >= LIMIT:
            known.clear()
        found = known[key] = make()
    return found


def workload_of(labels: Mapping[str, str]) -> str | None:
    """Return what runs on a GPU by its labels: namespace/pod, what of both there is, else the batch job.

    >>> workload_of({"namespace": "train", "pod": "llm-0"}), workload_of({"hpc_job": "4711"}), workload_of({})
    ('train/llm-0', '4711', None)
    """
    namespace, pod = labels.get("namespace"), labels.get("pod")
    if namespace and pod:
        return f"{namespace}/{pod}"
    return pod or namespace or labels.get("hpc_job") or None
