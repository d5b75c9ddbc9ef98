"""The numbers of the rules: a file that a person can tune, versioned like every side input."""

from __future__ import annotations

import msgspec


class Rules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Numbers of every rule; meanings and units are in their names, reasons in ``rules.toml``.

    ``trial`` names rules that are evaluated, stored and shown, and wake nobody.
    """

    version: int
    score_degraded_points: float
    score_poor_points: float
    score_clear_distance_points: float
    score_hold_seconds: float
    score_clear_seconds: float
    risk_high_times_fleet: float
    risk_clear_times_fleet: float
    risk_hold_seconds: float
    risk_clear_seconds: float
    hot_celsius: float
    hot_below_slowdown_celsius: float
    hot_margin_celsius: float
    memory_hot_celsius: float
    thermal_limit_distance_celsius: float
    thermal_limit_hold_seconds: float
    thermal_limit_clear_seconds: float
    shutdown_near_celsius: float
    throttle_minutes: int
    throttle_least_ratio: float
    throttle_clear_seconds: float
    corrected_per_hour: float
    corrected_clear_per_hour: float
    corrected_error_per_hour: float
    corrected_clear_seconds: float
    retired_pages: float
    flag_clear_seconds: float
    coalesce_seconds: float
    containment_seconds: float
    clean_after_reset_seconds: float
    clean_lost_seconds: float
    clean_without_reset_action_seconds: float
    clean_with_reset_action_seconds: float
    uncorrected_repeat_seconds: float
    repeat_bursts: int
    application_repeat_bursts: int
    silence_least_seconds: float
    silence_intervals: float
    exporter_down_hold_seconds: float
    exporter_down_clear_seconds: float
    trial: tuple[str, ...] = ()
