-- name: try_lock()$
SELECT pg_try_advisory_lock(hashtext('gpu-health maintenance'));

-- name: unlock()$
SELECT pg_advisory_unlock(hashtext('gpu-health maintenance'));

-- name: refresh_minutes(up_to, minutes_limit)$
SELECT gpu_refresh_minutes(:up_to, :minutes_limit);

-- name: ensure_days(days, oldest)$
SELECT gpu_ensure_partitions('gpu_health_metrics', 'day', :days, :oldest);

-- name: drop_raw(oldest)$
SELECT gpu_drop_partitions('gpu_health_metrics', :oldest, 'appended_at');

-- name: drop_minutes(oldest)$
SELECT gpu_drop_partitions('gpu_metrics_1min_base', :oldest, NULL);

-- name: drop_raw_events(oldest)!
DELETE FROM gpu_raw_events WHERE appended_at < :oldest;

-- name: drop_events()#
DELETE FROM {table} WHERE "{time}" < $1;

-- name: set_policies()#
SELECT remove_retention_policy('gpu_health_metrics', if_exists => true);
SELECT add_retention_policy('gpu_health_metrics', INTERVAL '{raw_days} days');
SELECT remove_retention_policy('gpu_metrics_1min_base', if_exists => true);
SELECT add_retention_policy('gpu_metrics_1min_base', INTERVAL '{minute_days} days');
SELECT remove_compression_policy('gpu_health_metrics', if_exists => true);
SELECT add_compression_policy('gpu_health_metrics', INTERVAL '18 hours', schedule_interval => INTERVAL '1 hour');
SELECT remove_compression_policy('gpu_metrics_1min_base', if_exists => true);
SELECT add_compression_policy('gpu_metrics_1min_base', INTERVAL '1 day', schedule_interval => INTERVAL '1 hour');
