"""The tokens of logins to MCP servers, in the reference server's file and format.

Either server finds what the other has stored: `.credentials.json` in the home, readable by its
owner only, replaced at once.  Writers take turns by a lock file, since every worker may be one.
"""

import fcntl
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

FILE = ".credentials.json"
SKEW_SECONDS = 30  # a token that ends so soon is refreshed before it is used (observed)


class Entry(Struct):
    """`expires_at` is in milliseconds since the epoch."""

    server_name: str
    server_url: str
    client_id: str
    access_token: str
    expires_at: int | None = None
    refresh_token: str | None = None
    scopes: list[str] = field(default_factory=list[str])

    @property
    def is_stale(self) -> bool:
        return self.expires_at is not None and (
            time.time() + SKEW_SECONDS >= self.expires_at / 1000
        )


def find(home: str, name: str, url: str) -> Entry | None:
    """Raises OSError, and ValueError for a file that is no JSON object of entries."""
    entries = _read(Path(home) / FILE).values()
    return next((e for e in entries if (e.server_name, e.server_url) == (name, url)), None)


def keep(home: str, entry: Entry) -> None:
    """Store it in place of an older one.  Raises OSError and ValueError."""
    file = Path(home) / FILE
    with _alone(file):
        entries = {
            key: one
            for key, one in _read(file).items()
            if (one.server_name, one.server_url) != (entry.server_name, entry.server_url)
        }
        entries[_key(entry)] = entry
        _write(file, msgspec.json.format(msgspec.json.encode(entries), indent=2))


def _read(file: Path) -> dict[str, Entry]:
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return {}
    try:
        return msgspec.json.decode(data, type=dict[str, Entry])
    except msgspec.DecodeError as error:
        raise ValueError(f"{file} is broken ({error}); move it away and log in again") from None


def _key(entry: Entry) -> str:
    told: dict[str, Any] = {"type": "http", "url": entry.server_url, "headers": {}}
    digest = hashlib.sha256(json.dumps(told, separators=(",", ":")).encode()).hexdigest()
    return f"{entry.server_name}|{digest[:16]}"


@contextmanager
def _alone(file: Path) -> Generator[None]:
    descriptor = os.open(f"{file}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write(file: Path, data: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=".credentials-")
    try:
        with os.fdopen(handle, "wb") as made:
            made.write(data)
            made.flush()
            os.fsync(made.fileno())
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
