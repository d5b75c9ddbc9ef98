"""Faults on real servers: what the system says must be said exactly once, whatever is killed."""
