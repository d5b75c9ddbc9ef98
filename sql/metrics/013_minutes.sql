-- The last value of `counter` in the newest minute of the GPU before `minute`; NULL where there is none.
CREATE FUNCTION gpu_counter_before(gpu text, minute timestamptz, counter text) RETURNS double precision
LANGUAGE plpgsql STABLE AS $$
DECLARE
    found double precision;
BEGIN
    EXECUTE format('SELECT %1$I FROM gpu_metrics_1min_base WHERE gpu_id = $1 AND bucket < $2 AND %1$I IS NOT NULL '
        'ORDER BY bucket DESC LIMIT 1', counter || '_last') INTO found USING gpu, minute;
    RETURN found;
END
$$;

-- Recompute the touched minutes that are over, oldest first; returns how many. Safe to run again and beside itself.
-- A minute at a time, planned for its own time: a join with several minutes reads every partition. A minute is never
-- overwritten by fewer samples than it had: its raw rows may be past their retention. A counter's rise between two
-- minutes is kept with the later one, so that no reader has to look for the minute before.
CREATE OR REPLACE FUNCTION gpu_refresh_minutes(up_to timestamptz, minutes_limit integer) RETURNS integer
LANGUAGE plpgsql SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    buckets timestamptz[];
    minute timestamptz;
    later record;
