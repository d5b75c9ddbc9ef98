-- Written by `python -m streams.db.generate`: what schemas/ has and no earlier migration adds.
ALTER TABLE gpu_alerts ADD COLUMN IF NOT EXISTS "worst" double precision;
ALTER TABLE gpu_alerts ADD COLUMN IF NOT EXISTS "count" bigint NOT NULL DEFAULT 1;
ALTER TABLE gpu_alerts ADD COLUMN IF NOT EXISTS "action_code" text NOT NULL DEFAULT 'see_text';
ALTER TABLE gpu_alerts ADD COLUMN IF NOT EXISTS "action_ladder" jsonb NOT NULL DEFAULT '[]';
ALTER TABLE gpu_alerts ADD COLUMN IF NOT EXISTS "action_text" text NOT NULL DEFAULT '';
ALTER TABLE gpu_alerts ADD COLUMN IF NOT EXISTS "tenant_text" text NOT NULL DEFAULT '';
ALTER TABLE gpu_alerts ADD COLUMN IF NOT EXISTS "trial" boolean NOT NULL DEFAULT false;
-- By hand: version 1 of the record called action_text so. Its rows keep it; a writer of version 2 leaves it empty, one
-- of version 1 that still runs fills it.
ALTER TABLE gpu_alerts ALTER COLUMN "action" DROP NOT NULL;
