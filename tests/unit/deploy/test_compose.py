"""docker-compose.yml is checked without an engine: variables, mounts, commands, limits, secrets."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from streams.cli import gpu_health
from streams.db.migrate import refuse_old_timescale
from streams.embedded.kafka_properties import server_properties
from streams.roles.run import ROLES
from streams.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
# Those that the embedded broker starts with, and the one that a broker with two listeners needs besides.
BROKER_PROPERTIES = {line.partition("=")[0] for line in server_properties(ROOT, 1, 2).splitlines()} | {
    "inter.broker.listener.name"
}
# Settings that some code reads.
READ = set(re.findall(r"settings\.(\w+)", "".join(path.read_text("utf-8") for path in ROOT.glob("streams/**/*.py"))))
OURS = [name for name, service in SERVICES.items() if service.get("image", "").startswith("gpu-health-system")]


def test_every_role_runs_and_every_server_is_used_by_one() -> None:
    assert set(ROLES) <= set(OURS)
    named = " ".join(str(value) for name in ROLES for value in SERVICES[name]["environment"].values())
    used = {name for name in SERVICES if re.search(rf"(?:^|[@ ]){name}:\d", named)}
    assert used == {"kafka", "timescaledb", "assets-db"}
    assert set(SERVICES) == used | set(OURS)


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_pinned_and_limited(name: str) -> None:
    service = SERVICES[name]
    tag = service["image"].partition(":")[2]
    assert re.match(r"^\d+\.\d+", tag), f"{name} is not pinned: {service['image']}"
    assert service["mem_limit"]
    if name not in {"prepare", "score", "store", "notify", "simulator"}:
        assert service["healthcheck"]["test"]
        assert service["restart"] == "unless-stopped"


def test_kafka_logs_into_its_volume() -> None:
    (mount,) = SERVICES["kafka"]["volumes"]
    assert SERVICES["kafka"]["environment"]["KAFKA_LOG_DIRS"] == mount.partition(":")[2]


def test_timescaledb_is_one_that_keeps_rows_beside_a_duplicate() -> None:
    tag = SERVICES["timescaledb"]["image"].partition(":")[2]
    refuse_old_timescale(tag.partition("-")[0])


def test_no_password_works_unasked() -> None:
    for variable in re.findall(r"\$\{(\w*(?:PASSWORD|TOKEN)\w*)([^}]*)\}", TEXT):
        assert variable[1].startswith(":?"), f"{variable[0]} has a default"
    example = (ROOT / "deploy" / "compose.env.example").read_text(encoding="utf-8")
    asked = set(re.findall(r"\$\{(\w+):\?", TEXT))
    assert asked == set(re.findall(r"^(\w+)=$", example, re.MULTILINE))


def test_only_kafka_can_leave_loopback() -> None:
    for name, service in SERVICES.items():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:") or name == "kafka", f"{name} publishes {port}"
    assert SERVICES["kafka"]["ports"] == ["${KAFKA_BIND:-127.0.0.1}:29092:29092"]
    advertised = SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert advertised.startswith("INTERNAL://kafka:9092,EXTERNAL://${KAFKA_EXTERNAL_HOST:?")


@pytest.mark.parametrize("role", [role for role in ROLES if role != "view"])
def test_metrics_of_a_container_can_be_reached_from_its_network(role: str) -> None:
    environment = SERVICES[role]["environment"]
    assert environment["GPU_HEALTH_METRICS_HOST"] == "0.0.0.0"
    assert environment["GPU_HEALTH_METRICS_PORT"] > 0


def test_named_volumes_exist_and_are_used() -> None:
    used = {mount.split(":")[0] for service in SERVICES.values() for mount in service.get("volumes", [])}
    assert used == set(COMPOSE["volumes"])


@pytest.mark.parametrize("name", OURS)
def test_our_commands_exist(name: str) -> None:
    command = SERVICES[name]["command"]
    context = click.Context(gpu_health)
    found = gpu_health.get_command(context, command[0])
    assert found is not None, f"{name} runs an unknown command {command[0]}"
    options = {option for parameter in found.params for option in parameter.opts}
    for word in command[1:]:
        if word.startswith("--"):
            assert word in options, f"{name}: {command[0]} has no option {word}"
    if command[0] == "worker":
        assert command[2] in ROLES


@pytest.mark.parametrize("name", OURS)
def test_our_variables_are_settings(name: str) -> None:
    fields = {f"GPU_HEALTH_{field.upper()}" for field in Settings.model_fields if field in READ}
    assert set(SERVICES[name]["environment"]) <= fields
    assert set(SERVICES[name]["depends_on"]) <= set(SERVICES)


def test_no_template_is_left_unused() -> None:
    anchors = re.findall(r"&([\w-]+)", TEXT)
    assert {anchor for anchor in anchors if f"*{anchor}" not in TEXT} == set()
    assert {key for key in COMPOSE if key.startswith("x-")} == {"x-role"}


def test_every_variable_of_kafka_is_a_property_of_the_broker() -> None:
    """The image makes one of each, also of one that is misspelt."""
    variables = set(SERVICES["kafka"]["environment"]) - {"KAFKA_HEAP_OPTS"}
    properties = {name.removeprefix("KAFKA_").lower().replace("_", ".") for name in variables}
    assert properties <= BROKER_PROPERTIES
