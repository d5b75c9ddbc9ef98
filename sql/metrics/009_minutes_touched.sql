-- Minutes that have new raw rows. Append-only, so a writer never waits for the maintenance that takes marks out.
CREATE TABLE gpu_minutes_touched (
    mark bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    bucket timestamptz NOT NULL
);
