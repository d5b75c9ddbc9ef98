-- Raw messages that carry no GPU sample: events that left at once, and host facts (gpu_id host:<host_id>).
CREATE TABLE gpu_raw_events (
    event_id text PRIMARY KEY,
    time timestamptz NOT NULL,
    gpu_id text NOT NULL,
    host_id text NOT NULL,
    appended_at timestamptz NOT NULL,
    interval_seconds double precision,
    source text,
    labels jsonb,
    blanks text[],
    events jsonb,
    host_facts jsonb
);
CREATE INDEX gpu_raw_events_gpu_time ON gpu_raw_events (gpu_id, time);
CREATE INDEX gpu_raw_events_time ON gpu_raw_events USING brin (time);
