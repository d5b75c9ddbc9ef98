-- A minute's host, and what its counters rose from the newest minute before to its first value (013).
ALTER TABLE gpu_metrics_1min_base ADD COLUMN IF NOT EXISTS host_id text;
ALTER TABLE gpu_metrics_1min_base ADD COLUMN IF NOT EXISTS ecc_correctable_between double precision NOT NULL DEFAULT 0;
ALTER TABLE gpu_metrics_1min_base ADD COLUMN IF NOT EXISTS ecc_uncorrectable_between double precision NOT NULL DEFAULT 0;