BEGIN
    WITH due AS (
        SELECT DISTINCT bucket FROM gpu_minutes_touched
        WHERE bucket + INTERVAL '1 minute' <= up_to ORDER BY bucket LIMIT minutes_limit
    ), gone AS (
        DELETE FROM gpu_minutes_touched t USING due WHERE t.bucket = due.bucket RETURNING t.bucket
    )
    SELECT array_agg(DISTINCT bucket ORDER BY bucket) INTO buckets FROM gone;
    IF buckets IS NULL THEN
        RETURN 0;
    END IF;
    IF to_regproc('gpu_ensure_partitions') IS NOT NULL THEN
        PERFORM gpu_ensure_partitions('gpu_metrics_1min_base', 'month', buckets, '-infinity');
    END IF;
    FOREACH minute IN ARRAY buckets LOOP
        INSERT INTO gpu_metrics_1min_base AS kept (
            bucket, gpu_id, host_id,
            samples,
            avg_temp_gpu,
            max_temp_gpu,
            avg_temp_memory,
            max_temp_memory,
            avg_temp_hotspot,
            max_temp_hotspot,
            avg_power_draw,
            max_power_draw,
            avg_util_gpu,
            max_util_gpu,
            avg_util_memory,
            max_util_memory,
            avg_memory_used,
            max_memory_used,
            avg_clock_gpu,
            max_clock_gpu,
            avg_clock_memory,
            max_clock_memory,
            min_power_draw,
            min_clock_gpu,
            power_limit,
            memory_total,
            throttle_reason,
            throttled_samples,
            thermal_violation_seconds_total_first,
            thermal_violation_seconds_total_last,
            sw_thermal_slowdown_seconds_total_first,
            sw_thermal_slowdown_seconds_total_last,
            hw_thermal_slowdown_seconds_total_first,
            hw_thermal_slowdown_seconds_total_last,
            energy_joules_total_first,
            energy_joules_total_last,
            power_violation_seconds_total_first,
            power_violation_seconds_total_last,
            sync_boost_violation_seconds_total_first,
            sync_boost_violation_seconds_total_last,
            board_limit_violation_seconds_total_first,
            board_limit_violation_seconds_total_last,
            low_util_violation_seconds_total_first,
            low_util_violation_seconds_total_last,
            reliability_violation_seconds_total_first,
            reliability_violation_seconds_total_last,
            sw_power_cap_seconds_total_first,
            sw_power_cap_seconds_total_last,
            sync_boost_seconds_total_first,
            sync_boost_seconds_total_last,
            hw_power_brake_seconds_total_first,
            hw_power_brake_seconds_total_last,
            ecc_correctable_first,
            ecc_correctable_last,
            ecc_uncorrectable_first,
            ecc_uncorrectable_last,
            ecc_sbe_aggregate_total_first,
            ecc_sbe_aggregate_total_last,
            ecc_dbe_aggregate_total_first,
            ecc_dbe_aggregate_total_last,
            ecc_sbe_sram_volatile_total_first,
            ecc_sbe_sram_volatile_total_last,
            ecc_dbe_sram_volatile_total_first,
            ecc_dbe_sram_volatile_total_last,
            ecc_sbe_sram_aggregate_total_first,
            ecc_sbe_sram_aggregate_total_last,
            ecc_dbe_sram_aggregate_total_first,
            ecc_dbe_sram_aggregate_total_last,
            page_retired_sbe_total_first,
            page_retired_sbe_total_last,
            page_retired_dbe_total_first,
            page_retired_dbe_total_last,
            row_remap_uncorrectable_total_first,
            row_remap_uncorrectable_total_last,
            row_remap_correctable_total_first,
            row_remap_correctable_total_last,
            pcie_replay_total_first,
            pcie_replay_total_last,
            pcie_correctable_errors_total_first,
            pcie_correctable_errors_total_last,
            nvlink_crc_flit_errors_total_first,
            nvlink_crc_flit_errors_total_last,
            nvlink_crc_data_errors_total_first,
            nvlink_crc_data_errors_total_last,
            nvlink_replay_errors_total_first,
            nvlink_replay_errors_total_last,
            nvlink_recovery_errors_total_first,
            nvlink_recovery_errors_total_last,
            nvlink_recovery_successful_total_first,
            nvlink_recovery_successful_total_last,
            nvlink_recovery_failed_total_first,
            nvlink_recovery_failed_total_last,
            nvlink_recovery_events_total_first,
            nvlink_recovery_events_total_last,
            ecc_correctable_between, ecc_uncorrectable_between
        )
        SELECT fresh.*,
        CASE WHEN fresh.ecc_correctable_first IS NULL THEN 0 ELSE gpu_counter_increment(coalesce(
            (SELECT b.ecc_correctable_last FROM gpu_metrics_1min_base b
                WHERE b.gpu_id = fresh.gpu_id AND b.bucket < minute AND b.bucket >= minute - INTERVAL '1 day'
                    AND b.ecc_correctable_last IS NOT NULL ORDER BY b.bucket DESC LIMIT 1),
            gpu_counter_before(fresh.gpu_id, minute - INTERVAL '1 day', 'ecc_correctable')
        ), fresh.ecc_correctable_first, fresh.ecc_correctable_first) END,
        CASE WHEN fresh.ecc_uncorrectable_first IS NULL THEN 0 ELSE gpu_counter_increment(coalesce(
            (SELECT b.ecc_uncorrectable_last FROM gpu_metrics_1min_base b
                WHERE b.gpu_id = fresh.gpu_id AND b.bucket < minute AND b.bucket >= minute - INTERVAL '1 day'
                    AND b.ecc_uncorrectable_last IS NOT NULL ORDER BY b.bucket DESC LIMIT 1),
            gpu_counter_before(fresh.gpu_id, minute - INTERVAL '1 day', 'ecc_uncorrectable')
        ), fresh.ecc_uncorrectable_first, fresh.ecc_uncorrectable_first) END
        FROM (
            SELECT minute AS bucket, raw.gpu_id, (array_agg(host_id ORDER BY time DESC))[1] AS host_id,
                count(*) AS samples,
                avg(temp_gpu) AS avg_temp_gpu,
                max(temp_gpu) AS max_temp_gpu,
                avg(temp_memory) AS avg_temp_memory,
                max(temp_memory) AS max_temp_memory,
                avg(temp_hotspot) AS avg_temp_hotspot,
                max(temp_hotspot) AS max_temp_hotspot,
                avg(power_draw) AS avg_power_draw,
                max(power_draw) AS max_power_draw,
                avg(util_gpu) AS avg_util_gpu,
                max(util_gpu) AS max_util_gpu,
                avg(util_memory) AS avg_util_memory,
                max(util_memory) AS max_util_memory,
                avg(memory_used) AS avg_memory_used,
                max(memory_used) AS max_memory_used,
                avg(clock_gpu) AS avg_clock_gpu,
                max(clock_gpu) AS max_clock_gpu,
                avg(clock_memory) AS avg_clock_memory,
                max(clock_memory) AS max_clock_memory,
                min(power_draw) AS min_power_draw,
                min(clock_gpu) AS min_clock_gpu,
                max(power_limit) AS power_limit,
                max(memory_total) AS memory_total,
                bit_or(throttle_reason::bigint) AS throttle_reason,
                count(*) FILTER (WHERE throttle_reason::bigint & ~279::bigint <> 0) AS throttled_samples,
                (array_agg(thermal_violation_seconds_total ORDER BY time) FILTER (WHERE thermal_violation_seconds_total IS NOT NULL))[1] AS thermal_violation_seconds_total_first,
                (array_agg(thermal_violation_seconds_total ORDER BY time) FILTER (WHERE thermal_violation_seconds_total IS NOT NULL))[count(thermal_violation_seconds_total)] AS thermal_violation_seconds_total_last,
                (array_agg(sw_thermal_slowdown_seconds_total ORDER BY time) FILTER (WHERE sw_thermal_slowdown_seconds_total IS NOT NULL))[1] AS sw_thermal_slowdown_seconds_total_first,
                (array_agg(sw_thermal_slowdown_seconds_total ORDER BY time) FILTER (WHERE sw_thermal_slowdown_seconds_total IS NOT NULL))[count(sw_thermal_slowdown_seconds_total)] AS sw_thermal_slowdown_seconds_total_last,
                (array_agg(hw_thermal_slowdown_seconds_total ORDER BY time) FILTER (WHERE hw_thermal_slowdown_seconds_total IS NOT NULL))[1] AS hw_thermal_slowdown_seconds_total_first,
                (array_agg(hw_thermal_slowdown_seconds_total ORDER BY time) FILTER (WHERE hw_thermal_slowdown_seconds_total IS NOT NULL))[count(hw_thermal_slowdown_seconds_total)] AS hw_thermal_slowdown_seconds_total_last,
                (array_agg(energy_joules_total ORDER BY time) FILTER (WHERE energy_joules_total IS NOT NULL))[1] AS energy_joules_total_first,
                (array_agg(energy_joules_total ORDER BY time) FILTER (WHERE energy_joules_total IS NOT NULL))[count(energy_joules_total)] AS energy_joules_total_last,
                (array_agg(power_violation_seconds_total ORDER BY time) FILTER (WHERE power_violation_seconds_total IS NOT NULL))[1] AS power_violation_seconds_total_first,
                (array_agg(power_violation_seconds_total ORDER BY time) FILTER (WHERE power_violation_seconds_total IS NOT NULL))[count(power_violation_seconds_total)] AS power_violation_seconds_total_last,
                (array_agg(sync_boost_violation_seconds_total ORDER BY time) FILTER (WHERE sync_boost_violation_seconds_total IS NOT NULL))[1] AS sync_boost_violation_seconds_total_first,
                (array_agg(sync_boost_violation_seconds_total ORDER BY time) FILTER (WHERE sync_boost_violation_seconds_total IS NOT NULL))[count(sync_boost_violation_seconds_total)] AS sync_boost_violation_seconds_total_last,
                (array_agg(board_limit_violation_seconds_total ORDER BY time) FILTER (WHERE board_limit_violation_seconds_total IS NOT NULL))[1] AS board_limit_violation_seconds_total_first,
                (array_agg(board_limit_violation_seconds_total ORDER BY time) FILTER (WHERE board_limit_violation_seconds_total IS NOT NULL))[count(board_limit_violation_seconds_total)] AS board_limit_violation_seconds_total_last,
                (array_agg(low_util_violation_seconds_total ORDER BY time) FILTER (WHERE low_util_violation_seconds_total IS NOT NULL))[1] AS low_util_violation_seconds_total_first,
                (array_agg(low_util_violation_seconds_total ORDER BY time) FILTER (WHERE low_util_violation_seconds_total IS NOT NULL))[count(low_util_violation_seconds_total)] AS low_util_violation_seconds_total_last,
                (array_agg(reliability_violation_seconds_total ORDER BY time) FILTER (WHERE reliability_violation_seconds_total IS NOT NULL))[1] AS reliability_violation_seconds_total_first,
                (array_agg(reliability_violation_seconds_total ORDER BY time) FILTER (WHERE reliability_violation_seconds_total IS NOT NULL))[count(reliability_violation_seconds_total)] AS reliability_violation_seconds_total_last,
                (array_agg(sw_power_cap_seconds_total ORDER BY time) FILTER (WHERE sw_power_cap_seconds_total IS NOT NULL))[1] AS sw_power_cap_seconds_total_first,
                (array_agg(sw_power_cap_seconds_total ORDER BY time) FILTER (WHERE sw_power_cap_seconds_total IS NOT NULL))[count(sw_power_cap_seconds_total)] AS sw_power_cap_seconds_total_last,
                (array_agg(sync_boost_seconds_total ORDER BY time) FILTER (WHERE sync_boost_seconds_total IS NOT NULL))[1] AS sync_boost_seconds_total_first,
                (array_agg(sync_boost_seconds_total ORDER BY time) FILTER (WHERE sync_boost_seconds_total IS NOT NULL))[count(sync_boost_seconds_total)] AS sync_boost_seconds_total_last,
                (array_agg(hw_power_brake_seconds_total ORDER BY time) FILTER (WHERE hw_power_brake_seconds_total IS NOT NULL))[1] AS hw_power_brake_seconds_total_first,
                (array_agg(hw_power_brake_seconds_total ORDER BY time) FILTER (WHERE hw_power_brake_seconds_total IS NOT NULL))[count(hw_power_brake_seconds_total)] AS hw_power_brake_seconds_total_last,
                (array_agg(ecc_correctable ORDER BY time) FILTER (WHERE ecc_correctable IS NOT NULL))[1] AS ecc_correctable_first,
                (array_agg(ecc_correctable ORDER BY time) FILTER (WHERE ecc_correctable IS NOT NULL))[count(ecc_correctable)] AS ecc_correctable_last,
                (array_agg(ecc_uncorrectable ORDER BY time) FILTER (WHERE ecc_uncorrectable IS NOT NULL))[1] AS ecc_uncorrectable_first,
                (array_agg(ecc_uncorrectable ORDER BY time) FILTER (WHERE ecc_uncorrectable IS NOT NULL))[count(ecc_uncorrectable)] AS ecc_uncorrectable_last,
                (array_agg(ecc_sbe_aggregate_total ORDER BY time) FILTER (WHERE ecc_sbe_aggregate_total IS NOT NULL))[1] AS ecc_sbe_aggregate_total_first,
                (array_agg(ecc_sbe_aggregate_total ORDER BY time) FILTER (WHERE ecc_sbe_aggregate_total IS NOT NULL))[count(ecc_sbe_aggregate_total)] AS ecc_sbe_aggregate_total_last,
                (array_agg(ecc_dbe_aggregate_total ORDER BY time) FILTER (WHERE ecc_dbe_aggregate_total IS NOT NULL))[1] AS ecc_dbe_aggregate_total_first,
                (array_agg(ecc_dbe_aggregate_total ORDER BY time) FILTER (WHERE ecc_dbe_aggregate_total IS NOT NULL))[count(ecc_dbe_aggregate_total)] AS ecc_dbe_aggregate_total_last,
                (array_agg(ecc_sbe_sram_volatile_total ORDER BY time) FILTER (WHERE ecc_sbe_sram_volatile_total IS NOT NULL))[1] AS ecc_sbe_sram_volatile_total_first,
                (array_agg(ecc_sbe_sram_volatile_total ORDER BY time) FILTER (WHERE ecc_sbe_sram_volatile_total IS NOT NULL))[count(ecc_sbe_sram_volatile_total)] AS ecc_sbe_sram_volatile_total_last,
                (array_agg(ecc_dbe_sram_volatile_total ORDER BY time) FILTER (WHERE ecc_dbe_sram_volatile_total IS NOT NULL))[1] AS ecc_dbe_sram_volatile_total_first,
                (array_agg(ecc_dbe_sram_volatile_total ORDER BY time) FILTER (WHERE ecc_dbe_sram_volatile_total IS NOT NULL))[count(ecc_dbe_sram_volatile_total)] AS ecc_dbe_sram_volatile_total_last,
                (array_agg(ecc_sbe_sram_aggregate_total ORDER BY time) FILTER (WHERE ecc_sbe_sram_aggregate_total IS NOT NULL))[1] AS ecc_sbe_sram_aggregate_total_first,
                (array_agg(ecc_sbe_sram_aggregate_total ORDER BY time) FILTER (WHERE ecc_sbe_sram_aggregate_total IS NOT NULL))[count(ecc_sbe_sram_aggregate_total)] AS ecc_sbe_sram_aggregate_total_last,
                (array_agg(ecc_dbe_sram_aggregate_total ORDER BY time) FILTER (WHERE ecc_dbe_sram_aggregate_total IS NOT NULL))[1] AS ecc_dbe_sram_aggregate_total_first,
                (array_agg(ecc_dbe_sram_aggregate_total ORDER BY time) FILTER (WHERE ecc_dbe_sram_aggregate_total IS NOT NULL))[count(ecc_dbe_sram_aggregate_total)] AS ecc_dbe_sram_aggregate_total_last,
                (array_agg(page_retired_sbe_total ORDER BY time) FILTER (WHERE page_retired_sbe_total IS NOT NULL))[1] AS page_retired_sbe_total_first,
                (array_agg(page_retired_sbe_total ORDER BY time) FILTER (WHERE page_retired_sbe_total IS NOT NULL))[count(page_retired_sbe_total)] AS page_retired_sbe_total_last,
                (array_agg(page_retired_dbe_total ORDER BY time) FILTER (WHERE page_retired_dbe_total IS NOT NULL))[1] AS page_retired_dbe_total_first,
                (array_agg(page_retired_dbe_total ORDER BY time) FILTER (WHERE page_retired_dbe_total IS NOT NULL))[count(page_retired_dbe_total)] AS page_retired_dbe_total_last,
                (array_agg(row_remap_uncorrectable_total ORDER BY time) FILTER (WHERE row_remap_uncorrectable_total IS NOT NULL))[1] AS row_remap_uncorrectable_total_first,
                (array_agg(row_remap_uncorrectable_total ORDER BY time) FILTER (WHERE row_remap_uncorrectable_total IS NOT NULL))[count(row_remap_uncorrectable_total)] AS row_remap_uncorrectable_total_last,
                (array_agg(row_remap_correctable_total ORDER BY time) FILTER (WHERE row_remap_correctable_total IS NOT NULL))[1] AS row_remap_correctable_total_first,
                (array_agg(row_remap_correctable_total ORDER BY time) FILTER (WHERE row_remap_correctable_total IS NOT NULL))[count(row_remap_correctable_total)] AS row_remap_correctable_total_last,
                (array_agg(pcie_replay_total ORDER BY time) FILTER (WHERE pcie_replay_total IS NOT NULL))[1] AS pcie_replay_total_first,
                (array_agg(pcie_replay_total ORDER BY time) FILTER (WHERE pcie_replay_total IS NOT NULL))[count(pcie_replay_total)] AS pcie_replay_total_last,
                (array_agg(pcie_correctable_errors_total ORDER BY time) FILTER (WHERE pcie_correctable_errors_total IS NOT NULL))[1] AS pcie_correctable_errors_total_first,
                (array_agg(pcie_correctable_errors_total ORDER BY time) FILTER (WHERE pcie_correctable_errors_total IS NOT NULL))[count(pcie_correctable_errors_total)] AS pcie_correctable_errors_total_last,
                (array_agg(nvlink_crc_flit_errors_total ORDER BY time) FILTER (WHERE nvlink_crc_flit_errors_total IS NOT NULL))[1] AS nvlink_crc_flit_errors_total_first,
                (array_agg(nvlink_crc_flit_errors_total ORDER BY time) FILTER (WHERE nvlink_crc_flit_errors_total IS NOT NULL))[count(nvlink_crc_flit_errors_total)] AS nvlink_crc_flit_errors_total_last,
                (array_agg(nvlink_crc_data_errors_total ORDER BY time) FILTER (WHERE nvlink_crc_data_errors_total IS NOT NULL))[1] AS nvlink_crc_data_errors_total_first,
                (array_agg(nvlink_crc_data_errors_total ORDER BY time) FILTER (WHERE nvlink_crc_data_errors_total IS NOT NULL))[count(nvlink_crc_data_errors_total)] AS nvlink_crc_data_errors_total_last,
                (array_agg(nvlink_replay_errors_total ORDER BY time) FILTER (WHERE nvlink_replay_errors_total IS NOT NULL))[1] AS nvlink_replay_errors_total_first,
                (array_agg(nvlink_replay_errors_total ORDER BY time) FILTER (WHERE nvlink_replay_errors_total IS NOT NULL))[count(nvlink_replay_errors_total)] AS nvlink_replay_errors_total_last,
                (array_agg(nvlink_recovery_errors_total ORDER BY time) FILTER (WHERE nvlink_recovery_errors_total IS NOT NULL))[1] AS nvlink_recovery_errors_total_first,
                (array_agg(nvlink_recovery_errors_total ORDER BY time) FILTER (WHERE nvlink_recovery_errors_total IS NOT NULL))[count(nvlink_recovery_errors_total)] AS nvlink_recovery_errors_total_last,
                (array_agg(nvlink_recovery_successful_total ORDER BY time) FILTER (WHERE nvlink_recovery_successful_total IS NOT NULL))[1] AS nvlink_recovery_successful_total_first,
                (array_agg(nvlink_recovery_successful_total ORDER BY time) FILTER (WHERE nvlink_recovery_successful_total IS NOT NULL))[count(nvlink_recovery_successful_total)] AS nvlink_recovery_successful_total_last,
                (array_agg(nvlink_recovery_failed_total ORDER BY time) FILTER (WHERE nvlink_recovery_failed_total IS NOT NULL))[1] AS nvlink_recovery_failed_total_first,
                (array_agg(nvlink_recovery_failed_total ORDER BY time) FILTER (WHERE nvlink_recovery_failed_total IS NOT NULL))[count(nvlink_recovery_failed_total)] AS nvlink_recovery_failed_total_last,
                (array_agg(nvlink_recovery_events_total ORDER BY time) FILTER (WHERE nvlink_recovery_events_total IS NOT NULL))[1] AS nvlink_recovery_events_total_first,
                (array_agg(nvlink_recovery_events_total ORDER BY time) FILTER (WHERE nvlink_recovery_events_total IS NOT NULL))[count(nvlink_recovery_events_total)] AS nvlink_recovery_events_total_last
            FROM gpu_health_metrics raw
            WHERE raw.time >= minute AND raw.time < minute + INTERVAL '1 minute'
            GROUP BY raw.gpu_id
        ) fresh
        ON CONFLICT (gpu_id, bucket) DO UPDATE SET
            host_id = excluded.host_id,
            samples = excluded.samples,
            avg_temp_gpu = excluded.avg_temp_gpu,
            max_temp_gpu = excluded.max_temp_gpu,
            avg_temp_memory = excluded.avg_temp_memory,
            max_temp_memory = excluded.max_temp_memory,
            avg_temp_hotspot = excluded.avg_temp_hotspot,
            max_temp_hotspot = excluded.max_temp_hotspot,
            avg_power_draw = excluded.avg_power_draw,
            max_power_draw = excluded.max_power_draw,
            avg_util_gpu = excluded.avg_util_gpu,
            max_util_gpu = excluded.max_util_gpu,
            avg_util_memory = excluded.avg_util_memory,
            max_util_memory = excluded.max_util_memory,
            avg_memory_used = excluded.avg_memory_used,
            max_memory_used = excluded.max_memory_used,
            avg_clock_gpu = excluded.avg_clock_gpu,
            max_clock_gpu = excluded.max_clock_gpu,
            avg_clock_memory = excluded.avg_clock_memory,
            max_clock_memory = excluded.max_clock_memory,
            min_power_draw = excluded.min_power_draw,
            min_clock_gpu = excluded.min_clock_gpu,
            power_limit = excluded.power_limit,
            memory_total = excluded.memory_total,
            throttle_reason = excluded.throttle_reason,
            throttled_samples = excluded.throttled_samples,
            thermal_violation_seconds_total_first = excluded.thermal_violation_seconds_total_first,
            thermal_violation_seconds_total_last = excluded.thermal_violation_seconds_total_last,
            sw_thermal_slowdown_seconds_total_first = excluded.sw_thermal_slowdown_seconds_total_first,
            sw_thermal_slowdown_seconds_total_last = excluded.sw_thermal_slowdown_seconds_total_last,
            hw_thermal_slowdown_seconds_total_first = excluded.hw_thermal_slowdown_seconds_total_first,
            hw_thermal_slowdown_seconds_total_last = excluded.hw_thermal_slowdown_seconds_total_last,
            energy_joules_total_first = excluded.energy_joules_total_first,
            energy_joules_total_last = excluded.energy_joules_total_last,
            power_violation_seconds_total_first = excluded.power_violation_seconds_total_first,
            power_violation_seconds_total_last = excluded.power_violation_seconds_total_last,
            sync_boost_violation_seconds_total_first = excluded.sync_boost_violation_seconds_total_first,
            sync_boost_violation_seconds_total_last = excluded.sync_boost_violation_seconds_total_last,
            board_limit_violation_seconds_total_first = excluded.board_limit_violation_seconds_total_first,
            board_limit_violation_seconds_total_last = excluded.board_limit_violation_seconds_total_last,
            low_util_violation_seconds_total_first = excluded.low_util_violation_seconds_total_first,
            low_util_violation_seconds_total_last = excluded.low_util_violation_seconds_total_last,
            reliability_violation_seconds_total_first = excluded.reliability_violation_seconds_total_first,
            reliability_violation_seconds_total_last = excluded.reliability_violation_seconds_total_last,
            sw_power_cap_seconds_total_first = excluded.sw_power_cap_seconds_total_first,
            sw_power_cap_seconds_total_last = excluded.sw_power_cap_seconds_total_last,
            sync_boost_seconds_total_first = excluded.sync_boost_seconds_total_first,
            sync_boost_seconds_total_last = excluded.sync_boost_seconds_total_last,
            hw_power_brake_seconds_total_first = excluded.hw_power_brake_seconds_total_first,
            hw_power_brake_seconds_total_last = excluded.hw_power_brake_seconds_total_last,
            ecc_correctable_first = excluded.ecc_correctable_first,
            ecc_correctable_last = excluded.ecc_correctable_last,
            ecc_uncorrectable_first = excluded.ecc_uncorrectable_first,
            ecc_uncorrectable_last = excluded.ecc_uncorrectable_last,
            ecc_sbe_aggregate_total_first = excluded.ecc_sbe_aggregate_total_first,
            ecc_sbe_aggregate_total_last = excluded.ecc_sbe_aggregate_total_last,
            ecc_dbe_aggregate_total_first = excluded.ecc_dbe_aggregate_total_first,
            ecc_dbe_aggregate_total_last = excluded.ecc_dbe_aggregate_total_last,
            ecc_sbe_sram_volatile_total_first = excluded.ecc_sbe_sram_volatile_total_first,
            ecc_sbe_sram_volatile_total_last = excluded.ecc_sbe_sram_volatile_total_last,
            ecc_dbe_sram_volatile_total_first = excluded.ecc_dbe_sram_volatile_total_first,
            ecc_dbe_sram_volatile_total_last = excluded.ecc_dbe_sram_volatile_total_last,
            ecc_sbe_sram_aggregate_total_first = excluded.ecc_sbe_sram_aggregate_total_first,
            ecc_sbe_sram_aggregate_total_last = excluded.ecc_sbe_sram_aggregate_total_last,
            ecc_dbe_sram_aggregate_total_first = excluded.ecc_dbe_sram_aggregate_total_first,
            ecc_dbe_sram_aggregate_total_last = excluded.ecc_dbe_sram_aggregate_total_last,
            page_retired_sbe_total_first = excluded.page_retired_sbe_total_first,
            page_retired_sbe_total_last = excluded.page_retired_sbe_total_last,
            page_retired_dbe_total_first = excluded.page_retired_dbe_total_first,
            page_retired_dbe_total_last = excluded.page_retired_dbe_total_last,
            row_remap_uncorrectable_total_first = excluded.row_remap_uncorrectable_total_first,
            row_remap_uncorrectable_total_last = excluded.row_remap_uncorrectable_total_last,
            row_remap_correctable_total_first = excluded.row_remap_correctable_total_first,
            row_remap_correctable_total_last = excluded.row_remap_correctable_total_last,
            pcie_replay_total_first = excluded.pcie_replay_total_first,
            pcie_replay_total_last = excluded.pcie_replay_total_last,
            pcie_correctable_errors_total_first = excluded.pcie_correctable_errors_total_first,
            pcie_correctable_errors_total_last = excluded.pcie_correctable_errors_total_last,
            nvlink_crc_flit_errors_total_first = excluded.nvlink_crc_flit_errors_total_first,
            nvlink_crc_flit_errors_total_last = excluded.nvlink_crc_flit_errors_total_last,
            nvlink_crc_data_errors_total_first = excluded.nvlink_crc_data_errors_total_first,
            nvlink_crc_data_errors_total_last = excluded.nvlink_crc_data_errors_total_last,
            nvlink_replay_errors_total_first = excluded.nvlink_replay_errors_total_first,
            nvlink_replay_errors_total_last = excluded.nvlink_replay_errors_total_last,
            nvlink_recovery_errors_total_first = excluded.nvlink_recovery_errors_total_first,
            nvlink_recovery_errors_total_last = excluded.nvlink_recovery_errors_total_last,
            nvlink_recovery_successful_total_first = excluded.nvlink_recovery_successful_total_first,
            nvlink_recovery_successful_total_last = excluded.nvlink_recovery_successful_total_last,
            nvlink_recovery_failed_total_first = excluded.nvlink_recovery_failed_total_first,
            nvlink_recovery_failed_total_last = excluded.nvlink_recovery_failed_total_last,
            nvlink_recovery_events_total_first = excluded.nvlink_recovery_events_total_first,
            nvlink_recovery_events_total_last = excluded.nvlink_recovery_events_total_last,
            ecc_correctable_between = excluded.ecc_correctable_between,
            ecc_uncorrectable_between = excluded.ecc_uncorrectable_between
        WHERE excluded.samples >= kept.samples;
        FOR later IN
            SELECT own.gpu_id, following.bucket, following.rise FROM gpu_metrics_1min_base own CROSS JOIN LATERAL (
                SELECT n.bucket, n.ecc_correctable_between,
                    gpu_counter_increment(own.ecc_correctable_last, n.ecc_correctable_first, n.ecc_correctable_first) AS rise
                FROM gpu_metrics_1min_base n
                WHERE n.gpu_id = own.gpu_id AND n.bucket > minute AND n.ecc_correctable_first IS NOT NULL
                ORDER BY n.bucket LIMIT 1
            ) following
            WHERE own.bucket = minute AND own.ecc_correctable_last IS NOT NULL
                AND following.ecc_correctable_between IS DISTINCT FROM following.rise
        LOOP
            UPDATE gpu_metrics_1min_base SET ecc_correctable_between = later.rise
            WHERE gpu_id = later.gpu_id AND bucket = later.bucket;
        END LOOP;
        FOR later IN
            SELECT own.gpu_id, following.bucket, following.rise FROM gpu_metrics_1min_base own CROSS JOIN LATERAL (
                SELECT n.bucket, n.ecc_uncorrectable_between,
                    gpu_counter_increment(own.ecc_uncorrectable_last, n.ecc_uncorrectable_first, n.ecc_uncorrectable_first) AS rise
                FROM gpu_metrics_1min_base n
                WHERE n.gpu_id = own.gpu_id AND n.bucket > minute AND n.ecc_uncorrectable_first IS NOT NULL
                ORDER BY n.bucket LIMIT 1
            ) following
            WHERE own.bucket = minute AND own.ecc_uncorrectable_last IS NOT NULL
                AND following.ecc_uncorrectable_between IS DISTINCT FROM following.rise
        LOOP
            UPDATE gpu_metrics_1min_base SET ecc_uncorrectable_between = later.rise
            WHERE gpu_id = later.gpu_id AND bucket = later.bucket;
        END LOOP;
    END LOOP;
    RETURN cardinality(buckets);
