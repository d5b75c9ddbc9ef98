-- The ledger: what was foretold and what became of it.
CREATE TABLE gpu_predictions (
    prediction_id text PRIMARY KEY,
    gpu_id text NOT NULL,
    host_id text,
    predicted_at timestamptz NOT NULL,
    horizon_days integer NOT NULL,
    risk_level text NOT NULL,
    risk_score integer NOT NULL,
    failure_probability double precision NOT NULL,
    model_version integer NOT NULL,
    status text NOT NULL DEFAULT 'issued'
        CHECK (status IN ('issued', 'confirmed', 'refuted', 'censored', 'detected')),
    settled_at timestamptz,
    lead_time_seconds double precision,
    failure_event_id text
);
CREATE INDEX gpu_predictions_gpu ON gpu_predictions (gpu_id, predicted_at);
