"""What is remembered across threads."""

from protocol.wire import Nothing


class MemoryResetResponse(Nothing):
    """The memories are gone."""
