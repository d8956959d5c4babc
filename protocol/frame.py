"""What every message between the supervisor and a worker is."""

from msgspec import Struct


class Frame(Struct, array_like=True, tag=True):
    """One message of a link."""
