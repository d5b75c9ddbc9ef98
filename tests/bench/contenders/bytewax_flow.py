"""Bytewax running our step: its Kafka source, keyed state, no recovery store."""

from __future__ import annotations

import os
from typing import Any

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import run_main

from models.state import GpuState
from tests.bench.contenders.report import Arguments, Stopwatch, arguments
from tests.bench.step import Step

COUNTED = 1000  # at a time: the clock itself must not cost; divides the number of messages


class _Nowhere(StatelessSinkPartition[Any]):
    def write_batch(self, items: list[Any]) -> None:
        pass


class Discard(DynamicSink[Any]):
    def build(self, step_id: str, worker_index: int, worker_count: int) -> _Nowhere:
        return _Nowhere()


def keyed_message(message: Any) -> tuple[str, Any]:
    return message.key.decode(), message


def run(args: Arguments) -> None:
    step = Step()
    watch = Stopwatch(args)
    waiting = COUNTED

    def take(state: GpuState | None, message: Any) -> tuple[GpuState, list[bytes]]:
        nonlocal waiting
        taken, records = step(state, message.value, message.timestamp[1] / 1000)
        waiting -= 1
        if waiting <= 0:
            watch.count(COUNTED)
            waiting = COUNTED
            if watch.done:
                watch.report()
                os._exit(0)
        return taken, records

    flow = Dataflow("step")
    source = KafkaSource([args.broker], [args.topic], tail=True, batch_size=1000)
    stream = op.input("raw", flow, source)
    keyed = op.map("key", stream, keyed_message)
    records = op.stateful_flat_map("step", keyed, take)
    op.output("out", records, Discard())
    run_main(flow)  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    run(arguments())
