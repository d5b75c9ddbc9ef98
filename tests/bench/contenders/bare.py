"""Bare aiokafka: fetch and decode, nothing else. The ceiling."""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.raw import decode
from tests.bench.contenders.report import Arguments, Stopwatch, arguments


async def run(args: Arguments) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=args.broker, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    consumer.assign([TopicPartition(args.topic, partition) for partition in range(args.partitions)])
    watch = Stopwatch(args)
    while not watch.done:
        batches = await consumer.getmany(timeout_ms=500, max_records=1000)
        for records in batches.values():
            for record in records:
                decode(record.value)
            watch.count(len(records))
    await consumer.stop()
    watch.report()


if __name__ == "__main__":
    asyncio.run(run(arguments()))
