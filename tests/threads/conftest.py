"""Failed asserts of the state machine's parts say what they compared."""

import pytest

for part in ("bursts", "laws", "world"):
    pytest.register_assert_rewrite(f"tests.threads.{part}")