END
$$;

UPDATE gpu_metrics_1min_base t SET ecc_correctable_between = risen.rise
FROM (
    SELECT gpu_id, bucket, gpu_counter_increment(
        lag(ecc_correctable_last) OVER (PARTITION BY gpu_id ORDER BY bucket), ecc_correctable_first, ecc_correctable_first) AS rise
    FROM gpu_metrics_1min_base WHERE ecc_correctable_first IS NOT NULL
) risen
WHERE t.gpu_id = risen.gpu_id AND t.bucket = risen.bucket AND risen.rise <> 0;
UPDATE gpu_metrics_1min_base t SET ecc_uncorrectable_between = risen.rise
FROM (
    SELECT gpu_id, bucket, gpu_counter_increment(
        lag(ecc_uncorrectable_last) OVER (PARTITION BY gpu_id ORDER BY bucket), ecc_uncorrectable_first, ecc_uncorrectable_first) AS rise
    FROM gpu_metrics_1min_base WHERE ecc_uncorrectable_first IS NOT NULL
) risen
WHERE t.gpu_id = risen.gpu_id AND t.bucket = risen.bucket AND risen.rise <> 0;

-- The guide's names stand last: host_id, avg_power and the totals, which are increments here.
CREATE OR REPLACE VIEW gpu_metrics_1min AS
SELECT bucket, gpu_id, samples,
    avg_temp_gpu, max_temp_gpu, avg_temp_memory, max_temp_memory, avg_temp_hotspot, max_temp_hotspot,
    avg_power_draw, max_power_draw, min_power_draw, power_limit,
    avg_util_gpu, max_util_gpu, avg_util_memory, max_util_memory,
    avg_memory_used, max_memory_used, memory_total,
    avg_clock_gpu, min_clock_gpu, avg_clock_memory,
    throttle_reason, throttled_samples,
    ecc_correctable_between
        + gpu_counter_increment(ecc_correctable_first, ecc_correctable_first, ecc_correctable_last) AS ecc_correctable,
    ecc_uncorrectable_between
        + gpu_counter_increment(ecc_uncorrectable_first, ecc_uncorrectable_first, ecc_uncorrectable_last)
        AS ecc_uncorrectable,
    host_id,
    avg_power_draw AS avg_power,
    ecc_correctable_between
        + gpu_counter_increment(ecc_correctable_first, ecc_correctable_first, ecc_correctable_last)
        AS total_ecc_correctable,
    ecc_uncorrectable_between
        + gpu_counter_increment(ecc_uncorrectable_first, ecc_uncorrectable_first, ecc_uncorrectable_last)
        AS total_ecc_uncorrectable
FROM gpu_metrics_1min_base;
