"""Names of the topics, without the prefix of the settings."""

from __future__ import annotations

from typing import Final

METRICS_RAW: Final = "gpu-metrics-raw"
DEAD_LETTER: Final = "gpu-metrics-dead-letter"
STATUS: Final = "gpu-status"
HEALTH_SCORES: Final = "gpu-health-scores"
RISK_SCORES: Final = "gpu-risk-scores"
HOURS: Final = "gpu-hours"
EVENTS: Final = "gpu-events"
RECOMMENDATIONS: Final = "gpu-recommendations"
ALERTS: Final = "gpu-alerts"
NOTIFICATIONS: Final = "gpu-notifications"
OPERATOR_ACTIONS: Final = "gpu-operator-actions"
FAILURE_EVENTS: Final = "gpu-failure-events"
INPUTS: Final = "gpu-inputs"
STATE: Final = "gpu-state"
NOTIFY_STATE: Final = "gpu-notify-state"

REKEYED_HEADER: Final = "rekeyed"
