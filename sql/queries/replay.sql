-- name: gpus(since, until)
SELECT gpu_id FROM gpu_health_metrics WHERE time >= :since AND time < :until
UNION
SELECT gpu_id FROM gpu_raw_events WHERE time >= :since AND time < :until;

-- name: labels(gpu_id, since, until)
-- A set is stored with its first row of each day, whatever order the rows came in.
SELECT DISTINCT ON (labels_digest) labels_digest, labels FROM gpu_health_metrics
WHERE gpu_id = :gpu_id AND labels IS NOT NULL
    AND time >= date_trunc('day', :since::timestamptz, 'UTC')
    AND time < date_trunc('day', :until::timestamptz, 'UTC') + INTERVAL '1 day'
ORDER BY labels_digest, time;

-- name: samples(gpu_id, since, until)
SELECT * FROM gpu_health_metrics WHERE gpu_id = :gpu_id AND time >= :since AND time < :until
ORDER BY gpu_id, time;

-- name: raw_events(gpu_id, since, until)
SELECT * FROM gpu_raw_events WHERE gpu_id = :gpu_id AND time >= :since AND time < :until
ORDER BY gpu_id, time, appended_at;
