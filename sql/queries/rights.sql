-- name: role_exists(role)$
SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = :role);

-- name: database()#
SELECT current_database();

-- name: reader()#
-- Tables of later migrations too, where the same role makes them.
GRANT USAGE ON SCHEMA public TO {role};
GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role};
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {role};

-- name: writer()#
-- Rows in: COPY into a temporary table, then INSERT of what is not there. No UPDATE, no DELETE.
GRANT TEMPORARY ON DATABASE {database} TO {role};
GRANT USAGE ON SCHEMA public TO {role};
GRANT SELECT, INSERT ON {tables} TO {role};
GRANT INSERT ON gpu_minutes_touched TO {role};

-- name: writer_partitions()#
GRANT EXECUTE ON FUNCTION gpu_ensure_partitions TO {role};

-- name: maintenance()#
GRANT USAGE ON SCHEMA public TO {role};
GRANT SELECT ON gpu_health_metrics TO {role};
GRANT SELECT, DELETE ON {tables}, gpu_minutes_touched TO {role};
GRANT SELECT, INSERT, UPDATE ON gpu_metrics_1min_base TO {role};

-- name: maintenance_partitions()#
GRANT EXECUTE ON FUNCTION gpu_ensure_partitions, gpu_drop_partitions TO {role};

-- name: assets()#
GRANT USAGE ON SCHEMA public TO {role};
GRANT SELECT, INSERT, UPDATE ON gpu_assets TO {role};
GRANT SELECT ON gpu_assets_aged TO {role};

-- name: assets_lookup()#
GRANT SELECT ON gpu_health_metrics TO {role};
