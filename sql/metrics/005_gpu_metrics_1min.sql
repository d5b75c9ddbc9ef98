-- Increment of a counter over one bucket: from the bucket before (NULL: none, a first sight adds nothing) to its
-- first value, then to its last. A value below the one before is a reset: all of it is new.
CREATE FUNCTION gpu_counter_increment(previous double precision, first double precision, last double precision)
RETURNS double precision LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN first IS NULL THEN NULL
        ELSE CASE WHEN previous IS NULL THEN 0 WHEN first >= previous THEN first - previous ELSE first END
            + CASE WHEN last >= first THEN last - first ELSE last END
    END
$$;

-- A probe of the key a row, not a window function: a filter on `bucket` would not reach below a window.
CREATE VIEW gpu_metrics_1min AS
SELECT now.bucket, now.gpu_id, now.samples,
    now.avg_temp_gpu, now.max_temp_gpu, now.avg_temp_memory, now.max_temp_memory,
    now.avg_temp_hotspot, now.max_temp_hotspot,
    now.avg_power_draw, now.max_power_draw, now.min_power_draw, now.power_limit,
    now.avg_util_gpu, now.max_util_gpu, now.avg_util_memory, now.max_util_memory,
    now.avg_memory_used, now.max_memory_used, now.memory_total,
    now.avg_clock_gpu, now.min_clock_gpu, now.avg_clock_memory,
    now.throttle_reason, now.throttled_samples,
    gpu_counter_increment(corrected.last, now.ecc_correctable_first, now.ecc_correctable_last) AS ecc_correctable,
    gpu_counter_increment(uncorrected.last, now.ecc_uncorrectable_first, now.ecc_uncorrectable_last)
        AS ecc_uncorrectable
FROM gpu_metrics_1min_base now
LEFT JOIN LATERAL (
    SELECT ecc_correctable_last AS last FROM gpu_metrics_1min_base before
    WHERE before.gpu_id = now.gpu_id AND before.bucket < now.bucket AND before.ecc_correctable_last IS NOT NULL
    ORDER BY before.bucket DESC LIMIT 1
) corrected ON now.ecc_correctable_first IS NOT NULL
LEFT JOIN LATERAL (
    SELECT ecc_uncorrectable_last AS last FROM gpu_metrics_1min_base before
    WHERE before.gpu_id = now.gpu_id AND before.bucket < now.bucket AND before.ecc_uncorrectable_last IS NOT NULL
    ORDER BY before.bucket DESC LIMIT 1
) uncorrected ON now.ecc_uncorrectable_first IS NOT NULL;
