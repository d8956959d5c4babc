"""Ids that sort by when they were made: UUID version 7 (RFC 9562), as the reference server's."""

import os
import time
import uuid


def new_id() -> str:
    """A fresh UUIDv7 as text."""
    stamp = (time.time_ns() // 1_000_000).to_bytes(6)
    tail = bytearray(os.urandom(10))
    tail[0] = 0x70 | tail[0] & 0x0F
    tail[2] = 0x80 | tail[2] & 0x3F
    return str(uuid.UUID(bytes=stamp + bytes(tail)))
