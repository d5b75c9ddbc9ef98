"""What a sender can do wrong, through a real broker and role score: refused with a reason, and nothing else hurt."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Mapping
from time import time
from typing import Any, Final

import pytest
from aiokafka import AIOKafkaProducer

from schemas.dead_letter import PAYLOAD_LIMIT_BYTES
from schemas.raw import MAX_MESSAGE_BYTES
from schemas.times import format_time
from schemas.topics import DEAD_LETTER, HEALTH_SCORES, METRICS_RAW, STATUS
from streams.kafka_client import client_options
from streams.owned_partitions import OwnedPartitions
from streams.score_role import assemble
from streams.settings import Settings
from streams.telemetry import Telemetry
from streams.topics import MAX_RECORD_BYTES
from tests.integration.bad_messages import accepted, refused
from tests.integration.test_score_role import records
from tests.polling import until

GPUS: Final = [f"GPU-{number}" for number in range(8)]
ROUNDS: Final = 20
RANDOM_MESSAGES: Final = 100_000
