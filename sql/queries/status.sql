-- name: server()^
SELECT current_database() AS database, current_setting('server_version') AS version,
    (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb') AS timescale_version,
    pg_database_size(current_database()) AS size_bytes;

-- name: table_sizes(names)
-- Partitions belong to their parent; rows are the planner's estimate, exact after the next analyze.
SELECT parent.relname AS name,
    coalesce(sum(pg_total_relation_size(part.oid)), 0)::bigint AS size_bytes,
    coalesce(sum(greatest(part.reltuples, 0)), 0)::bigint AS estimated_rows,
    count(*) FILTER (WHERE part.oid <> parent.oid) AS partitions
FROM unnest(:names::text[]) AS wanted (name)
JOIN pg_class parent ON parent.oid = to_regclass(wanted.name)
CROSS JOIN LATERAL (
    SELECT c.oid, c.reltuples FROM pg_partition_tree(parent.oid) tree JOIN pg_class c ON c.oid = tree.relid
    UNION ALL SELECT parent.oid, parent.reltuples WHERE parent.relkind = 'r' AND NOT EXISTS (
        SELECT FROM pg_partition_tree(parent.oid))
) AS part
GROUP BY parent.relname ORDER BY size_bytes DESC, name;

-- name: hypertable_size(name)$
SELECT hypertable_size(:name::regclass);

-- name: count_rows()$
SELECT count(*) FROM {table};
