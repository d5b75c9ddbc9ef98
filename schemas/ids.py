"""Deterministic ids: the same thing said again has the same id."""

from __future__ import annotations

from hashlib import blake2b


def digest(*parts: object) -> str:
    """Return 32 hex digits of the parts; floats by their repr, so equal values give equal ids.

    >>> digest("alert", "GPU-1", 1.0) == digest("alert", "GPU-1", 1.0)
    True
    """
    text = "\x1f".join(str(part) for part in parts)
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
