-- name: ensure_table()#
CREATE TABLE IF NOT EXISTS gpu_health_migrations (
    part text NOT NULL,
    file text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (part, file)
);

-- name: lock()$
SELECT pg_advisory_lock(hashtext('gpu-health migrations'));

-- name: unlock()$
SELECT pg_advisory_unlock(hashtext('gpu-health migrations'));

-- name: limit_lock_wait()#
-- A statement that waits for a table holds up all that ask for it later: it gives up soon, and is tried again.
SET LOCAL lock_timeout = '2s';

-- name: table_exists()$
SELECT to_regclass('gpu_health_migrations') IS NOT NULL;

-- name: applied(part)
SELECT file, checksum, applied_at FROM gpu_health_migrations WHERE part = :part ORDER BY file;

-- name: record(part, file, checksum)!
INSERT INTO gpu_health_migrations (part, file, checksum) VALUES (:part, :file, :checksum);

-- name: timescale_ready()$
-- Installed here, or installable: it must be preloaded by the server.
SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')
    OR (EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')
        AND 'timescaledb' = ANY (string_to_array(replace(current_setting('shared_preload_libraries'), ' ', ''), ',')));

-- name: timescale_version()$
SELECT extversion FROM pg_extension WHERE extname = 'timescaledb';

-- name: is_read_only()$
SELECT current_setting('transaction_read_only')::boolean;

-- name: create_timescale()#
CREATE EXTENSION IF NOT EXISTS timescaledb;
