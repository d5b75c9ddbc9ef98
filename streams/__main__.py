"""``python -m streams``: the command ``gpu-health``, for children of the supervisor."""

from __future__ import annotations

from streams.cli import main

if __name__ == "__main__":
    main()
