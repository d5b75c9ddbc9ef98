-- name: flow(since)^
-- Does telemetry arrive?
SELECT count(*) AS samples, count(DISTINCT gpu_id) AS gpus, count(DISTINCT host_id) AS hosts,
    min(time) AS first_time, max(time) AS last_time,
    EXTRACT(EPOCH FROM now() - max(appended_at))::double precision AS seconds_since_last
FROM gpu_health_metrics WHERE time >= :since;

-- name: rate_per_gpu(since, until, default_interval_seconds)
-- Samples against what the GPU's own interval promises; a GPU seen in the day before that went silent shows 0.
WITH known AS (
    SELECT gpu_id FROM gpu_health_metrics
    WHERE time >= :since::timestamptz - INTERVAL '1 day' AND time < :until GROUP BY gpu_id
), counted AS (
    SELECT gpu_id, count(*) AS samples,
        mode() WITHIN GROUP (ORDER BY interval_seconds) AS interval_seconds
    FROM gpu_health_metrics WHERE time >= :since AND time < :until GROUP BY gpu_id
), rated AS (
    SELECT gpu_id, coalesce(samples, 0) AS samples,
        coalesce(interval_seconds, :default_interval_seconds::double precision) AS interval_seconds,
        EXTRACT(EPOCH FROM :until::timestamptz - :since::timestamptz)::double precision AS window_seconds
    FROM known LEFT JOIN counted USING (gpu_id)
)
SELECT gpu_id, samples, interval_seconds, samples * 60 / window_seconds AS samples_per_minute,
    samples * interval_seconds / window_seconds AS ratio_of_expected
FROM rated ORDER BY ratio_of_expected, gpu_id;

-- name: gaps(since, until)
-- Stretches of whole minutes without any sample, over a generated series: an outage has no rows to group.
WITH known AS (
    SELECT gpu_id, date_trunc('minute', min(time), 'UTC') AS first_minute FROM gpu_health_metrics
    WHERE time >= :since::timestamptz - INTERVAL '1 day' AND time < :until GROUP BY gpu_id
), seen AS (
    SELECT gpu_id, date_trunc('minute', time, 'UTC') AS minute FROM gpu_health_metrics
    WHERE time >= :since AND time < :until GROUP BY 1, 2
), empty AS (
    SELECT known.gpu_id, series.minute,
        series.minute - row_number() OVER (PARTITION BY known.gpu_id ORDER BY series.minute) * INTERVAL '1 minute'
            AS island
    FROM known
    CROSS JOIN generate_series(
        date_trunc('minute', :since::timestamptz, 'UTC'),
        :until::timestamptz - INTERVAL '1 minute', INTERVAL '1 minute') AS series (minute)
    LEFT JOIN seen ON seen.gpu_id = known.gpu_id AND seen.minute = series.minute
    WHERE seen.minute IS NULL AND series.minute >= known.first_minute
)
SELECT gpu_id, min(minute) AS gap_start, max(minute) + INTERVAL '1 minute' AS gap_end, count(*) AS minutes
FROM empty GROUP BY gpu_id, island ORDER BY gap_start, gpu_id;

-- name: latest_scores()
SELECT gpu_id, host_id, model, calculated_at, overall_score, thermal_score, memory_score, power_score, link_score,
    band, partial
FROM gpu_latest_health_scores ORDER BY overall_score NULLS LAST, gpu_id;

-- name: degraded(below)
SELECT gpu_id, host_id, model, calculated_at, overall_score, thermal_score, memory_score, power_score, band, penalties
FROM gpu_latest_health_scores WHERE overall_score < :below ORDER BY overall_score, gpu_id;

-- name: distribution()
-- Every band, in the order of its scores, an empty one too; 'insufficient': too little is measured to call it well;
-- 'not scored' is silence, not health.
SELECT bands.band, bands.lowest, bands.highest, count(latest.gpu_id) AS gpus
FROM (VALUES
    ('excellent', 90, 100), ('good', 80, 89), ('fair', 70, 79), ('degraded', 60, 69), ('poor', 0, 59),
    ('insufficient', NULL, NULL), ('not scored', NULL, NULL)
) AS bands (band, lowest, highest)
LEFT JOIN gpu_latest_health_scores latest ON coalesce(latest.band, 'not scored') = bands.band
GROUP BY bands.band, bands.lowest, bands.highest ORDER BY bands.lowest DESC NULLS LAST, bands.band;

-- name: known_issues(below)
-- What the owner knew beforehand against what the scores say; an asset without any score is not recognised.
SELECT asset.gpu_id, asset.asset_tag, asset.serial, asset.model, asset.known_issues,
    score.overall_score, score.thermal_score, score.memory_score, score.power_score, score.band,
    risk.risk_score, risk.risk_level,
    coalesce(score.overall_score < :below, false) OR coalesce(risk.risk_level IN ('high', 'critical'), false)
        AS recognised
FROM gpu_assets asset
LEFT JOIN gpu_latest_health_scores score USING (gpu_id)
LEFT JOIN gpu_latest_risk_scores risk USING (gpu_id)
WHERE asset.known_issues IS NOT NULL AND asset.removed_at IS NULL
ORDER BY recognised, score.overall_score NULLS FIRST, asset.asset_id;

-- name: known_issues_summary(below)^
-- The same as counts: with and without a known issue, flagged and not.
SELECT
    count(*) FILTER (WHERE known AND flagged) AS recognised,
    count(*) FILTER (WHERE known AND NOT flagged) AS missed,
    count(*) FILTER (WHERE NOT known AND flagged) AS flagged_without_known_issue,
    count(*) FILTER (WHERE NOT known AND NOT flagged) AS healthy
FROM (
    SELECT asset.known_issues IS NOT NULL AS known,
        coalesce(score.overall_score < :below, false) OR coalesce(risk.risk_level IN ('high', 'critical'), false)
            AS flagged
    FROM gpu_latest_health_scores score
    FULL JOIN (SELECT * FROM gpu_assets WHERE removed_at IS NULL) asset USING (gpu_id)
    LEFT JOIN gpu_latest_risk_scores risk USING (gpu_id)
) compared;
