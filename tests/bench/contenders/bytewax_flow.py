"""Bytewax running our step: its Kafka source, keyed state, no recovery store."""

from __future__ import annotations

import os
from typing import Any

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import run_main

from models.gpu.state import GpuState
from tests.bench.contenders.report import Arguments, Stopwatch, arguments
from tests.bench.step import Step, Timed, stopwatch_seconds


class _Nowhere(StatelessSinkPartition[Any]):
    def write_batch(self, items: list[Any]) -> None:
        pass


class Discard(DynamicSink[Any]):
    def build(self, step_id: str, worker_index: int, worker_count: int) -> _Nowhere:
        return _Nowhere()


def keyed_message(message: Any) -> tuple[str, Any]:
    return message.key.decode(), message


def finish_when_done(watch: Stopwatch) -> None:
    """Bytewax waits for messages for ever; report and end the process after the last."""
    if watch.done:
        watch.report(*stopwatch_seconds())
        os._exit(0)


def run(args: Arguments) -> None:
    step = Timed(Step())
    watch = Stopwatch(args, lambda: step.seconds)

    def take(state: GpuState | None, message: Any) -> tuple[GpuState, list[bytes]]:
        taken = step(state, message.value, message.timestamp[1] / 1000)
        watch.one()
        finish_when_done(watch)
        return taken

    flow = Dataflow("step")
    source = KafkaSource([args.broker], [args.topic], tail=True, batch_size=1000)
    stream = op.input("raw", flow, source)
    keyed = op.map("key", stream, keyed_message)
    records = op.stateful_flat_map("step", keyed, take)
    op.output("out", records, Discard())
    run_main(flow)  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    run(arguments())
