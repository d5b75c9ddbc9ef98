-- name: create_staging()#
CREATE TEMP TABLE IF NOT EXISTS staging_{table} (LIKE {table} INCLUDING DEFAULTS) ON COMMIT DELETE ROWS;

-- name: move_staging()#
INSERT INTO {table} ({columns}) SELECT {columns} FROM staging_{table} ON CONFLICT DO NOTHING;

-- name: probe_by_key()#
-- The temporary table has no statistics: without these the planner may read all of the other one.
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;

-- name: staged_times()#
SELECT min(time), max(time) FROM staging_gpu_health_metrics;

-- name: missing_samples(first, last)$
SELECT count(*) FROM staging_gpu_health_metrics given
WHERE NOT EXISTS (
    SELECT FROM gpu_health_metrics kept WHERE kept.gpu_id = given.gpu_id AND kept.time = given.time
        AND kept.time >= :first AND kept.time <= :last
);

-- name: missing_rows()#
SELECT count(*) FROM staging_{table} given
WHERE NOT EXISTS (SELECT FROM {table} kept WHERE kept."{key}" = given."{key}");

-- name: allow_decompression()#
-- Late rows of a large fleet reach more than the default 100,000 rows of compressed batches.
SET timescaledb.max_tuples_decompressed_per_dml_transaction = 0;

-- name: mark_minutes()#
INSERT INTO gpu_minutes_touched (bucket)
SELECT DISTINCT date_trunc('minute', time, 'UTC') FROM staging_gpu_health_metrics;

-- name: ensure_days(days, oldest)$
SELECT gpu_ensure_partitions('gpu_health_metrics', 'day', :days, :oldest);

-- name: is_plain()$
SELECT to_regproc('gpu_ensure_partitions') IS NOT NULL;
