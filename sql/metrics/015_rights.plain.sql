-- Partitions belong to who migrated: roles that may only write or only maintain make and drop them through these.
ALTER FUNCTION gpu_ensure_partitions SECURITY DEFINER;
ALTER FUNCTION gpu_ensure_partitions SET search_path FROM CURRENT;
REVOKE EXECUTE ON FUNCTION gpu_ensure_partitions FROM PUBLIC;
ALTER FUNCTION gpu_drop_partitions SECURITY DEFINER;
ALTER FUNCTION gpu_drop_partitions SET search_path FROM CURRENT;
REVOKE EXECUTE ON FUNCTION gpu_drop_partitions FROM PUBLIC;
