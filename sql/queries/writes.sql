-- name: create_staging()#
CREATE TEMP TABLE IF NOT EXISTS staging_{table} (LIKE {table} INCLUDING DEFAULTS) ON COMMIT DELETE ROWS;

-- name: move_staging()#
INSERT INTO {table} ({columns}) SELECT {columns} FROM staging_{table} ON CONFLICT DO NOTHING;

-- name: mark_minutes()#
INSERT INTO gpu_minutes_touched (bucket)
SELECT DISTINCT date_trunc('minute', time, 'UTC') FROM staging_gpu_health_metrics;

-- name: ensure_days(days, oldest)$
SELECT gpu_ensure_partitions('gpu_health_metrics', 'day', :days, :oldest);

-- name: is_plain()$
SELECT to_regproc('gpu_ensure_partitions') IS NOT NULL;
