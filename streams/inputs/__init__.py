"""Versioned side inputs: their kinds, how they are published, read and followed."""
