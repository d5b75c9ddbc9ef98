-- Written by `python -m streams.db.generate`: what schemas/ has and no earlier migration adds.
ALTER TABLE gpu_alerts ADD COLUMN IF NOT EXISTS "last" double precision;
