"""The configuration of the embedded broker: one KRaft node that only this machine can reach."""

from __future__ import annotations

from pathlib import Path

from streams.embedded.ports import LOOPBACK

LOG4J = """\
Configuration:
  Appenders:
    Console:
      name: stdout
      PatternLayout: {pattern: "%d{ISO8601} %p %m (%c)%n"}
  Loggers:
    Root: {level: INFO, AppenderRef: {ref: stdout}}
    Logger:
      - {name: org.apache.kafka.common.config.AbstractConfig, level: WARN}
      - {name: kafka.log.LogCleaner, level: WARN}
"""


def server_properties(log_dir: Path, broker_port: int, controller_port: int) -> str:
    """Return server.properties.

    The rebalance delay of 3 s waits for consumers that do not exist on one machine. The clean-up interval
    of timed-out transactions bounds how long the open transaction of a killed worker hides committed
    records of others from read_committed readers; Kafka's default is 10 s. A broker that was killed is let in
    again only when the session of its former self has ended: 9 s by default.
    """
    properties = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{LOOPBACK}:{controller_port}",
        "listeners": f"PLAINTEXT://{LOOPBACK}:{broker_port},CONTROLLER://{LOOPBACK}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{broker_port}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "log.dirs": log_dir,
        "broker.session.timeout.ms": 5000,
        "broker.heartbeat.interval.ms": 1000,
        "auto.create.topics.enable": "false",
        "group.initial.rebalance.delay.ms": 0,
        "group.min.session.timeout.ms": 1000,
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1000,
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 8,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 8,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
    }
    return "".join(f"{key}={value}\n" for key, value in properties.items())
