"""The keyed table whose state, output and position are one transaction, and who owns its partitions."""
