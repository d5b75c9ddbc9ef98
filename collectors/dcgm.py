"""A scrape of dcgm-exporter becomes one raw message a GPU."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from collectors.exposition import Exposition, Row, parse_exposition
from collectors.mig import Instance, merge_instances
from schemas.pci import normalise_pci
from schemas.times import format_time

__all__ = ["Exposition", "messages", "parse_exposition", "row_kind", "row_kinds"]

Kind = Literal["gpu", "link", "nvswitch", "cpu", "no_labels", "no_uuid"]

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
    "namespace": ("namespace", "exported_namespace", "pod_namespace"),
    "pod": ("pod", "exported_pod", "pod_name"),
    "container": ("container", "exported_container", "container_name"),
}
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
    workload: tuple[str, str, str] | None = None


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
    return Counter(row_kind(row) for row in exposition.rows)


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
    for row in exposition.rows:
        kind = row_kind(row)
        if kind in ("gpu", "link"):
            uuid = _uuid(row.labels) or ""
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


def _uuid(labels: Mapping[str, str]) -> str | None:
    for name in _UUID_LABELS:
        uuid = labels.get(name, "").strip()
        if uuid.startswith("MIG-GPU-"):  # MIG-GPU-<uuid>/<instance>/<compute instance>, driver 450
            uuid = uuid[len("MIG-") :].partition("/")[0]
        if uuid and uuid.isprintable():
            return uuid
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
    namespace, pod, container = (_first(labels, spellings) for spellings in _WORKLOAD.values())
    if pod and (gpu.workload is None or (namespace, pod, container) < gpu.workload):
        # Pods that share a GPU come in any order: the smallest name keeps the label still.
        gpu.workload = (namespace, pod, container)
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
    else:
        gpu.whole.setdefault(row.name, row.value)


def _metrics(gpu: _Gpu) -> dict[str, float | str]:
    whole = dict(gpu.whole)
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
    if gpu.workload is not None:
        labels.update({name: text for name, text in zip(_WORKLOAD, gpu.workload, strict=True) if text})
    return labels


def _first(labels: Mapping[str, str], spellings: tuple[str, ...]) -> str:
    for spelling in spellings:
        text = labels.get(spelling)
        if text:
            return text
    return ""
