"""A scrape of dcgm-exporter becomes one raw message a GPU."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from collectors.exposition import Exposition, Row, parse_exposition
from collectors.mig import Instance, merge_instances
from schemas.pci import normalise_pci
from schemas.sample import is_blank
from schemas.times import format_time

__all__ = ["Exposition", "messages", "parse_exposition", "row_kind", "row_kinds"]

Kind = Literal["gpu", "link", "nvswitch", "cpu", "no_labels", "no_uuid", "instance_without_gpu"]

_UUID_LABELS: Final = ("UUID", "uuid", "gpu_uuid")
# label of the message: the spellings that exporters and Prometheus give it, best first
_ATTRIBUTES: Final[Mapping[str, tuple[str, ...]]] = {
    "gpu": ("gpu",),
    "model": ("modelName", "model_name"),
    "driver_version": ("DCGM_FI_DRIVER_VERSION", "DCGM_FI_SYSTEM_DRIVER_VERSION"),
    "serial": ("DCGM_FI_DEV_SERIAL", "DCGM_FI_DEV_BOARD_SERIAL"),
    "vbios": ("DCGM_FI_DEV_VBIOS_VERSION",),
    "exporter_hostname": ("Hostname", "hostname"),
    "hpc_job": ("hpc_job",),
}
_WORKLOAD: Final[Mapping[str, tuple[str, ...]]] = {
    "namespace": ("namespace", "pod_namespace"),
    "pod": ("pod", "pod_name"),
    "container": ("container", "container_name"),
}
# Where Prometheus relabelled, the plain labels are the exporter's own pod.
_RELABELLED: Final = ("exported_namespace", "exported_pod", "exported_container")
_NAMED_PODS: Final = 3
_FORMAL: Final = re.compile(r"(MIG-)?GPU-[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
_SLICE: Final = "MIG-"
# Sliding counts come as one row a code; the GPU's value is their sum.
_COUNTED_BY: Final[Mapping[str, str]] = {
    "DCGM_EXP_XID_ERRORS_COUNT": "xid",
    "DCGM_EXP_CLOCK_EVENTS_COUNT": "clock_event",
}


@dataclass(slots=True)
class _Gpu:
    whole: dict[str, float | str] = field(default_factory=dict)
    counts: dict[tuple[str, str], dict[str, float]] = field(default_factory=dict)
    instances: dict[str, Instance] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    shares: dict[str, list[float | str]] = field(default_factory=dict)
    workloads: set[tuple[str, str, str]] = field(default_factory=set)


def row_kind(row: Row) -> Kind:
    """Return what a row speaks of; only ``gpu`` and ``link`` rows belong to a GPU.

    >>> row_kind(Row("DCGM_FI_DEV_NVSWITCH_TEMPERATURE_CURRENT", {"nvswitch": "nvswitch0"}, 40.0))
    'nvswitch'
    """
    labels = row.labels
    if not labels:
        return "no_labels"
    if "nvswitch" in labels:
        return "nvswitch"
    if _uuid(labels) is None:
        return "cpu" if "cpu" in labels or "cpucore" in labels else "no_uuid"
    link = labels.get("nvlink", "")
    return "link" if link.isascii() and link.isdecimal() and len(link) < 4 else "gpu"


def row_kinds(exposition: Exposition) -> Counter[str]:
    """Count the rows of each kind: what is neither ``gpu`` nor ``link`` makes no sample."""
    owners = _owners(exposition)
    found: Counter[str] = Counter()
    for row in exposition.rows:
        kind = row_kind(row)
        lost = kind in ("gpu", "link") and _owner(row.labels, owners) is None
        found["instance_without_gpu" if lost else kind] += 1
    return found


def messages(
    exposition: Exposition,
    *,
    host_id: str,
    time: float,
    interval_seconds: float | None,
    source: str,
) -> list[dict[str, Any]]:
    """Return one raw message a GPU, in the order in which the scrape names them.

    Names and values stay as the exporter spelled them; units and blanks are decided where the message is
    read. Rows of MIG instances become the GPU's; rows of one NVLink become ``NAME_L<link>``.

    Parameters
    ----------
    time
        Epoch seconds at which the scrape began.

    >>> scrape = parse_exposition('DCGM_FI_DEV_GPU_TEMP{gpu="0",UUID="GPU-1"} 65')
    >>> messages(scrape, host_id="h", time=1770638400.0, interval_seconds=10.0, source="dcgm")[0]["metrics"]
    {'DCGM_FI_DEV_GPU_TEMP': 65.0}
    """
    gpus: dict[str, _Gpu] = {}
    owners = _owners(exposition)
    for row in exposition.rows:
        kind = row_kind(row)
        uuid = _owner(row.labels, owners) if kind in ("gpu", "link") else None
        if uuid is not None:
            _take(gpus.setdefault(uuid, _Gpu()), row, kind)
    timestamp = format_time(time)
    return [
        {
            "timestamp": timestamp,
            "gpu_id": uuid,
            "host_id": host_id,
            "metrics": _metrics(gpu),
            "labels": _labels(gpu),
            "interval_seconds": interval_seconds,
            "source": source,
            "schema_version": 1,
        }
        for uuid, gpu in gpus.items()
    ]


def _owners(exposition: Exposition) -> dict[str, str]:
    """Return the GPU of each index and device name of the scrape."""
    owners: dict[str, str] = {}
    for row in exposition.rows:
        uuid = _uuid(row.labels)
        if uuid is not None and not uuid.startswith(_SLICE):
            for name in ("gpu", "device"):
                if row.labels.get(name):
                    owners.setdefault(f"{name}={row.labels[name]}", uuid)
    return owners


def _owner(labels: Mapping[str, str], owners: Mapping[str, str]) -> str | None:
    """Return the GPU that a row is of; None for a MIG instance, which has a UUID of its own, without its GPU."""
    uuid = _uuid(labels)
    if uuid is None or not uuid.startswith(_SLICE):
        return uuid
    places = (f"{name}={labels[name]}" for name in ("gpu", "device") if labels.get(name))
    return next((owners[place] for place in places if place in owners), None)


def _uuid(labels: Mapping[str, str]) -> str | None:
    for name in _UUID_LABELS:
        uuid = labels.get(name, "").strip()
        if uuid.startswith("MIG-GPU-"):  # MIG-GPU-<uuid>/<instance>/<compute instance>, driver 450
            uuid = uuid[len("MIG-") :].partition("/")[0]
        if uuid and uuid.isprintable():
            return uuid[:4] + uuid[4:].lower() if _FORMAL.match(uuid) else uuid
    return None


def _take(gpu: _Gpu, row: Row, kind: Kind) -> None:
    labels = row.labels
    for target, spellings in _ATTRIBUTES.items():
        if target not in gpu.labels:
            text = _first(labels, spellings)
            if text:
                gpu.labels[target] = text
    if "pci_bus_id" not in gpu.labels:
        address = normalise_pci(labels.get("pci_bus_id", ""))
        if address:
            gpu.labels["pci_bus_id"] = address
    namespace, pod, container = _workload(labels)
    if pod:
        gpu.workloads.add((namespace, pod, container))
    instance_id = labels.get("GPU_I_ID", "")
    counted_by = _COUNTED_BY.get(row.name)
    if counted_by is not None and isinstance(row.value, float):
        counts = gpu.counts.setdefault((row.name, instance_id), {})
        code = labels.get(counted_by, "")
        counts[code] = max(row.value, counts.get(code, 0.0))
    elif kind == "link":
        gpu.whole.setdefault(f"{row.name.removesuffix('_TOTAL')}_L{int(labels['nvlink'])}", row.value)
    elif instance_id:
        instance = gpu.instances.setdefault(instance_id, Instance(labels.get("GPU_I_PROFILE", ""), {}))
        instance.values.setdefault(row.name, row.value)
    elif pod or labels.get("vgpu"):
        gpu.shares.setdefault(row.name, []).append(row.value)
    else:
        gpu.whole.setdefault(row.name, row.value)


def _workload(labels: Mapping[str, str]) -> tuple[str, str, str]:
    """Return namespace, pod and container that use the GPU."""
    if any(name in labels for name in _RELABELLED):
        namespace, pod, container = (labels.get(name, "") for name in _RELABELLED)
    else:
        namespace, pod, container = (_first(labels, spellings) for spellings in _WORKLOAD.values())
    return namespace, pod, container


def _metrics(gpu: _Gpu) -> dict[str, float | str]:
    whole = dict(gpu.whole)
    for name, values in gpu.shares.items():
        # Of a GPU that pods share each row has its value, or the part of one pod: the row without a pod wins.
        numbers = [value for value in values if isinstance(value, float) and not is_blank(value)]
        whole.setdefault(name, max(numbers) if numbers else values[0])
    for (name, instance_id), counts in gpu.counts.items():
        if not instance_id:
            whole[name] = sum(counts.values())
    for (name, instance_id), counts in gpu.counts.items():
        if instance_id and (name, "") not in gpu.counts:
            known = whole.get(name)
            whole[name] = max(sum(counts.values()), known if isinstance(known, float) else 0.0)
    for name, value in merge_instances(gpu.instances.values()).items():
        whole.setdefault(name, value)
    # One order of names lets the reader reuse its plan: the exporter's own order changes between scrapes.
    return dict(sorted(whole.items()))


def _labels(gpu: _Gpu) -> dict[str, str]:
    labels = dict(gpu.labels)
    if gpu.workloads:
        namespaces, pods, containers = (sorted(set(names)) for names in zip(*gpu.workloads, strict=True))
        labels["pod"] = ", ".join(pods) if len(pods) <= _NAMED_PODS else f"{pods[0]} and {len(pods) - 1} others"
        for name, texts in (("namespace", namespaces), ("container", containers)):
            if len(texts) == 1 and texts[0]:  # several: not of all pods
                labels[name] = texts[0]
    return labels


def _first(labels: Mapping[str, str], spellings: tuple[str, ...]) -> str:
    for spelling in spellings:
        text = labels.get(spelling)
        if text:
            return text
    return ""
