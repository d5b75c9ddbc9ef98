"""The one typed settings object; every setting is an environment variable with the prefix GPU_HEALTH_."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Settings of every process of the system (docs/settings.md is made from them).

    Empty ``broker``, ``metrics_dsn`` and ``assets_dsn`` mean the embedded servers that ``gpu-health up``
    starts under ``data_dir``.
    """

    model_config = SettingsConfigDict(env_prefix="GPU_HEALTH_", extra="ignore", frozen=True)

    fleet: str = Field(default="fleet", description="Name of the fleet, in alert keys and labels")

    broker: str = Field(default="", description="Kafka bootstrap servers host:port,…; empty: embedded")
    broker_port: int = Field(default=0, ge=0, le=65535, description="Port of the embedded broker; 0: a free one")
    partitions: int = Field(default=8, ge=1, le=1000, description="Partitions of gpu-metrics-raw; fixed at creation")
    replication: int = Field(default=1, ge=1, le=9, description="Replication factor of created topics")
    topic_prefix: str = Field(default="", description="Put before every topic and group name (tests, shared brokers)")
    raw_retention_hours: int = Field(default=168, ge=1, description="Retention of gpu-metrics-raw")
    session_timeout_seconds: float = Field(default=6.0, ge=1.0, description="Consumer session time-out of all roles")

    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="How every client reaches the broker"
    )
    kafka_security_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="SCRAM-SHA-512", description="With SASL: how the password is proved"
    )
    kafka_security_username: str = Field(default="", description="With SASL")
    kafka_security_password: SecretStr = Field(default=SecretStr(""), description="With SASL")
    kafka_security_cafile: Path | None = Field(
        default=None, description="With TLS: authorities (PEM) that the broker is checked against; the system's"
    )
    kafka_security_certfile: Path | None = Field(
        default=None, description="With TLS: our certificate (PEM), where the broker asks for one"
    )
    kafka_security_keyfile: Path | None = Field(
        default=None, description="Its key (PEM), where it is not in the certificate's file"
    )

    metrics_dsn: SecretStr = Field(default=SecretStr(""), description="TimescaleDB or PostgreSQL; empty: embedded")
    assets_dsn: SecretStr = Field(default=SecretStr(""), description="PostgreSQL; empty: the metrics server")
    raw_retention_days: int = Field(default=30, ge=1, description="Raw rows (TimescaleDB)")
    plain_raw_retention_days: int = Field(default=7, ge=1, description="Raw rows on plain PostgreSQL")
    minute_retention_days: int = Field(default=365, ge=1, description="Rows of the 1-minute aggregate")
    event_retention_days: int = Field(default=730, ge=1, description="Rows of scores, alerts and other events")

    data_dir: Path = Field(default=Path.home() / ".gpu-health", description="Embedded servers' data, run files")
    cache_dir: Path = Field(
        default=Path.home() / ".cache" / "gpu-health",
        description="Downloads of the embedded broker, shared by data_dirs",
    )
    maven_url: str = Field(
        default="https://repo.maven.apache.org/maven2", description="Maven repository that has Kafka's jars"
    )
    broker_heap_mib: int = Field(default=512, ge=128, description="Heap of the embedded broker")

    web_host: str = Field(default="127.0.0.1", description="Address of role view's web server")
    web_port: int = Field(default=6066, ge=0, le=65535, description="Port of role view's web server; 0: a free one")
    web_token: SecretStr = Field(
        default=SecretStr(""), description="Bearer token; must be set where the address is not loopback"
    )
    web_url: str = Field(default="", description="Address that people use, for links in pages; empty: host:port")

    metrics_host: str = Field(
        default="127.0.0.1", description="Address of /metrics of roles without a page; in a container 0.0.0.0"
    )
    metrics_port: int = Field(
        default=0, ge=0, le=65535, description="Port of /metrics of roles without a page; 0: none"
    )
    restarts: int = Field(default=0, ge=0, description="How often this role was started again; set by `up`")

    score_profile: Path | None = Field(default=None, description="profile.toml; default: the packaged one")
    rules: Path | None = Field(default=None, description="rules.toml; default: the packaged one")
    prices: Path | None = Field(default=None, description="prices.toml; default: the packaged one")
    receivers: Path | None = Field(default=None, description="receivers.toml of role notify; none: nothing is sent")
    heartbeat_url: str = Field(default="", description="Kept for the heartbeat of role notify; not used yet")
    max_unknown_gpus: int = Field(default=200_000, ge=1, description="gpu_ids accepted; beyond it dead letters")

    dead_letters_per_minute: int = Field(
        default=600, ge=1, description="Dead letters of the whole raw topic; beyond it refused messages are counted"
    )

    checkpoint_interval_seconds: float = Field(default=1.0, gt=0, description="Longest time between checkpoints")
    status_records_per_second: float = Field(
        default=300.0,
        gt=0,
        description="Fleet-wide thinning of gpu-status; a GPU that reports has one a minute all the same",
    )
    log_format: Literal["text", "json"] = Field(default="text", description="Form of the log lines")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="Least level logged")

    dcgm_urls: str = Field(default="", description="Exporter URLs for `collect`, comma separated")
    scrape_token_file: Path | None = Field(
        default=None, description="Exporters ask for a bearer token: the file that holds it, read at each scrape"
    )
    scrape_username: str = Field(default="", description="Exporters ask for basic authentication")
    scrape_password_file: Path | None = Field(default=None, description="Its password's file, read at each scrape")
    scrape_cafile: Path | None = Field(
        default=None, description="Authorities (PEM) that exporters by https are checked against; the system's"
    )
    scrape_certfile: Path | None = Field(
        default=None, description="Our certificate (PEM), where an exporter asks for one"
    )
    scrape_keyfile: Path | None = Field(
        default=None, description="Its key (PEM), where it is not in the certificate's file"
    )
    interval_seconds: float = Field(default=10.0, gt=0, description="Time between two scrapes of `collect`")
    spool_dir: Path | None = Field(default=None, description="Kept for the collector's disk spool; not used yet")
    spool_max_bytes: int = Field(default=1 << 30, ge=0, description="Kept for the disk spool; not used yet")
    cache_url: str = Field(default="", description="Kept for a redis:// cache of the collector; not used yet")

    def topic(self, name: str) -> str:
        """Return the broker's name of topic ``name``."""
        return f"{self.topic_prefix}{name}"

    def group(self, role: str) -> str:
        """Return the consumer group of ``role``."""
        return f"{self.topic_prefix}gpu-health-{role}"

    def environment(self) -> dict[str, str]:
        """Return the environment variables that give another process the same settings, secrets included."""
        variables: dict[str, str] = {}
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if value is None or value == field.default:
                continue
            text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            variables[f"GPU_HEALTH_{name.upper()}"] = text
        return variables
