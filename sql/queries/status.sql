-- name: server()^
SELECT current_database() AS database, current_setting('server_version') AS version,
    (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb') AS timescale_version,
    pg_database_size(current_database()) AS size_bytes;

-- name: table_sizes(names)
-- A partitioned table is its leaves: its own estimate is their sum again. Rows are the planner's estimate.
SELECT parent.relname AS name,
    coalesce(sum(pg_total_relation_size(leaf.oid)), 0)::bigint AS size_bytes,
    coalesce(sum(greatest(leaf.reltuples, 0)), 0)::bigint AS estimated_rows,
    count(*) FILTER (WHERE leaf.oid <> parent.oid) AS partitions
FROM unnest(:names::text[]) AS wanted (name)
JOIN pg_class parent ON parent.oid = to_regclass(wanted.name)
CROSS JOIN LATERAL (
    SELECT c.oid, c.reltuples FROM pg_partition_tree(parent.oid) tree JOIN pg_class c ON c.oid = tree.relid
    WHERE tree.isleaf
    UNION ALL SELECT parent.oid, parent.reltuples WHERE parent.relkind = 'r' AND NOT EXISTS (
        SELECT FROM pg_partition_tree(parent.oid))
) AS leaf
GROUP BY parent.relname ORDER BY size_bytes DESC, name;

-- name: hypertables()
-- Chunks, also compressed ones, are no partitions to PostgreSQL; approximate_row_count knows the rows in batches.
SELECT hypertable_name::text AS name, num_chunks AS partitions,
    coalesce(hypertable_size(format('%I.%I', hypertable_schema, hypertable_name)::regclass), 0)::bigint AS size_bytes,
    approximate_row_count(format('%I.%I', hypertable_schema, hypertable_name)::regclass)::bigint AS estimated_rows
FROM timescaledb_information.hypertables;

-- name: count_rows()$
SELECT count(*) FROM {table};
