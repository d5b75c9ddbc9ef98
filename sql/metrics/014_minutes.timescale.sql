DROP MATERIALIZED VIEW gpu_metrics_1min_aggregate;
-- What the aggregate had not materialized yet.
INSERT INTO gpu_minutes_touched (bucket)
SELECT DISTINCT date_trunc('minute', time, 'UTC') FROM gpu_health_metrics WHERE time >= now() - INTERVAL '3 hours';
-- A worker of the release before takes marks out without computing their minutes: by this name it finds none.
ALTER TABLE gpu_minutes_touched RENAME COLUMN mark TO mark_number;
-- Late minutes of a large fleet lie in more than 100,000 rows of compressed batches.
ALTER FUNCTION gpu_refresh_minutes SET timescaledb.max_tuples_decompressed_per_dml_transaction = 0;
-- A chunk is compressed as a whole: of a day's, the first rows wait a day longer than the last.
SELECT set_chunk_time_interval('gpu_health_metrics', INTERVAL '6 hours');
