"""Kernel logs: what a line is wrapped in, the events in it, and whose they are. Pure: text in, messages out."""
