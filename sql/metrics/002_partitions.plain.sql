-- Make sure that each time of `times` from `oldest` on has a partition of `parent`, one a `step` (day or month, UTC).
-- Older times stay in the default partition. Rows that the default partition already holds move to the new one.
CREATE FUNCTION gpu_ensure_partitions(parent text, step text, times timestamptz[], oldest timestamptz)
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    start_at timestamptz;
    end_at timestamptz;
    name text;
    key text;
    made integer := 0;
BEGIN
    FOR start_at IN
        SELECT DISTINCT date_trunc(step, moment, 'UTC') FROM unnest(times) AS moment WHERE moment >= oldest
    LOOP
        name := parent || to_char(start_at AT TIME ZONE 'UTC', CASE step WHEN 'day' THEN '_YYYYMMDD' ELSE '_YYYYMM' END);
        CONTINUE WHEN to_regclass(name) IS NOT NULL;
        -- Two workers may want the same day at once: the second one finds it made.
        PERFORM pg_advisory_xact_lock(hashtext('gpu_ensure_partitions'), hashtext(name));
        CONTINUE WHEN to_regclass(name) IS NOT NULL;
        end_at := (start_at AT TIME ZONE 'UTC' + ('1 ' || step)::interval) AT TIME ZONE 'UTC';
        SELECT attname INTO STRICT key FROM pg_partitioned_table p
            JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
            WHERE p.partrelid = parent::regclass;
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name, parent);
        EXECUTE format('WITH moved AS (DELETE FROM %I WHERE %I >= $1 AND %I < $2 RETURNING *) '
            'INSERT INTO %I SELECT * FROM moved', parent || '_default', key, key, name) USING start_at, end_at;
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, name, start_at, end_at);
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;

-- Drop partitions of `parent` that end before `oldest`; `stored`, where given, names a column that says when a row
-- was stored: a partition with a row stored since `oldest` (a replayed recording) is kept. Returns the names dropped.
CREATE FUNCTION gpu_drop_partitions(parent text, oldest timestamptz, stored text) RETURNS text[]
LANGUAGE plpgsql AS $$
DECLARE
    name text;
    end_at timestamptz;
    fresh boolean;
    dropped text[] := '{}';
BEGIN
    FOR name, end_at IN
        SELECT c.relname,
            substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''([^'']+)''\)')::timestamptz
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = parent::regclass AND pg_get_expr(c.relpartbound, c.oid) <> 'DEFAULT' ORDER BY 2
    LOOP
        CONTINUE WHEN end_at > oldest;
        fresh := false;
        IF stored IS NOT NULL THEN
            EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE %I >= $1)', name, stored) INTO fresh USING oldest;
        END IF;
        CONTINUE WHEN fresh;
        EXECUTE format('DROP TABLE %I', name);
        dropped := dropped || name;
    END LOOP;
    IF stored IS NOT NULL THEN
        EXECUTE format('DELETE FROM %I WHERE %I < $1', parent || '_default', stored) USING oldest;
    END IF;
    RETURN dropped;
END
$$;
