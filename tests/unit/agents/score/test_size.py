"""What role score keeps of a GPU fits the memory that docs promise."""

from __future__ import annotations

import pytest

from tests.bench.state import bytes_a_gpu


@pytest.mark.parametrize("kind", ["guide", "ours"])
def test_a_gpu_with_full_windows_takes_at_most_16_kib(kind: str) -> None:
    assert 4 * 1024 < bytes_a_gpu(kind, 100) <= 16 * 1024
