-- The newest score of each GPU, not the rows of the newest instant: each GPU is scored at its own times. The
-- recursion walks the index from GPU to GPU, so it reads a few pages a GPU and not two years of scores.
CREATE VIEW gpu_latest_health_scores AS
WITH RECURSIVE gpus AS (
    (SELECT gpu_id FROM gpu_health_scores ORDER BY gpu_id LIMIT 1)
    UNION ALL
    SELECT (SELECT s.gpu_id FROM gpu_health_scores s WHERE s.gpu_id > gpus.gpu_id ORDER BY s.gpu_id LIMIT 1)
    FROM gpus WHERE gpus.gpu_id IS NOT NULL
)
SELECT latest.* FROM gpus CROSS JOIN LATERAL (
    SELECT * FROM gpu_health_scores s WHERE s.gpu_id = gpus.gpu_id
    ORDER BY s.calculated_at DESC, s.event_id DESC LIMIT 1
) latest
WHERE gpus.gpu_id IS NOT NULL;

CREATE VIEW gpu_latest_risk_scores AS
WITH RECURSIVE gpus AS (
    (SELECT gpu_id FROM gpu_risk_scores ORDER BY gpu_id LIMIT 1)
    UNION ALL
    SELECT (SELECT s.gpu_id FROM gpu_risk_scores s WHERE s.gpu_id > gpus.gpu_id ORDER BY s.gpu_id LIMIT 1)
    FROM gpus WHERE gpus.gpu_id IS NOT NULL
)
SELECT latest.* FROM gpus CROSS JOIN LATERAL (
    SELECT * FROM gpu_risk_scores s WHERE s.gpu_id = gpus.gpu_id
    ORDER BY s.calculated_at DESC, s.event_id DESC LIMIT 1
) latest
WHERE gpus.gpu_id IS NOT NULL;
