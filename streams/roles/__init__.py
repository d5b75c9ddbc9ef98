"""The roles, a file each, and how a role's process runs."""
