"""Bytewax running our step with its recovery store, an epoch a second: as durable as it can be.

Its snapshots are our packed records, not pickled states, which would cost ten times as much. What it emits goes
nowhere; a sink of its own would send it at least once.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.operators import StatefulBatchLogic
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.testing import run_main

from models.gpu import packing
from models.gpu.state import GpuState
from tests.bench.contenders.bytewax_flow import Discard, finish_when_done, keyed_message
from tests.bench.contenders.report import Arguments, Stopwatch, arguments
from tests.bench.step import Step, Timed


class _Logic(StatefulBatchLogic[Any, bytes, bytes]):
    """The step of one GPU."""

    def __init__(self, step: Timed, watch: Stopwatch) -> None:
        self._step = step
        self._watch = watch
        self._state: GpuState | None = None

    def on_batch(self, values: list[Any]) -> tuple[Iterable[bytes], bool]:
        said: list[bytes] = []
        for message in values:
            self._state, records = self._step(self._state, message.value, message.timestamp[1] / 1000)
            said += records
            self._watch.one()
            finish_when_done(self._watch)
        return said, StatefulBatchLogic.RETAIN

    def snapshot(self) -> bytes:
        return packing.pack_hot(self._state) if self._state is not None else b""


def run(args: Arguments) -> None:
    step = Timed(Step())
    watch = Stopwatch(args, lambda: step.seconds)
    flow = Dataflow("step")
    source = KafkaSource([args.broker], [args.topic], tail=True, batch_size=1000)
    keyed = op.map("key", op.input("raw", flow, source), keyed_message)
    records = op.stateful_batch("step", keyed, lambda _: _Logic(step, watch))
    op.output("out", records, Discard())
    folder = Path(tempfile.mkdtemp(prefix="gh-bytewax-"))
    init_db_dir(folder, 1)  # type: ignore[no-untyped-call]
    run_main(flow, epoch_interval=timedelta(seconds=1), recovery_config=RecoveryConfig(folder))  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    run(arguments())
